using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Texts that are longer than a span of positions and a group of queries.</summary>
public class CpuAttentionTests
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

    private static int[] Tokens()
    {
        var random = new Random(9);
        return [.. Enumerable.Range(0, Length).Select(_ => random.Next(_config.VocabularySize))];
    }
}
