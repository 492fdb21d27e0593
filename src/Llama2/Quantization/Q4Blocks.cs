using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>Q4_0: a half-precision scale and 32 nibbles; weight = scale · (nibble − 8). Byte i holds weight i below and weight i + 16 above.</summary>
/// <remarks>As in <see cref="PlainRows"/>, loops ask for the better code at once.</remarks>
internal static class Q4Blocks
{
    public const int Length = 32;
    public const int Bytes = 18;                                                           // [scale:2][nibbles:16]

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Bytes; row = row[Bytes..], destination = destination[Length..])
        {
            float scale = HalfBits.Read(row);
            Vector128<byte> pairs = Vector128.Create(row[2..]);
            Vector256<byte> nibbles = Vector256.Create(pairs & Vector128.Create((byte)15), pairs >> 4);
            BlockLanes.Scale(nibbles.AsSByte() - Vector256.Create((sbyte)8), scale, scale, destination);
        }
    }

    public static void DecodeScalar(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Bytes; row = row[Bytes..], destination = destination[Length..])
        {
            float scale = HalfBits.Read(row);
            for (int i = 0; i < Length / 2; i++)
            {
                destination[i] = scale * ((row[2 + i] & 15) - 8);
                destination[i + 16] = scale * ((row[2 + i] >> 4) - 8);
            }
        }
    }

    /// <summary>Encodes with scale = the weight of largest magnitude (the first of equals, with its sign) ÷ −8, so that weight is exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Encode(ReadOnlySpan<float> row, Span<byte> destination)
    {
        Span<float> scales = stackalloc float[BlockScale.AtOnce];
        for (int start = 0; start < row.Length; start += BlockScale.AtOnce * Length)
        {
            int blocks = Math.Min(BlockScale.AtOnce, (row.Length - start) / Length);
            scales.Clear();
            for (int block = 0; block < blocks; block++)
            {
                ReadOnlySpan<float> weights = row[(start + block * Length)..];
                (Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) = BlockLanes.Load(weights);
                Vector256<int> largest = Vector256.Create(BlockLanes.LargestMagnitudeBits(a, b, c, d));
                uint equals = Where(a, largest) | Where(b, largest) << 8 | Where(c, largest) << 16 | Where(d, largest) << 24;
                scales[block] = weights[BitOperations.TrailingZeroCount(equals)] / -8;
            }

            BlockScale.Store(WeightFormat.Q4_0, row, start, blocks, scales, destination);
            for (int block = 0; block < blocks; block++, destination = destination[Bytes..])
            {
                (Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) = BlockLanes.Load(row[(start + block * Length)..]);
                Vector256<float> inverse = Vector256.Create(scales[block]);
                Vector128<byte> low = Vector128.Narrow(Narrow(Round(a * inverse)), Narrow(Round(b * inverse))).AsByte();
                Vector128<byte> high = Vector128.Narrow(Narrow(Round(c * inverse)), Narrow(Round(d * inverse))).AsByte();
                (low | high << 4).CopyTo(destination[2..]);
            }
        }

        static uint Where(Vector256<float> values, Vector256<int> magnitude) =>
            Vector256.Equals(Vector256.Abs(values).AsInt32(), magnitude).ExtractMostSignificantBits();

        // −8 … 8 → 0 … 15: cutting rounds, since no sum is negative; the one 16, opposite to the largest weight, is cut to 15.
        static Vector256<int> Round(Vector256<float> value) =>
            Vector256.Min(Vector256.ConvertToInt32Native(value + Vector256.Create(8.5f)), Vector256.Create(15));

        static Vector128<short> Narrow(Vector256<int> value) => Vector128.Narrow(value.GetLower(), value.GetUpper());
    }

    public static void EncodeScalar(ReadOnlySpan<float> row, Span<byte> destination)
    {
        for (int start = 0; start < row.Length; start += Length, destination = destination[Bytes..])
        {
            ReadOnlySpan<float> block = row.Slice(start, Length);
            float largest = 0;
            foreach (float weight in block)
            {
                largest = float.IsNaN(weight) || MathF.Abs(weight) > MathF.Abs(largest) ? weight : largest;
            }

            float inverse = BlockScale.Store(WeightFormat.Q4_0, row, start, largest / -8, destination);
            for (int i = 0; i < Length / 2; i++)
            {
                int low = Math.Min(15, (int)(block[i] * inverse + 8.5f)), high = Math.Min(15, (int)(block[i + 16] * inverse + 8.5f));
                destination[2 + i] = (byte)(low | high << 4);
            }
        }
    }
}
