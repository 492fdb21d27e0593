using Llama2.Testing;

namespace Llama2.Tests;

public class RandomCheckpointTests
{
    [Fact]
    public void RandomCheckpoint_SameSeed_SameBits()
    {
        byte[] first = new byte[256], second = new byte[256];
        TinyModels.Create(3).Tensors["lm_head.weight"].ReadRow(5, first);
        TinyModels.Create(3).Tensors["lm_head.weight"].ReadRow(5, second);
        Assert.Equal(first, second);
        TinyModels.Create(4).Tensors["lm_head.weight"].ReadRow(5, second);
        Assert.NotEqual(first, second);
    }
}
