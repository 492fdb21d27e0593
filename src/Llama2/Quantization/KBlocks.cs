using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>The K formats: 256 weights in groups with small integer scales of their own.</summary>
/// <remarks>
/// Q4_K and Q5_K: weight = (d · scale) · q − dmin · minimum, eight groups of 32. Q6_K: weight = (d · scale) · q, sixteen groups of 16.
/// Every product is rounded to a float before the next operation, with every instruction set.
/// </remarks>
internal static class KBlocks
{
    public const int Length = 256;
    public const int Q4Bytes = 144;                                                        // [d:2][dmin:2][scales and minima:12][nibbles:128]
    public const int Q5Bytes = 176;                                                        // [d:2][dmin:2][scales and minima:12][fifth bits:32][nibbles:128]
    public const int Q6Bytes = 210;                                                        // [nibbles:128][upper bits:64][scales:16][d:2]

    /// <summary>Decodes Q4_K. Each 32 bytes of nibbles are two groups: the lower nibbles, then the upper.</summary>
    public static void DecodeQ4(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Q4Bytes; row = row[Q4Bytes..], destination = destination[Length..])
        {
            for (int pair = 0; pair < 4; pair++)
            {
                Vector256<byte> nibbles = Vector256.Create(row.Slice(16 + 32 * pair, 32));
                DecodePair(row, pair, nibbles & Vector256.Create((byte)15), nibbles >> 4, destination.Slice(64 * pair, 64));
            }
        }
    }

    public static void DecodeQ4Scalar(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Q4Bytes; row = row[Q4Bytes..], destination = destination[Length..])
        {
            for (int group = 0; group < 8; group++)
            {
                (float scale, float minimum) = ScaleAndMinimum(row, group);
                for (int i = 0; i < 32; i++)
                {
                    int nibble = row[16 + group / 2 * 32 + i] >> (group % 2 * 4) & 15;
                    destination[32 * group + i] = scale * nibble - minimum;
                }
            }
        }
    }

    /// <summary>Decodes Q5_K: Q4_K with a fifth bit per weight; bit g of byte i belongs to weight i of group g.</summary>
    public static void DecodeQ5(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Q5Bytes; row = row[Q5Bytes..], destination = destination[Length..])
        {
            Vector256<byte> fifth = Vector256.Create(row.Slice(16, 32));
            for (int pair = 0; pair < 4; pair++)
            {
                Vector256<byte> nibbles = Vector256.Create(row.Slice(48 + 32 * pair, 32));
                Vector256<byte> low = nibbles & Vector256.Create((byte)15) | (fifth >> (2 * pair) & Vector256<byte>.One) << 4;
                Vector256<byte> high = nibbles >> 4 | (fifth >> (2 * pair + 1) & Vector256<byte>.One) << 4;
                DecodePair(row, pair, low, high, destination.Slice(64 * pair, 64));
            }
        }
    }

    public static void DecodeQ5Scalar(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Q5Bytes; row = row[Q5Bytes..], destination = destination[Length..])
        {
            for (int group = 0; group < 8; group++)
            {
                (float scale, float minimum) = ScaleAndMinimum(row, group);
                for (int i = 0; i < 32; i++)
                {
                    int nibble = row[48 + group / 2 * 32 + i] >> (group % 2 * 4) & 15, fifth = row[16 + i] >> group & 1;
                    destination[32 * group + i] = scale * (nibble | fifth << 4) - minimum;
                }
            }
        }
    }

    /// <summary>Decodes Q6_K. Each half of 128 weights is four runs of 32: lower, lower, upper, upper nibbles of 64 bytes, and bits 0, 2, 4, 6 of 32.</summary>
    public static void DecodeQ6(ReadOnlySpan<byte> row, Span<float> destination)
    {
        Vector256<byte> lowNibble = Vector256.Create((byte)15), twoBits = Vector256.Create((byte)3);
        for (; row.Length >= Q6Bytes; row = row[Q6Bytes..], destination = destination[Length..])
        {
            float d = HalfBits.Read(row[208..]);
            for (int half = 0; half < 2; half++)
            {
                ReadOnlySpan<byte> scales = row.Slice(192 + 8 * half, 8);
                Vector256<byte> first = Vector256.Create(row.Slice(64 * half, 32)), second = Vector256.Create(row.Slice(64 * half + 32, 32));
                Vector256<byte> upper = Vector256.Create(row.Slice(128 + 32 * half, 32));
                Store(first & lowNibble | (upper & twoBits) << 4, 0, d, scales, destination[(128 * half)..]);
                Store(second & lowNibble | (upper >> 2 & twoBits) << 4, 1, d, scales, destination[(128 * half)..]);
                Store(first >> 4 | (upper >> 4 & twoBits) << 4, 2, d, scales, destination[(128 * half)..]);
                Store(second >> 4 | upper >> 6 << 4, 3, d, scales, destination[(128 * half)..]);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Store(Vector256<byte> q, int run, float d, ReadOnlySpan<byte> scales, Span<float> destination) => BlockLanes.Scale(
            q.AsSByte() - Vector256.Create((sbyte)32), d * (sbyte)scales[2 * run], d * (sbyte)scales[2 * run + 1], destination.Slice(32 * run, 32));
    }

    public static void DecodeQ6Scalar(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Q6Bytes; row = row[Q6Bytes..], destination = destination[Length..])
        {
            float d = HalfBits.Read(row[208..]);
            for (int i = 0; i < Length; i++)
            {
                int half = i / 128, run = i % 128 / 32, lane = i % 32;
                int nibble = row[64 * half + run % 2 * 32 + lane] >> (run / 2 * 4) & 15, upper = row[128 + 32 * half + lane] >> (2 * run) & 3;
                destination[i] = d * (sbyte)row[192 + i / 16] * ((nibble | upper << 4) - 32);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodePair(ReadOnlySpan<byte> block, int pair, Vector256<byte> low, Vector256<byte> high, Span<float> destination)
    {
        (float scale, float minimum) = ScaleAndMinimum(block, 2 * pair);
        BlockLanes.ScaleAndLower(low.AsSByte(), scale, minimum, destination);
        (scale, minimum) = ScaleAndMinimum(block, 2 * pair + 1);
        BlockLanes.ScaleAndLower(high.AsSByte(), scale, minimum, destination[32..]);
    }

    /// <summary>The scale and the minimum of a group of Q4_K or Q5_K, multiplied out.</summary>
    /// <remarks>
    /// Twelve bytes hold eight scales and eight minima of 6 bits: groups 0…3 in the low 6 bits of bytes 0…3 and 4…7; groups 4…7 in the
    /// nibbles of bytes 8…11 (scale below, minimum above), with their upper 2 bits on top of bytes 0…3 and 4…7.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (float Scale, float Minimum) ScaleAndMinimum(ReadOnlySpan<byte> block, int group)
    {
        ReadOnlySpan<byte> packed = block.Slice(4, 12);
        int scale = group < 4 ? packed[group] & 63 : packed[group + 4] & 15 | packed[group - 4] >> 6 << 4;
        int minimum = group < 4 ? packed[group + 4] & 63 : packed[group + 4] >> 4 | packed[group] >> 6 << 4;
        return (HalfBits.Read(block) * scale, HalfBits.Read(block[2..]) * minimum);
    }
}
