using Llama2.Testing;

namespace Llama2.Tests;

public unsafe class CpuBuffersTests
{
    [Fact]
    public void Prepare_AfterABatchThatFindsNoMemory_WorksForSmallerOnes()
    {
        LlamaConfig config = TinyModels.Config with { IntermediateSize = 1 << 22 };           // 32 MiB per token
        var rotary = new RotaryEmbedding(config);
        using var cache = new CpuKeyValueCache(config, int.MaxValue, WeightFormat.F32);
        using var buffers = new CpuBuffers(config);
        LlamaBatch one = Batch(1), more = Batch((int)((1L << 48) / CpuBuffers.BytesPerToken(config)));
        buffers.Prepare(one, rotary);
        buffers.Hidden[0] = 1;

        Assert.Throws<OutOfMemoryException>(() => buffers.Prepare(more, rotary));             // beyond any address space

        buffers.Prepare(one, rotary);
        Assert.Equal(1, buffers.Hidden[0]);
        Assert.Equal(1, buffers.Cosines[0]);

        LlamaBatch Batch(int tokens)
        {
            var batch = new LlamaBatch();
            batch.Add(cache, new int[tokens], LogitRows.None);
            return batch;
        }
    }
}
