using System.Runtime.InteropServices;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Texts that are longer than a span of positions and a group of queries.</summary>
public unsafe class CpuAttentionTests
{
    private const float LoudFactor = 20;
    private const int Length = 1100;                                     // three spans of 512, the last in part

    private static readonly LlamaConfig _config = TinyModels.Config with { ContextLength = 1200, LayerCount = 1 };

    [Theory]
    [InlineData(WeightFormat.F32, 2e-4)]
    [InlineData(WeightFormat.F16, 0.02)]
    [InlineData(WeightFormat.Q8_0, 0.2)]
    public void Forward_LongText_NearDoublePrecision(WeightFormat cache, double tolerance)
    {
        using RandomCheckpoint checkpoint = TinyModels.Create(1, _config);
        double[][] expected = new ReferenceModel(checkpoint).Logits(Tokens());
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { CacheFormat = cache, Threads = 2 });
        float[][] logits = backend.Logits(Tokens());
        for (int row = 0; row < Length; row++)
        {
            double worst = expected[row].Zip(logits[row], (x, y) => Math.Abs(x - y)).Max();
            Assert.True(worst < tolerance, $"row {row}: {worst}");
        }
    }

    /// <summary>With the factor, about one key or value in a thousand is too large to be raised, so some blocks are lowered while others are written.</summary>
    [Theory]
    [InlineData(WeightFormat.F32, 1, 1)]
    [InlineData(WeightFormat.F16, 3, 1)]
    [InlineData(WeightFormat.F16, 3, LoudFactor)]
    [InlineData(WeightFormat.Q8_0, 2, 1)]
    public void Forward_AnyPiecesAndThreads_SameBits(WeightFormat cache, int threads, float factor)
    {
        using RandomCheckpoint random = TinyModels.Create(1, _config);
        using var checkpoint = new LoudCheckpoint(random, factor);
        using var one = CpuBackend.Load(checkpoint, new LlamaModelOptions { CacheFormat = cache, Threads = 2 });
        using var other = CpuBackend.Load(checkpoint, new LlamaModelOptions { CacheFormat = cache, Threads = threads });
        float[] expected = one.Logits(Tokens())[^1], logits = new float[_config.VocabularySize];
        using KeyValueCache sequence = other.CreateCache();
        var batch = new LlamaBatch();
        int[] sizes = [500, 7, 200, 1, 1, 300, 61, 29, 1];
        foreach (int size in sizes)
        {
            batch.Clear();
            batch.Add(sequence, Tokens().AsSpan(sequence.Length, size), LogitRows.Last);
            other.Forward(batch, logits);
        }

        Assert.Equal(Length, sequence.Length);
        Assert.Equal(expected, logits);
        Assert.All(logits, logit => Assert.True(float.IsFinite(logit)));
        int lowered = 0, whole = 0;
        for (int block = 0; block < Length / 32; block++)
        {
            float[] singles = new float[32 * 32];
            fixed (float* to = singles)
            {
                var numbers = ((CpuKeyValueCache)sequence).Read(0, 0, block, areKeys: true, scaled: false, widen: true, to, pages: null);
                float largest = new ReadOnlySpan<float>(numbers.Pointer, 16 * 32).ToArray().Max(MathF.Abs);
                (lowered, whole) = largest < 64 ? (lowered, whole + 1) : (lowered + 1, whole);
            }
        }

        Assert.True(factor == 1 ? lowered == 0 : cache != WeightFormat.F16 || Math.Min(lowered, whole) > 3, $"{lowered} blocks have large keys, {whole} have not.");
    }

    /// <summary>A single thread takes five of the seven heads at a time for the last token, and one for all tokens at once.</summary>
    [Theory]
    [InlineData(WeightFormat.F32)]
    [InlineData(WeightFormat.F16)]
    [InlineData(WeightFormat.Q8_0)]
    public void Forward_HeadsAtOnce_SameBits(WeightFormat cache)
    {
        using RandomCheckpoint checkpoint = TinyModels.Create(1, _config with { HeadCount = 14, KeyValueHeadCount = 7 });
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { CacheFormat = cache, Threads = 1 });
        float[] expected = backend.Logits(Tokens())[^1];
        using KeyValueCache sequence = backend.CreateCache();
        backend.Logits(sequence, Tokens()[..^1]);
        Assert.Equal(expected, backend.Logits(sequence, Tokens()[^1..])[0]);
    }

    /// <summary>One query behind numbers that are not raised, a query that is too large to be scaled, and a head of whole pages.</summary>
    [Theory]
    [InlineData(40, 1f, 1f)]
    [InlineData(40, 1f, 300f)]
    [InlineData(64, 1f, 1f)]
    [InlineData(64, 1f, 300f)]
    [InlineData(64, 134217728f, 1f)]
    [InlineData(64, 134217728f, 300f)]
    public void Run_NumbersOfAnySize_NearDoublePrecision(int size, float queryFactor, float largest)
    {
        const int Heads = 6, KeyValueHeads = 2, Tokens = 600;
        LlamaConfig config = TinyModels.Config with
        {
            HiddenSize = Heads * size,
            HeadCount = Heads,
            KeyValueHeadCount = KeyValueHeads,
            HeadSize = size,
            LayerCount = 1,
            ContextLength = Tokens,
        };
        using var workers = new WorkerGroup(2);
        using var cache = new CpuKeyValueCache(config, Tokens, WeightFormat.F16);
        cache.Reserve(Tokens);
        float[,][] keys = new float[KeyValueHeads, Tokens][], values = new float[KeyValueHeads, Tokens][];
        for (int head = 0; head < KeyValueHeads; head++)
        {
            for (int token = 0; token < Tokens; token++)
            {
                (keys[head, token], values[head, token]) = (PackedStripe.Random(size, 2 * token + head), PackedStripe.Random(size, 5000 + 2 * token + head));
                keys[head, token] = [.. keys[head, token].Select(x => x / MathF.Max(1, queryFactor / 16))];
                if (token == 77)
                {
                    keys[head, token][3] *= largest;
                    values[head, token][size - 2] *= largest;
                }

                cache.Store(0, head, token, keys[head, token], values[head, token]);
            }
        }

        cache.Advance(Tokens - 1);
        var batch = new LlamaBatch();
        batch.Add(cache, [1], LogitRows.Last);
        using var attention = new CpuAttention(config, workers);
        attention.Prepare(batch);
        float[] queries = [.. PackedStripe.Random(Heads * size, 3).Select(x => x * queryFactor)], attended = new float[Heads * size];
        fixed (float* from = queries, to = attended)
        {
            attention.Run(0, from, to);
        }

        for (int head = 0; head < Heads; head++)
        {
            int group = head / (Heads / KeyValueHeads);
            double[] scores = [.. Enumerable.Range(0, Tokens).Select(token =>
                Enumerable.Range(0, size).Sum(i => (double)queries[head * size + i] * (double)(Half)keys[group, token][i]) / Math.Sqrt(size))];
            double[] weights = [.. scores.Select(score => Math.Exp(score - scores.Max()))];
            for (int i = 0; i < size; i++)
            {
                double expected = Enumerable.Range(0, Tokens).Sum(token => weights[token] * (double)(Half)values[group, token][i]) / weights.Sum();
                Assert.Equal(expected, attended[head * size + i], 1e-4 * largest);
            }
        }
    }

    /// <summary>Keys and values times a factor.</summary>
    private sealed class LoudCheckpoint(Checkpoint inner, float factor) : Checkpoint
    {
        public override string Path => inner.Path;

        public override string Layout => inner.Layout;

        public override LlamaConfig Config => inner.Config;

        public override IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; } = inner.Tensors.Values.ToDictionary(
            tensor => tensor.Name, tensor => tensor.Name == TensorNames.Key(0) || tensor.Name == TensorNames.Value(0) ? new Tensor(tensor, factor) : tensor);

        public override LlamaTokenizer? LoadTokenizer() => inner.LoadTokenizer();

        private sealed class Tensor(CheckpointTensor source, float factor) : CheckpointTensor(source.Name, WeightFormat.F32, source.Rows, source.Columns)
        {
            public override void ReadRow(int row, Span<byte> destination)
            {
                Span<float> weights = MemoryMarshal.Cast<byte, float>(destination)[..Columns];
                CheckpointTensorExtensions.ReadRow(source, row, weights);
                foreach (ref float weight in weights)
                {
                    weight *= factor;
                }
            }
        }
    }

    private static int[] Tokens()
    {
        var random = new Random(9);
        return [.. Enumerable.Range(0, Length).Select(_ => random.Next(_config.VocabularySize))];
    }
}
