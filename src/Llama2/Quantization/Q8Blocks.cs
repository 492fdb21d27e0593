using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>Q8_0: a half-precision scale and 32 signed bytes; weight = scale · q.</summary>
/// <remarks>As in <see cref="PlainRows"/>, loops ask for the better code at once.</remarks>
internal static class Q8Blocks
{
    public const int Length = 32;
    public const int Bytes = 34;                                                           // [scale:2][q:32]
    private const float JustBelowHalf = 0.49999997f;                                       // 0.5 − 2⁻²⁵

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Bytes; row = row[Bytes..], destination = destination[Length..])
        {
            float scale = HalfBits.Read(row);
            BlockLanes.Scale(Vector256.Create(row[2..]).AsSByte(), scale, scale, destination);
        }
    }

    public static void DecodeScalar(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Bytes; row = row[Bytes..], destination = destination[Length..])
        {
            float scale = HalfBits.Read(row);
            for (int i = 0; i < Length; i++)
            {
                destination[i] = scale * (sbyte)row[2 + i];
            }
        }
    }

    /// <summary>Encodes with scale = largest magnitude ÷ 127. The integers come from the scale before it is rounded to a half, halves away from zero.</summary>
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
                (Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) = BlockLanes.Load(row[(start + block * Length)..]);
                scales[block] = BitConverter.Int32BitsToSingle(BlockLanes.LargestMagnitudeBits(a, b, c, d)) / 127;
            }

            BlockScale.Store(WeightFormat.Q8_0, row, start, blocks, scales, destination);
            for (int block = 0; block < blocks; block++, destination = destination[Bytes..])
            {
                (Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) = BlockLanes.Load(row[(start + block * Length)..]);
                Vector256<float> inverse = Vector256.Create(scales[block]);
                BlockLanes.Narrow(Round(a * inverse), Round(b * inverse), Round(c * inverse), Round(d * inverse)).AsByte().CopyTo(destination[2..]);
            }
        }

        // Adding just less than a half and cutting rounds halves away from zero, for every value this small; |q| ≤ 127 fits the narrowing.
        static Vector256<int> Round(Vector256<float> value) =>
            Vector256.ConvertToInt32Native(value + Vector256.CopySign(Vector256.Create(JustBelowHalf), value));
    }

    public static void EncodeScalar(ReadOnlySpan<float> row, Span<byte> destination)
    {
        for (int start = 0; start < row.Length; start += Length, destination = destination[Bytes..])
        {
            ReadOnlySpan<float> block = row.Slice(start, Length);
            float largest = 0;
            foreach (float weight in block)
            {
                largest = MathF.Max(largest, MathF.Abs(weight));
            }

            float inverse = BlockScale.Store(WeightFormat.Q8_0, row, start, largest / 127, destination);
            for (int i = 0; i < Length; i++)
            {
                destination[2 + i] = (byte)(sbyte)MathF.Round(block[i] * inverse, MidpointRounding.AwayFromZero);
            }
        }
    }
}
