using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Texts that are longer than a span of positions and a group of queries.</summary>
public unsafe class CpuAttentionTests
{
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

    [Theory]
    [InlineData(WeightFormat.F32, 1)]
    [InlineData(WeightFormat.F16, 3)]
    [InlineData(WeightFormat.Q8_0, 2)]
    public void Forward_AnyPiecesAndThreads_SameBits(WeightFormat cache, int threads)
    {
        using RandomCheckpoint checkpoint = TinyModels.Create(1, _config);
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

    private static int[] Tokens()
    {
        var random = new Random(9);
        return [.. Enumerable.Range(0, Length).Select(_ => random.Next(_config.VocabularySize))];
    }
}
