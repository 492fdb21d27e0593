using Llama2.Testing;

namespace Llama2.Tests;

public unsafe class CpuKeyValueCacheTests
{
    [Theory]
    [InlineData(WeightFormat.F32, 0)]
    [InlineData(WeightFormat.F16, 5e-4)]
    [InlineData(WeightFormat.Q8_0, 5e-3)]
    public void Read_StoredTokens_AreTheSameWithinTheFormat(WeightFormat format, double tolerance)
    {
        LlamaConfig config = TinyModels.Config with { HiddenSize = 160, HeadCount = 4, KeyValueHeadCount = 2, LayerCount = 2 };      // a head of 40: one stripe and a part
        int size = config.HeadSize, padded = CpuKeyValueCache.PaddedHeadSize(config);
        using var cache = new CpuKeyValueCache(config, 100, format);
        cache.Reserve(40);
        for (int token = 0; token < 40; token++)
        {
            cache.Store(1, 1, token, PackedStripe.Random(size, token), PackedStripe.Random(size, 1000 + token));
        }

        Assert.Equal(2 * CpuKeyValueCache.BlockBytes(config, format), cache.ByteSize);
        float* singles = stackalloc float[32 * padded];
        for (int token = 0; token < 40; token++)
        {
            float[] key = PackedStripe.Random(size, token), value = PackedStripe.Random(size, 1000 + token);
            CpuKeyValueCache.Numbers keys = cache.Read(cache.Keys(1, 1, token / 32), size, areKeys: true, widen: true, singles);
            Assert.Equal(WeightFormat.F32, keys.Format);
            for (int i = 0; i < size; i++)
            {
                Assert.Equal(key[i], ((float*)keys.Pointer)[i * 32 + token % 32], tolerance);
            }

            CpuKeyValueCache.Numbers values = cache.Read(cache.Values(1, 1, token / 32), padded, areKeys: false, widen: true, singles);
            for (int i = 0; i < size; i++)
            {
                Assert.Equal(value[i], ((float*)values.Pointer)[(i / 32 * 32 + token % 32) * 32 + i % 32], tolerance);
            }
        }
    }

    [Fact]
    public void Store_NotFinite_IsNotHidden()
    {
        using var cache = new CpuKeyValueCache(TinyModels.Config, 100, WeightFormat.Q8_0);
        int size = TinyModels.Config.HeadSize;
        float[] key = new float[size];
        key[1] = float.NaN;
        cache.Reserve(1);
        cache.Store(0, 0, 0, key, new float[size]);
        float* singles = stackalloc float[32 * CpuKeyValueCache.PaddedHeadSize(TinyModels.Config)];
        CpuKeyValueCache.Numbers keys = cache.Read(cache.Keys(0, 0, 0), size, areKeys: true, widen: true, singles);
        Assert.False(float.IsFinite(((float*)keys.Pointer)[32]));
    }

    [Fact]
    public void Dispose_ThenUse_Throws()
    {
        var cache = new CpuKeyValueCache(TinyModels.Config, 100, WeightFormat.F16);
        cache.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cache.Reserve(1));
        Assert.Equal((0, 0L), (cache.Length, cache.ByteSize));
    }
}
