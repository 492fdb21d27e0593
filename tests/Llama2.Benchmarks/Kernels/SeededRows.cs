namespace Llama2.Benchmarks;

/// <summary>Operands of the benchmarks: the same numbers in every run.</summary>
internal static unsafe class SeededRows
{
    /// <summary>Fills with numbers around zero, as weights and activations are.</summary>
    public static void Fill(Span<float> values, int seed)
    {
        var random = new Random(seed);
        foreach (ref float value in values)
        {
            value = (float)(random.NextDouble() + random.NextDouble() - 1);
        }
    }

    /// <summary>A packed matrix of whole stripes. K-quants, which are only read, are made of random bytes: they take as long as others.</summary>
    public static WeightMatrix Packed(WeightFormat format, int rows, int columns)
    {
        int rowBytes = (int)format.RowBytes(columns);
        float[] weights = new float[columns];
        using var stored = new AlignedMemory((long)rows * rowBytes);
        for (int row = 0; row < rows; row++)
        {
            var encoded = new Span<byte>(stored.Pointer + row * (nint)rowBytes, rowBytes);
            if (WeightCodec.CanEncode(format))
            {
                Fill(weights, row);
                WeightCodec.Encode(format, weights, encoded);
            }
            else
            {
                new Random(row).NextBytes(encoded);
            }
        }

        var packed = new AlignedMemory(WeightMatrix.PackedBytes(format, rows, columns));
        long stripeBytes = StripePacker.StripeBytes(format, columns);
        bool[] ordinary = new bool[WeightMatrix.StripesOf(rows)];
        for (int stripe = 0; stripe < ordinary.Length; stripe++)
        {
            ordinary[stripe] = StripePacker.Pack(
                format, new FileRows(stored.Pointer + (nint)stripe * WeightMatrix.StripeRows * rowBytes, rowBytes, WeightMatrix.StripeRows), columns, packed.Pointer + stripe * (nint)stripeBytes);
        }

        return new WeightMatrix(format, rows, columns, packed, ordinary);
    }
}
