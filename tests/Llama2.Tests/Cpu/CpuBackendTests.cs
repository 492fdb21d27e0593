using System.Security.Cryptography;
using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Tests;

public class CpuBackendTests : LlamaBackendContract
{
    protected override LlamaBackend Load(Checkpoint checkpoint, int? contextLength = null) =>
        CpuBackend.Load(checkpoint, new LlamaModelOptions { ContextLength = contextLength, Threads = 2 });

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public void Forward_AnyThreadCount_SameBits(int threads)
    {
        int[] tokens = [1, 9, 300, 44, 260, 260, 7];
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend two = Load(checkpoint);
        using var other = CpuBackend.Load(checkpoint, new LlamaModelOptions { Threads = threads });
        Assert.Equal(two.Logits(tokens), other.Logits(tokens));
        Assert.Equal(threads, other.Info.Threads);
    }

    [Fact]
    public void MeasureReading_PackedAndMapped_ReadsAllThatIsMultiplied()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        foreach (WeightRepacking repack in new[] { WeightRepacking.OnLoad, WeightRepacking.Never })
        {
            using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { Threads = 2, Repack = repack });
            Assert.True(backend.MeasureReading(TimeSpan.Zero) > 0);
            backend.Dispose();
            Assert.Throws<ObjectDisposedException>(() => backend.MeasureReading(TimeSpan.Zero));
        }
    }

    [Theory]
    [InlineData(null, null, "F9BA1BDE834B6E04")]
    [InlineData(WeightFormat.Q8_0, null, "E8FE0E31888D3497")]
    [InlineData(WeightFormat.Q4_0, WeightFormat.Q8_0, "683A7030B49A35E0")]
    [InlineData(WeightFormat.BF16, WeightFormat.F16, "8F03233F21B82185")]
    public void Forward_AnyInstructionSet_SameBits(WeightFormat? format, WeightFormat? cache, string expected)
    {
        int[] tokens = [1, 9, 300, 44, 260, 260, 7];
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { WeightFormat = format, CacheFormat = cache });
        byte[] bits = [.. backend.Logits(tokens).SelectMany(row => row).SelectMany(BitConverter.GetBytes)];
        Assert.Equal(expected, Convert.ToHexString(SHA256.HashData(bits))[..16]);      // recorded with AVX-512, then run with every set
    }

    /// <summary>Matrices so wide that F16 and BF16 are multiplied as integers, one of them of no whole blocks: the double-precision reference of the same weights.</summary>
    [Theory]
    [InlineData(WeightFormat.F16, "94F4E83FB864DD87")]
    [InlineData(WeightFormat.BF16, "C8FD70208026D707")]
    public void Forward_WideHalves_SameBitsNearDoublePrecision(WeightFormat format, string expected)
    {
        int[] tokens = [1, 9, 300, 44, 260, 260, 7, 13, 99];
        using var folder = new TemporaryFolder();
        using (RandomCheckpoint wide = TinyModels.Create(1, TinyModels.Config with { HiddenSize = 256, IntermediateSize = 300, HeadCount = 8, KeyValueHeadCount = 4, HeadSize = 32, TieWordEmbeddings = true }))
        {
            HuggingFaceFolder.Write(wide, folder["model"], format);
        }

        using var checkpoint = Checkpoint.Open(folder["model"]);
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { CacheFormat = WeightFormat.F32 });
        float[][] logits = backend.Logits(tokens);
        double[] exact = [.. new ReferenceModel(checkpoint).Logits(tokens).SelectMany(row => row)];
        double error = Math.Sqrt(exact.Zip(logits.SelectMany(row => row), (x, y) => (x - y) * (x - y)).Average()), deviation = Math.Sqrt(exact.Average(x => x * x));
        Assert.InRange(error / deviation, 1e-6, 1e-4);
        byte[] bits = [.. logits.SelectMany(row => row).SelectMany(BitConverter.GetBytes)];
        Assert.Equal(expected, Convert.ToHexString(SHA256.HashData(bits))[..16]);      // recorded with AVX-512, then run with every set
        using var mapped = CpuBackend.Load(checkpoint, new LlamaModelOptions { CacheFormat = WeightFormat.F32, Repack = WeightRepacking.Never });
        Assert.Equal(logits, mapped.Logits(tokens));
        using KeyValueCache cache = backend.CreateCache();
        Assert.Equal(logits, tokens.Select(token => backend.Logits(cache, [token])[0]));
    }

    [Theory]
    [InlineData(WeightFormat.F16, 0.02)]
    [InlineData(WeightFormat.BF16, 0.1)]
    [InlineData(WeightFormat.Q8_0, 0.1)]
    [InlineData(WeightFormat.Q4_0, 2)]
    public void Load_OtherFormat_LogitsWithinItsPrecision(WeightFormat format, double tolerance)
    {
        int[] tokens = [1, 9, 300, 44, 260, 260, 7];
        using RandomCheckpoint checkpoint = TinyModels.Create();
        double[][] expected = new ReferenceModel(checkpoint).Logits(tokens);
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { WeightFormat = format });
        float[][] logits = backend.Logits(tokens);
        double worst = expected.Zip(logits, (left, right) => left.Zip(right, (x, y) => Math.Abs(x - y)).Max()).Max();
        Assert.InRange(worst, 1e-6, tolerance);
        Assert.StartsWith($"{format} ", backend.Info.WeightFormats, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_RowsThatAreNoWholeBlocks_KeepsThemInHalfPrecision()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create(1, TinyModels.Config with { IntermediateSize = 100 });
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { WeightFormat = WeightFormat.Q8_0 });
        Assert.Contains("Q8_0", backend.Info.WeightFormats, StringComparison.Ordinal);
        Assert.Contains("F16", backend.Info.WeightFormats, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(WeightRepacking.OnLoad)]
    [InlineData(WeightRepacking.Never)]
    public void Forward_InfiniteHalf_StaysInfinite(WeightRepacking repack)
    {
        const int Row = 37;
        using var folder = new TemporaryFolder();
        using (RandomCheckpoint checkpoint = TinyModels.Create())
        {
            HuggingFaceFolder.Write(checkpoint, folder["model"], WeightFormat.F16);
        }

        string file = Path.Combine(folder["model"], "model.safetensors");
        byte[] bytes = File.ReadAllBytes(file);
        int header = BitConverter.ToInt32(bytes);
        using (var names = JsonDocument.Parse(bytes.AsMemory(8, header)))
        {
            int head = names.RootElement.GetProperty(TensorNames.Head).GetProperty("data_offsets")[0].GetInt32();
            BitConverter.TryWriteBytes(bytes.AsSpan(8 + header + head + Row * TinyModels.Config.HiddenSize * sizeof(ushort)), (ushort)0x7C00);
        }

        File.WriteAllBytes(file, bytes);
        using var opened = Checkpoint.Open(folder["model"]);
        using var backend = CpuBackend.Load(opened, new LlamaModelOptions { Repack = repack });
        float[] logits = backend.Logits([1])[0];
        Assert.Equal([Row], logits.Index().Where(logit => !float.IsFinite(logit.Item)).Select(logit => logit.Index));
    }

    [Fact]
    public void Load_Cancelled_ThrowsAndReportsProgressBefore()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using var source = new CancellationTokenSource();
        List<LoadProgress> seen = [];
        var progress = new Callback<LoadProgress>(step =>
        {
            seen.Add(step);
            if (seen.Count == 5)
            {
                source.Cancel();
            }
        });
        Assert.Throws<OperationCanceledException>(() => CpuBackend.Load(checkpoint, new LlamaModelOptions(), progress, source.Token));
        Assert.Equal(5, seen.Count);
        Assert.Equal("model.embed_tokens.weight", seen[0].Tensor);
        Assert.True(seen.Zip(seen.Skip(1)).All(pair => pair.First.LoadedBytes < pair.Second.LoadedBytes));
        Assert.All(seen, step => Assert.True(step.LoadedBytes < step.TotalBytes));
    }

    [Fact]
    public void Forward_Disposed_Throws()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        LlamaBackend backend = Load(checkpoint);
        using KeyValueCache cache = backend.CreateCache();
        var batch = new LlamaBatch();
        batch.Add(cache, [1], LogitRows.Last);
        float[] logits = new float[backend.Config.VocabularySize];
        backend.Dispose();
        Assert.Throws<ObjectDisposedException>(() => backend.Forward(batch, logits));
        Assert.Equal(0, cache.Length);
    }

    [Fact]
    public void Estimate_EqualsWhatALoadTakes()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        var options = new LlamaModelOptions { WeightFormat = WeightFormat.Q8_0 };
        MemoryEstimate estimate = CpuBackend.Estimate(checkpoint, options);
        using var backend = CpuBackend.Load(checkpoint, options);
        Assert.Equal(backend.Info.WeightBytes, estimate.WeightBytes);
        Assert.Equal(0, estimate.MappedBytes);
        Assert.Equal(backend.Info.CacheBytesPerToken, estimate.CacheBytesPerToken);
        Assert.Equal(256 * estimate.CacheBytesPerToken, backend.CacheBytes(256));
    }

    private sealed class Callback<T>(Action<T> action) : IProgress<T>
    {
        public void Report(T value) => action(value);
    }
}
