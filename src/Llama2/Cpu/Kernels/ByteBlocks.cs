using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>Blocks of 32 rows of bytes whose scales go along the columns or along the rows, as singles: keys and values of a cache in 8 bits.</summary>
internal static unsafe class ByteBlocks
{
    private const int Width = FloatTiles.StripeRows;

    /// <summary>singles[r, c] = bytes[r, c] · scales[c] for rows of 32.</summary>
    /// <param name="bytes">[rows, 32].</param>
    /// <param name="scales">[32] halves.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="singles">[rows, 32].</param>
    public static void ScaleColumns(sbyte* bytes, ushort* scales, int rows, float* singles)
    {
        if (Floats512.IsSupported)
        {
            ScaleColumns<Floats512>(bytes, scales, rows, singles);
        }
        else if (Floats256.IsSupported)
        {
            ScaleColumns<Floats256>(bytes, scales, rows, singles);
        }
        else if (Floats128.IsSupported)
        {
            ScaleColumns<Floats128>(bytes, scales, rows, singles);
        }
        else
        {
            ScaleColumns<Floats32>(bytes, scales, rows, singles);
        }
    }

    /// <summary>singles[r, c] = bytes[r, c] · scales[r] for rows of 32.</summary>
    /// <param name="bytes">[rows, 32].</param>
    /// <param name="scales">[rows] halves.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="singles">[rows, 32].</param>
    public static void ScaleRows(sbyte* bytes, ushort* scales, int rows, float* singles)
    {
        if (Floats512.IsSupported)
        {
            ScaleRows<Floats512>(bytes, scales, rows, singles);
        }
        else if (Floats256.IsSupported)
        {
            ScaleRows<Floats256>(bytes, scales, rows, singles);
        }
        else if (Floats128.IsSupported)
        {
            ScaleRows<Floats128>(bytes, scales, rows, singles);
        }
        else
        {
            ScaleRows<Floats32>(bytes, scales, rows, singles);
        }
    }

    /// <summary>Stores up to 32 numbers as bytes with one scale: the largest magnitude ÷ 127, as a half; rounded to the nearest, ties to even.</summary>
    /// <param name="values">The numbers.</param>
    /// <param name="bytes">As many places, <paramref name="stride"/> apart.</param>
    /// <param name="stride">Distance of two bytes.</param>
    /// <returns>The scale's bits; infinite or not a number where a value is not finite or too large.</returns>
    public static ushort Store(ReadOnlySpan<float> values, sbyte* bytes, nint stride)
    {
        float largest = 0;
        foreach (float value in values)
        {
            float magnitude = MathF.Abs(value);
            largest = magnitude > largest || float.IsNaN(magnitude) ? magnitude : largest;
        }

        ushort bits = BitConverter.HalfToUInt16Bits((Half)(largest / 127));
        float inverse = 1 / HalfBits.ToSingle(bits);
        for (int i = 0; i < values.Length; i++)
        {
            float scaled = float.IsFinite(inverse) ? MathF.Round(values[i] * inverse) : 0;
            bytes[i * stride] = (sbyte)Math.Clamp(scaled, -127, 127);
        }

        return bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleColumns<TFloats>(sbyte* bytes, ushort* scales, int rows, float* singles)
        where TFloats : struct, IFloatLanes<TFloats>
    {
        for (int column = 0; column < Width; column += TFloats.Count)
        {
            TFloats scale = TFloats.LoadHalves(scales + column);
            for (int at = column; at < rows * Width; at += Width)
            {
                TFloats.Store(TFloats.Multiply(TFloats.LoadBytes(bytes + at), scale), singles + at);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleRows<TFloats>(sbyte* bytes, ushort* scales, int rows, float* singles)
        where TFloats : struct, IFloatLanes<TFloats>
    {
        for (int row = 0; row < rows; row++, bytes += Width, singles += Width)
        {
            TFloats scale = TFloats.Broadcast(HalfBits.ToSingle(scales[row]));
            for (int column = 0; column < Width; column += TFloats.Count)
            {
                TFloats.Store(TFloats.Multiply(TFloats.LoadBytes(bytes + column), scale), singles + column);
            }
        }
    }
}
