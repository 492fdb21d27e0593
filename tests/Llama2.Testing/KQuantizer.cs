namespace Llama2.Testing;

/// <summary>Makes K-quants, which the product only reads. Every group goes by its own extremes, without a search for better scales.</summary>
public static class KQuantizer
{
    /// <summary>Encodes one row in any format, K-quants included.</summary>
    public static void Encode(WeightFormat format, ReadOnlySpan<float> row, Span<byte> destination)
    {
        if (format is not (WeightFormat.Q4_K or WeightFormat.Q5_K or WeightFormat.Q6_K))
        {
            WeightCodec.Encode(format, row, destination);
            return;
        }

        destination.Clear();
        for (; row.Length > 0; row = row[KBlocks.Length..], destination = destination[format.BlockBytes()..])
        {
            if (format == WeightFormat.Q6_K)
            {
                EncodeQ6(row[..KBlocks.Length], destination);
            }
            else
            {
                EncodeWithMinima(format, row[..KBlocks.Length], destination);
            }
        }
    }

    private static void EncodeWithMinima(WeightFormat format, ReadOnlySpan<float> weights, Span<byte> block)
    {
        int most = format == WeightFormat.Q4_K ? 15 : 31;
        float[] scales = new float[8], minima = new float[8];
        for (int group = 0; group < 8; group++)
        {
            float lowest = 0, highest = 0;
            foreach (float weight in weights.Slice(32 * group, 32))
            {
                (lowest, highest) = (MathF.Min(lowest, weight), MathF.Max(highest, weight));
            }

            (scales[group], minima[group]) = ((highest - lowest) / most, -lowest);
        }

        float d = Write(block, scales.Max() / 63), least = Write(block[2..], minima.Max() / 63);
        for (int group = 0; group < 8; group++)
        {
            int scale = Round(scales[group] / d, 0, 63), minimum = Round(minima[group] / least, 0, 63);
            if (group < 4)
            {
                (block[4 + group], block[8 + group]) = ((byte)scale, (byte)minimum);
            }
            else
            {
                block[8 + group] = (byte)(scale & 15 | minimum << 4);
                block[group] |= (byte)(scale >> 4 << 6);
                block[4 + group] |= (byte)(minimum >> 4 << 6);
            }

            for (int i = 0; i < 32; i++)
            {
                int q = Round((weights[32 * group + i] + least * minimum) / (d * scale), 0, most);
                block[(format == WeightFormat.Q4_K ? 16 : 48) + group / 2 * 32 + i] |= (byte)((q & 15) << (group % 2 * 4));
                block[16 + i] |= format == WeightFormat.Q4_K ? (byte)0 : (byte)(q >> 4 << group);
            }
        }
    }

    private static void EncodeQ6(ReadOnlySpan<float> weights, Span<byte> block)
    {
        float[] scales = new float[16];
        for (int i = 0; i < KBlocks.Length; i++)
        {
            scales[i / 16] = MathF.Max(scales[i / 16], MathF.Abs(weights[i]) / 31);
        }

        float d = Write(block[208..], -scales.Max() / 127);                   // signs of every kind: d, scale and integer
        for (int i = 0; i < KBlocks.Length; i++)
        {
            int group = i / 16, half = i / 128, run = i % 128 / 32, lane = i % 32;
            int scale = Round(-scales[group] / d, 0, 127) * (group % 2 == 0 ? 1 : -1), q = Round(weights[i] / (d * scale), -32, 31) + 32;
            block[192 + group] = (byte)scale;
            block[64 * half + run % 2 * 32 + lane] |= (byte)((q & 15) << (run / 2 * 4));
            block[128 + 32 * half + lane] |= (byte)(q >> 4 << (2 * run));
        }
    }

    /// <summary>Stores a half and gives back what it is then.</summary>
    private static float Write(Span<byte> field, float value)
    {
        HalfBits.Write(field, value);
        return HalfBits.Read(field);
    }

    private static int Round(float value, int least, int most) => float.IsNaN(value) ? least : (int)Math.Clamp(MathF.Round(value), least, most);
}
