using System.Security.Cryptography;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Models of K-quants, from the file to the logits.</summary>
public class CpuKQuantTests
{
    private static readonly int[] _tokens = [1, 9, 300, 44, 260, 260, 7];

    public static TheoryData<WeightFormat> Formats => [WeightFormat.Q4_K, WeightFormat.Q5_K, WeightFormat.Q6_K];

    [Theory]
    [InlineData(WeightFormat.Q4_K, "E09596B36712F35E")]
    [InlineData(WeightFormat.Q5_K, "5AB552B0EDD587BA")]
    [InlineData(WeightFormat.Q6_K, "C48BFFB132D0C53A")]
    public void Forward_AnyInstructionSetAndThreads_SameBits(WeightFormat format, string expected)
    {
        foreach (int threads in new[] { 1, 2, 5 })
        {
            using var checkpoint = KQuantCheckpoint.Create(format);
            using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { Threads = threads });
            byte[] bits = [.. backend.Logits(_tokens).SelectMany(row => row).SelectMany(BitConverter.GetBytes)];
            Assert.Equal(expected, Convert.ToHexString(SHA256.HashData(bits))[..16]);      // recorded with AVX-512, then run with every set
        }
    }

    [Theory]
    [InlineData(WeightFormat.Q4_K, 0.7)]
    [InlineData(WeightFormat.Q5_K, 0.4)]
    [InlineData(WeightFormat.Q6_K, 0.25)]
    public void Load_LogitsWithinThePrecisionOfTheFormat(WeightFormat format, double tolerance)
    {
        using RandomCheckpoint singles = TinyModels.Create(1, KQuantCheckpoint.Shape);
        using var checkpoint = KQuantCheckpoint.Create(format);
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { Threads = 2 });
        float[][] logits = backend.Logits(_tokens);
        Assert.InRange(Worst(new ReferenceModel(checkpoint).Logits(_tokens), logits), 1e-6, 0.1);      // only the inputs are rounded
        Assert.InRange(Worst(new ReferenceModel(singles).Logits(_tokens), logits), 1e-6, tolerance);
        Assert.Contains($"{format} ", backend.Info.WeightFormats, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Forward_TokenByToken_SameBitsAsAtOnce(WeightFormat format)
    {
        using var checkpoint = KQuantCheckpoint.Create(format);
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { Threads = 2 });
        using KeyValueCache cache = backend.CreateCache();
        Assert.Equal(backend.Logits(_tokens), _tokens.Select(token => backend.Logits(cache, [token])[0]));
    }

    [Theory]
    [InlineData(WeightFormat.Q4_K, false)]
    [InlineData(WeightFormat.Q5_K, true)]
    [InlineData(WeightFormat.Q6_K, true)]
    public void Load_FileRepackedOrMapped_SameBitsAndTheForecastMemory(WeightFormat format, bool tied)
    {
        using var folder = new TemporaryFolder();
        using var source = KQuantCheckpoint.Create(format, tied);
        source.Write(folder["m.gguf"]);
        using var file = new GgufCheckpoint(folder["m.gguf"]);
        using var expected = CpuBackend.Load(source, new LlamaModelOptions { Threads = 2 });
        foreach (WeightRepacking repack in Enum.GetValues<WeightRepacking>())
        {
            var options = new LlamaModelOptions { Threads = 2, Repack = repack };
            MemoryEstimate estimate = CpuBackend.Estimate(file, options);
            using var backend = CpuBackend.Load(file, options);
            Assert.Equal(expected.Logits(_tokens), backend.Logits(_tokens));
            Assert.Equal(backend.Info.WeightBytes, estimate.WeightBytes + estimate.MappedBytes);
            Assert.Equal(repack == WeightRepacking.Never || !tied, estimate.MappedBytes > 0);
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void LoadAdapter_BesideKQuants_AddsItsProduct(WeightFormat format)
    {
        using var checkpoint = KQuantCheckpoint.Create(format);
        LoraAdapter adapter = TinyAdapters.Create(1, new(), KQuantCheckpoint.Shape);
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { Threads = 2 });
        using BackendAdapter loaded = backend.LoadAdapter(adapter);
        float[][] logits = backend.Logits(_tokens, loaded);
        Assert.InRange(Worst(new ReferenceModel(checkpoint, adapter).Logits(_tokens), logits), 1e-6, 0.4);
        Assert.True(Worst(new ReferenceModel(checkpoint).Logits(_tokens), logits) > 2);
    }

    private static double Worst(double[][] expected, float[][] logits) =>
        expected.Zip(logits, (left, right) => left.Zip(right, (x, y) => Math.Abs(x - y)).Max()).Max();
}
