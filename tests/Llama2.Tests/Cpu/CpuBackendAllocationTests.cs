using Llama2.Testing;

namespace Llama2.Tests;

[Collection(RunsAlone.Name)]
public class CpuBackendAllocationTests
{
    [Theory]
    [InlineData(null)]
    [InlineData(WeightFormat.Q8_0)]
    public void Forward_DecodedToken_AllocatesNothing(WeightFormat? format)
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { Threads = 2, WeightFormat = format });
        using KeyValueCache cache = backend.CreateCache();
        var batch = new LlamaBatch();
        float[] logits = new float[backend.Config.VocabularySize];
        Decode(40);                                                    // past the first block of the cache and the first growth of the scores
        long own = GC.GetAllocatedBytesForCurrentThread(), all = GC.GetTotalAllocatedBytes(precise: true);
        Decode(20);
        Assert.Equal(own, GC.GetAllocatedBytesForCurrentThread());
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - all, 0, 8192);       // the workers' share; the test host allocates a little by itself

        void Decode(int tokens)
        {
            for (int token = 0; token < tokens; token++)
            {
                batch.Clear();
                batch.Add(cache, [token], LogitRows.Last);
                backend.Forward(batch, logits);
            }
        }
    }
}
