namespace Llama2.Tests;

/// <summary>K blocks against a reference in double precision that unpacks every field first, from the format's published layout.</summary>
public class KBlocksTests
{
    [Theory]
    [InlineData(WeightFormat.Q4_K)]
    [InlineData(WeightFormat.Q5_K)]
    public void Decode_ScalesAndMinima_EqualTheDoublePrecisionReference(WeightFormat format)
    {
        var random = new Random(31);
        for (int trial = 0; trial < 200; trial++)
        {
            byte[] block = RandomBlock(random, format, halves: [0, 2]);
            Check(block, format, format == WeightFormat.Q4_K ? ReferenceQ4(block) : ReferenceQ5(block));
        }
    }

    [Fact]
    public void Decode_Q6_EqualsTheDoublePrecisionReference()
    {
        var random = new Random(37);
        for (int trial = 0; trial < 200; trial++)
        {
            byte[] block = RandomBlock(random, WeightFormat.Q6_K, halves: [208]);
            Check(block, WeightFormat.Q6_K, ReferenceQ6(block));
        }
    }

    [Fact]
    public void Decode_OneFieldSet_LandsWhereTheLayoutSays()
    {
        byte[] block = new byte[KBlocks.Q4Bytes];
        HalfBits.Write(block, 1);
        (block[4 + 3], block[16 + 32 + 7]) = (0x2A, 0x90);                                 // scale of group 3 is 42; group 3 lies in the upper nibbles
        float[] weights = new float[256];
        WeightCodec.Decode(WeightFormat.Q4_K, block, weights);
        Assert.Equal(42 * 9, weights[3 * 32 + 7]);
        Assert.Equal(42 * 9, weights.Sum());

        block = new byte[KBlocks.Q6Bytes];
        HalfBits.Write(block.AsSpan(208), 0.5f);
        (block[192 + 8 + 5], block[64 + 3], block[128 + 32 + 3]) = (unchecked((byte)-3), 0x70, 0x20);
        WeightCodec.Decode(WeightFormat.Q6_K, block, weights);
        Assert.Equal(0.5f * -3 * -32, weights[128 + 64 + 16 + 3]);                         // group 13, nothing set
        Assert.Equal(0, weights[128 + 64 + 3]);                                            // group 12 has scale 0, whatever q is
        block[192 + 8 + 4] = 2;
        WeightCodec.Decode(WeightFormat.Q6_K, block, weights);
        Assert.Equal(0.5f * 2 * ((7 | 2 << 4) - 32), weights[128 + 64 + 3]);
    }

    private static byte[] RandomBlock(Random random, WeightFormat format, int[] halves)
    {
        byte[] block = new byte[format.BlockBytes()];
        random.NextBytes(block);
        foreach (int offset in halves)
        {
            HalfBits.Write(block.AsSpan(offset), (random.NextSingle() - 0.5f) / 50);
        }

        return block;
    }

    private static void Check(byte[] block, WeightFormat format, double[] expected)
    {
        float[] weights = new float[256];
        WeightCodec.Decode(format, block, weights);
        double largest = expected.Max(Math.Abs);
        for (int i = 0; i < 256; i++)
        {
            Assert.True(Math.Abs(weights[i] - expected[i]) <= 4e-7 * largest, $"weight {i}: {weights[i]} for {expected[i]}");
        }
    }

    private static double[] ReferenceQ4(byte[] block)
    {
        (double[] scales, double[] minima) = SixBitFields(block);
        double d = Half(block, 0), least = Half(block, 2);
        return [.. Enumerable.Range(0, 256).Select(i => d * scales[i / 32] * Nibble(block, 16, i) - least * minima[i / 32])];
    }

    private static double[] ReferenceQ5(byte[] block)
    {
        (double[] scales, double[] minima) = SixBitFields(block);
        double d = Half(block, 0), least = Half(block, 2);
        return [.. Enumerable.Range(0, 256).Select(i =>
        {
            int fifth = block[16 + i % 32] / (1 << (i / 32)) % 2;
            return d * scales[i / 32] * (Nibble(block, 48, i) + 16 * fifth) - least * minima[i / 32];
        })];
    }

    private static double[] ReferenceQ6(byte[] block)
    {
        var q = new int[256];
        for (int half = 0; half < 2; half++)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                int first = block[64 * half + lane], second = block[64 * half + 32 + lane], upper = block[128 + 32 * half + lane];
                q[128 * half + lane] = first % 16 + upper % 4 * 16;
                q[128 * half + 32 + lane] = second % 16 + upper / 4 % 4 * 16;
                q[128 * half + 64 + lane] = first / 16 + upper / 16 % 4 * 16;
                q[128 * half + 96 + lane] = second / 16 + upper / 64 * 16;
            }
        }

        return [.. q.Select((value, i) => Half(block, 208) * (sbyte)block[192 + i / 16] * (value - 32))];
    }

    /// <summary>Reads the twelve bytes as the tables of the layout show them: eight scales, eight minima.</summary>
    private static (double[] Scales, double[] Minima) SixBitFields(byte[] block)
    {
        byte[] b = block[4..16];
        double[] scales = [b[0] % 64, b[1] % 64, b[2] % 64, b[3] % 64,
            b[8] % 16 + b[0] / 64 * 16, b[9] % 16 + b[1] / 64 * 16, b[10] % 16 + b[2] / 64 * 16, b[11] % 16 + b[3] / 64 * 16];
        double[] minima = [b[4] % 64, b[5] % 64, b[6] % 64, b[7] % 64,
            b[8] / 16 + b[4] / 64 * 16, b[9] / 16 + b[5] / 64 * 16, b[10] / 16 + b[6] / 64 * 16, b[11] / 16 + b[7] / 64 * 16];
        return (scales, minima);
    }

    /// <summary>Weight i of 256: 32 bytes hold the lower nibbles of one group, then the upper ones of the next.</summary>
    private static int Nibble(byte[] block, int offset, int i)
    {
        int value = block[offset + i / 64 * 32 + i % 32];
        return i % 64 < 32 ? value % 16 : value / 16;
    }

    private static double Half(byte[] block, int offset) => (double)BitConverter.ToHalf(block, offset);
}
