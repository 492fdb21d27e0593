using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>Rows of F16 and BF16 weights between their order in a file and that of <see cref="ShortTiles"/>: block floating point.</summary>
/// <remarks>
/// The 32 weights of a block of a row are integers of at most 2¹⁴ with a common power of two. The last bit is worth 2⁻¹³ of the power of two in the largest weight, or where the root of
/// the sum of squares exceeds <see cref="ShortTile.MostOfWeights"/> twice or four times that. Most weights keep all their bits; small ones beside large ones are rounded to the nearest.
/// Columns that the matrix lacks are zeros.
/// </remarks>
internal static unsafe class ShortStripes
{
    private const int Length = ShortTile.BlockLength;
    private const int BlocksAtOnce = 8;                                       // what is written stays in the first cache
    private const int RowsAtOnce = 4;

    private const int FractionBits = 23;                                      // of a single
    private const int NotFinite = 255;                                        // its exponent
    private const int Scaled = 13;                                            // bits that a number from 1 to 2 is shifted by: the integers go up to 2¹⁴
    private const int LeastExponent = Scaled + 1;                             // so that the power of two is a normal number
    private const int TwiceBias = 2 * 127;

    /// <summary>Packs up to 32 rows; the others stay what they are.</summary>
    /// <param name="format">F16 or BF16.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">Weights of a row.</param>
    /// <param name="stripe">The stripe.</param>
    /// <returns>False if a weight is not finite; the stripe is then spoilt.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool Pack(WeightFormat format, FileRows rows, int columns, byte* stripe)
    {
        short* values = stackalloc short[RowsAtOnce * Length];
        ushort* rest = stackalloc ushort[Length];                             // the end of a row, filled up with zeros
        bool finite = true;
        for (int start = 0, blocks = ShortTile.BlocksOf(columns); start < blocks; start += BlocksAtOnce)
        {
            rows.FetchNext((nint)start * Length * sizeof(ushort), BlocksAtOnce * Length * sizeof(ushort));
            for (int first = 0; first < rows.Count; first += RowsAtOnce)
            {
                int taken = Math.Min(RowsAtOnce, rows.Count - first);
                for (int block = start; block < Math.Min(start + BlocksAtOnce, blocks); block++)
                {
                    byte* exponents = ShortTiles.Exponents(stripe, block) + first, to = ShortTiles.Weights(stripe, block) + first * ShortTiles.PairBytes;
                    for (int row = 0; row < taken; row++)
                    {
                        ushort* from = (ushort*)rows[first + row] + block * Length;
                        if (columns - block * Length is > 0 and < Length and int left)
                        {
                            new Span<ushort>(rest, Length).Clear();
                            new ReadOnlySpan<ushort>(from, left).CopyTo(new Span<ushort>(rest, Length));
                            from = rest;
                        }

                        int exponent = Encode(format, from, values + row * Length);
                        exponents[row] = (byte)exponent;
                        finite &= exponent != NotFinite;
                    }

                    Transpose(values, taken, to);
                }
            }
        }

        return finite;
    }

    /// <summary>Reads one row of a packed stripe as floats.</summary>
    public static void ReadRow(byte* stripe, int row, Span<float> destination)
    {
        for (int column = 0; column < destination.Length; column++)
        {
            int block = column / Length, within = column % Length;
            short* pair = (short*)(ShortTiles.Weights(stripe, block) + within / 2 * ShortTiles.LineBytes + row * ShortTiles.PairBytes);
            destination[column] = pair[within % 2] * PowerOfTwo(ShortTiles.Exponents(stripe, block)[row]);
        }
    }

    /// <summary>Rounds a row as packing it would; blocks with a weight that is not finite stay as they are.</summary>
    public static void Round(Span<float> row)
    {
        Span<float> block = stackalloc float[Length];
        for (; row.Length > 0; row = row[Math.Min(Length, row.Length)..])
        {
            block.Clear();
            row[..Math.Min(Length, row.Length)].CopyTo(block);
            (Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) = BlockLanes.Load(block);
            int exponent = SharedExponent(a, b, c, d);
            if (exponent != NotFinite)
            {
                for (int i = 0; i < row.Length && i < Length; i++)
                {
                    row[i] = MathF.Round(row[i] * PowerOfTwo(TwiceBias - exponent)) * PowerOfTwo(exponent);
                }
            }
        }
    }

    /// <summary>Makes integers of a block of one row.</summary>
    /// <param name="format">F16 or BF16.</param>
    /// <param name="from">The weights.</param>
    /// <param name="values">The integers.</param>
    /// <returns>See <see cref="SharedExponent"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Encode(WeightFormat format, ushort* from, short* values)
    {
        (Vector256<float> a, Vector256<float> b) = Load(format, from);
        (Vector256<float> c, Vector256<float> d) = Load(format, from + Length / 2);
        int exponent = SharedExponent(a, b, c, d);
        float factor = PowerOfTwo(TwiceBias - exponent);
        Vector256.Narrow(BlockLanes.Round(a * factor), BlockLanes.Round(b * factor)).Store(values);
        Vector256.Narrow(BlockLanes.Round(c * factor), BlockLanes.Round(d * factor)).Store(values + Length / 2);
        return exponent;
    }

    /// <summary>What the integers of a block are multiples of: an exponent as a single stores it.</summary>
    /// <returns><see cref="NotFinite"/> where a weight is not finite.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SharedExponent(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d)
    {
        const float Most = (float)ShortTile.MostOfWeights * ShortTile.MostOfWeights;
        int largest = BlockLanes.LargestMagnitudeBits(a, b, c, d) >> FractionBits;
        if (largest == NotFinite)
        {
            return NotFinite;
        }

        int exponent = Math.Max(largest, LeastExponent) - Scaled;
        float factor = PowerOfTwo(TwiceBias - exponent);
        float squares = BlockLanes.SquareSum(a * factor, b * factor, c * factor, d * factor);
        return exponent + (squares <= Most ? 0 : squares <= 4 * Most ? 1 : 2);
    }

    /// <summary>2^(exponent − 127); of twice 127 less an exponent it is the inverse.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float PowerOfTwo(int exponent) => BitConverter.Int32BitsToSingle(exponent << FractionBits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> First, Vector256<float> Second) Load(WeightFormat format, ushort* from)
    {
        if (format == WeightFormat.F16)
        {
            (Vector256<int> first, Vector256<int> second) = Vector256.Widen(Vector256.Load((short*)from));
            return (HalfBits.ToSingle(first), HalfBits.ToSingle(second));
        }

        (Vector256<uint> lower, Vector256<uint> upper) = Vector256.Widen(Vector256.Load(from));
        return ((lower << 16).AsSingle(), (upper << 16).AsSingle());
    }

    /// <summary>Brings up to four rows of a block to their places, pair by pair.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(short* values, int rows, byte* to)
    {
        if (rows == RowsAtOnce && Words128.IsSupported)
        {
            for (int pair = 0; pair < Length / 2; pair += 4, to += 4 * ShortTiles.LineBytes)
            {
                (Words128 a, Words128 b, Words128 c, Words128 d) = Words128.Transpose((byte*)(values + 2 * pair), Length * sizeof(short));
                Words128.Store(a, to);
                Words128.Store(b, to + ShortTiles.LineBytes);
                Words128.Store(c, to + 2 * ShortTiles.LineBytes);
                Words128.Store(d, to + 3 * ShortTiles.LineBytes);
            }

            return;
        }

        for (int row = 0; row < rows; row++)
        {
            for (int pair = 0; pair < Length / 2; pair++)
            {
                ((int*)(to + pair * ShortTiles.LineBytes))[row] = ((int*)(values + row * Length))[pair];
            }
        }
    }
}
