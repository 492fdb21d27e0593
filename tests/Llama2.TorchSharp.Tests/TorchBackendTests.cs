using Llama2.Testing;
using static TorchSharp.torch;

namespace Llama2.TorchSharp.Tests;

public class TorchBackendTests : LlamaBackendContract
{
    private static readonly int[] _tokens = [1, 9, 300, 44, 260, 260, 7];

    protected override bool BatchIsExact => false;

    protected override LlamaBackend Load(Checkpoint checkpoint, int? contextLength = null) => TestDevice.Load(checkpoint, contextLength);

    [Theory]
    [InlineData(ScalarType.Float16, 0.02, "F16")]
    [InlineData(ScalarType.BFloat16, 0.15, "BF16")]
    public void Load_HalfPrecision_LogitsWithinIt(ScalarType type, double tolerance, string format)
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using TorchBackend backend = TestDevice.Load(checkpoint, dtype: type), exact = TestDevice.Load(checkpoint);
        double[][] expected = new ReferenceModel(checkpoint).Logits(_tokens);
        double worst = expected.Zip(backend.Logits(_tokens), (left, right) => left.Zip(right, (x, y) => Math.Abs(x - y)).Max()).Max();
        Assert.InRange(worst, 1e-6, tolerance);
        Assert.StartsWith($"{format} ", backend.Info.WeightFormats, StringComparison.Ordinal);
        Assert.Equal(exact.Info.CacheBytesPerToken, 2 * backend.Info.CacheBytesPerToken);
    }

    [Fact]
    public void Forward_TokensOfManySequences_EqualEachAlone()
    {
        LlamaConfig config = TinyModels.Config with { ContextLength = 2048 };
        using RandomCheckpoint checkpoint = TinyModels.Create(1, config);
        using LlamaBackend backend = Load(checkpoint);
        int[] lengths = [3, 1, 70, TorchStep.MostTogether + 5, 0, 17];          // the fourth is attended alone, the fifth is new
        int[][] texts = [.. lengths.Select((length, seed) => Text(length + 1, seed))];
        KeyValueCache[] caches = [.. texts.Select(_ => backend.CreateCache())];
        for (int i = 0; i < texts.Length; i++)
        {
            if (lengths[i] > 0)
            {
                backend.Logits(caches[i], texts[i][..^1]);
            }
        }

        float[][] together = Step(backend, caches, texts);
        for (int i = 0; i < texts.Length; i++)
        {
            AssertClose(backend.Logits(texts[i])[^1], together[i]);
            Assert.Equal(texts[i].Length, caches[i].Length);
        }

        Array.ForEach(caches, cache => cache.Dispose());
    }

    [Fact]
    public void Forward_PromptInChunks_EqualsWhole()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        int[] text = Text(100, 1);
        using KeyValueCache cache = backend.CreateCache();
        float[][] chunks = [.. backend.Logits(cache, text[..30]), .. backend.Logits(cache, text[30..31]), .. backend.Logits(cache, text[31..])];
        float[][] whole = backend.Logits(text);
        for (int row = 0; row < whole.Length; row++)
        {
            AssertClose(whole[row], chunks[row]);
        }
    }

    [Fact]
    public void Forward_ManyLogitsOfManyPieces_StandInTheOrderOfThePieces()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        int[][] texts = [Text(5, 1), Text(1, 2), Text(4, 3), Text(1, 4)];       // the second and the fourth are attended together, first of all
        LogitRows[] rows = [LogitRows.All, LogitRows.Last, LogitRows.Last, LogitRows.All];
        KeyValueCache[] caches = [.. texts.Select(_ => backend.CreateCache())];
        var batch = new LlamaBatch();
        for (int i = 0; i < texts.Length; i++)
        {
            batch.Add(caches[i], texts[i], rows[i]);
        }

        float[] logits = new float[batch.LogitRowCount * backend.Config.VocabularySize];
        backend.Forward(batch, logits);
        float[][] expected = [.. backend.Logits(texts[0]), backend.Logits(texts[1])[^1], backend.Logits(texts[2])[^1], backend.Logits(texts[3])[^1]];
        float[][] actual = [.. logits.Chunk(backend.Config.VocabularySize)];
        Assert.Equal(expected.Length, actual.Length);
        for (int row = 0; row < expected.Length; row++)
        {
            AssertClose(expected[row], actual[row]);
        }

        Array.ForEach(caches, cache => cache.Dispose());
    }

    [Fact]
    public void Load_Cancelled_ThrowsAndReportsProgressBefore()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using var source = new CancellationTokenSource();
        List<LoadProgress> seen = [];
        var progress = new Callback(step =>
        {
            seen.Add(step);
            if (seen.Count == 5)
            {
                source.Cancel();
            }
        });
        Assert.ThrowsAny<OperationCanceledException>(() =>
            TorchBackend.Load(checkpoint, new LlamaModelOptions(), TorchDevice.Parse(TestDevice.Name), null, progress, source.Token));
        Assert.Equal(5, seen.Count);
        Assert.Equal("model.embed_tokens.weight", seen[0].Tensor);
        Assert.True(seen.Zip(seen.Skip(1)).All(pair => pair.First.LoadedBytes < pair.Second.LoadedBytes));
        Assert.All(seen, step => Assert.True(step.LoadedBytes < step.TotalBytes));
    }

    [Fact]
    public void Load_Whole_ReportsEveryTensorUpToTheLastByte()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        List<LoadProgress> seen = [];
        using var backend = TorchBackend.Load(checkpoint, new LlamaModelOptions(), TorchDevice.Parse(TestDevice.Name), null, new Callback(seen.Add));
        Assert.Equal(checkpoint.Tensors.Count, seen.Count);
        Assert.Equal(seen[^1].TotalBytes, seen[^1].LoadedBytes);
    }

    [Fact]
    public void Info_Loaded_NamesDeviceLibraryTypeAndBytes()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        Assert.Equal(TorchDevice.Parse(TestDevice.Name).Name, backend.Info.Device);
        Assert.Matches(@"^libtorch \d+\.\d+\.\d+$", backend.Info.Kernels);
        Assert.Equal(4 * checkpoint.Config.ParameterCount, backend.Info.WeightBytes);
        Assert.Equal(TorchWeights.BytesOf(checkpoint.Config, WeightFormat.F32), backend.Info.WeightBytes);
        Assert.Equal(backend.CacheBytes(256), 256 * backend.Info.CacheBytesPerToken);
    }

    [Fact]
    public void Forward_Disposed_Throws()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        LlamaBackend backend = Load(checkpoint);
        using KeyValueCache cache = backend.CreateCache();
        backend.Dispose();
        backend.Dispose();
        Assert.Throws<ObjectDisposedException>(() => backend.Logits(cache, [1]));
        Assert.Throws<ObjectDisposedException>(() => backend.LoadAdapter(TinyAdapters.Create()));
        Assert.Equal(0, cache.Length);
    }

    [Fact]
    public void Forward_DisposedCache_IsRefused()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        KeyValueCache cache = backend.CreateCache();
        backend.Logits(cache, [1]);
        cache.Dispose();
        Assert.Throws<ArgumentException>(() => backend.Logits(cache, [1]));
        Assert.Throws<ObjectDisposedException>(() => cache.Fork(0));
    }

    /// <summary>Feeds every sequence its last token, all in one pass.</summary>
    private static float[][] Step(LlamaBackend backend, KeyValueCache[] caches, int[][] texts)
    {
        var batch = new LlamaBatch();
        for (int i = 0; i < texts.Length; i++)
        {
            batch.Add(caches[i], texts[i].AsSpan(^1), LogitRows.Last);
        }

        float[] logits = new float[batch.LogitRowCount * backend.Config.VocabularySize];
        backend.Forward(batch, logits);
        return [.. logits.Chunk(backend.Config.VocabularySize)];
    }

    private static int[] Text(int length, int seed) => [.. Enumerable.Range(0, length).Select(i => 1 + (seed * 101 + i * 37) % 300)];

    private static void AssertClose(float[] expected, float[] actual) =>
        Assert.InRange(expected.Zip(actual, (left, right) => Math.Abs(left - right)).Max(), 0, 1e-4f);

    private sealed class Callback(Action<LoadProgress> action) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => action(value);
    }
}
