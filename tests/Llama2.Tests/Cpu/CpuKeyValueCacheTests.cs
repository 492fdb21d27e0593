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
            CpuKeyValueCache.Numbers keys = cache.Read(1, 1, token / 32, areKeys: true, scaled: false, widen: true, singles, pages: null);
            Assert.Equal(PlainForm.Singles, keys.Form);
            for (int i = 0; i < size; i++)
            {
                Assert.Equal(key[i], ((float*)keys.Pointer)[i * 32 + token % 32], tolerance);
            }

            CpuKeyValueCache.Numbers values = cache.Read(1, 1, token / 32, areKeys: false, scaled: false, widen: true, singles, pages: null);
            for (int i = 0; i < size; i++)
            {
                Assert.Equal(value[i], ((float*)values.Pointer)[(i / 32 * 32 + token % 32) * 32 + i % 32], tolerance);
            }
        }
    }

    /// <summary>A number of 64 and more lowers its block; what was there stays the same, and so does what comes, in whatever form it is read.</summary>
    [Theory]
    [InlineData(1f)]
    [InlineData(64f)]
    [InlineData(-60000f)]
    public void Store_HalvesOfAnySize_ReadExactlyInEveryForm(float largest)
    {
        LlamaConfig config = TinyModels.Config with { HiddenSize = 160, HeadCount = 4, KeyValueHeadCount = 2, LayerCount = 2 };
        int size = config.HeadSize, padded = CpuKeyValueCache.PaddedHeadSize(config);
        using var cache = new CpuKeyValueCache(config, 100, WeightFormat.F16);
        cache.Reserve(32);
        float[][] keys = new float[32][], values = new float[32][];
        for (int token = 0; token < 32; token++)
        {
            (keys[token], values[token]) = (PackedStripe.Random(size, token), PackedStripe.Random(size, 1000 + token));
            (keys[token][5], values[token][7]) = (1e-6f, -3e-5f);                                           // subnormal
            (keys[token][2], values[token][size - 1]) = token == 17 ? (largest, -largest) : (0.1f, 0.2f);
            cache.Store(1, 1, token, keys[token], values[token]);
        }

        cache.Advance(32);
        using var fork = (CpuKeyValueCache)cache.Fork(32);
        float* singles = stackalloc float[32 * padded];
        foreach ((bool scaled, bool widen) in ((bool, bool)[])[(false, false), (false, true), (true, false), (true, true)])
        {
            float factor = scaled ? HalfBits.InPlaceOfRaised : 1;
            float[] read = Read(cache.Read(1, 1, 0, areKeys: true, scaled, widen, singles, pages: null), size), forked = Read(fork.Read(1, 1, 0, areKeys: true, scaled, widen, singles, pages: null), size);
            Assert.Equal(Enumerable.Range(0, size * 32).Select(i => (float)(Half)keys[i % 32][i / 32] * factor), read);
            Assert.Equal(read, forked);
            read = Read(cache.Read(1, 1, 0, areKeys: false, scaled, widen, singles, pages: null), padded);
            Assert.Equal(Enumerable.Range(0, size * 32).Select(i => (float)(Half)values[i % 32][i / 32] * factor), Enumerable.Range(0, size * 32).Select(i => read[(i / 1024 * 32 + i % 32) * 32 + i / 32 % 32]));
        }

        // As a kernel would widen them.
        static float[] Read(CpuKeyValueCache.Numbers numbers, int dimensions)
        {
            float[] read = new float[dimensions * 32];
            if (numbers.Form == PlainForm.Singles)
            {
                new ReadOnlySpan<float>(numbers.Pointer, read.Length).CopyTo(read);
                return read;
            }

            fixed (float* to = read)
            {
                PlainKernels.Widen(numbers.Form, numbers.Pointer, read.Length, to, default(NothingAhead));
            }

            return read;
        }
    }

    [Theory]
    [InlineData(WeightFormat.F16)]
    [InlineData(WeightFormat.Q8_0)]
    public void Store_NotFinite_IsNotHidden(WeightFormat format)
    {
        using var cache = new CpuKeyValueCache(TinyModels.Config, 100, format);
        int size = TinyModels.Config.HeadSize;
        float[] key = new float[size];
        key[1] = float.NaN;
        cache.Reserve(1);
        cache.Store(0, 0, 0, key, new float[size]);
        float* singles = stackalloc float[32 * CpuKeyValueCache.PaddedHeadSize(TinyModels.Config)];
        foreach (bool scaled in (bool[])[false, true])
        {
            CpuKeyValueCache.Numbers keys = cache.Read(0, 0, 0, areKeys: true, scaled, widen: true, singles, pages: null);
            Assert.False(float.IsFinite(((float*)keys.Pointer)[32]));
        }
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
