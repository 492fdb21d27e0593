using System.Security.Cryptography;
using Llama2.Testing;

namespace Llama2.Tests;

public class CpuAdapterTests : AdapterContract
{
    private static readonly int[] _tokens = [1, 9, 300, 44, 260, 260, 7];

    protected override LlamaBackend Load(Checkpoint checkpoint) => CpuBackend.Load(checkpoint, new LlamaModelOptions { Threads = 2 });

    [Theory]
    [InlineData(null, "A1BAF465C664AD76")]
    [InlineData(WeightFormat.Q8_0, "D0599CA967C74810")]
    public void Forward_AnyInstructionSetAndThreads_SameBits(WeightFormat? format, string expected)
    {
        foreach (int threads in new[] { 1, 2, 5 })
        {
            using RandomCheckpoint checkpoint = TinyModels.Create();
            using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { WeightFormat = format, Threads = threads });
            using BackendAdapter adapter = backend.LoadAdapter(TinyAdapters.Create());
            byte[] bits = [.. backend.Logits(_tokens, adapter).SelectMany(row => row).SelectMany(BitConverter.GetBytes)];
            Assert.Equal(expected, Convert.ToHexString(SHA256.HashData(bits))[..16]);      // recorded with AVX-512, then run with every set
        }
    }

    [Fact]
    public void ByteSize_IsSinglePrecision()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        LoraAdapter adapter = TinyAdapters.Create();
        using BackendAdapter loaded = backend.LoadAdapter(adapter);
        Assert.Equal(4 * adapter.ParameterCount, loaded.ByteSize);
    }
}
