using Llama2.Testing;

namespace Llama2.Tests;

[Collection(RunsAlone.Name)]
public class CpuBackendAllocationTests
{
    [Theory]
    [InlineData(null, false)]
    [InlineData(null, true)]
    [InlineData(WeightFormat.Q8_0, false)]
    public void Forward_DecodedToken_AllocatesNothing(WeightFormat? format, bool adapted)
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { Threads = 2, WeightFormat = format });
        using BackendAdapter? adapter = adapted ? backend.LoadAdapter(TinyAdapters.Create()) : null;
        using KeyValueCache cache = backend.CreateCache();
        var batch = new LlamaBatch();
        float[] logits = new float[backend.Config.VocabularySize];
        Decode(66);                                                    // the cache has taken a new block of 32 tokens
        Assert.Equal(0, Allocations.Of(() => Decode(6)));
        Assert.InRange(Allocations.OfProcess(() => Decode(6)), 0, 1024);     // the workers' share: less than ten bytes a job; the test host allocates a little by itself

        void Decode(int tokens)
        {
            for (int token = 0; token < tokens; token++)
            {
                batch.Clear();
                batch.Add(cache, [token], LogitRows.Last, adapter);
                backend.Forward(batch, logits);
            }
        }
    }
}
