using System.Buffers.Binary;
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

    /// <summary>Decodes Q4_K.</summary>
    public static void DecodeQ4(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Q4Bytes; row = row[Q4Bytes..], destination = destination[Length..])
        {
            for (int group = 0; group < 8; group++)
            {
                (float scale, float minimum) = ScaleAndMinimum(row, group);
                BlockLanes.ScaleAndLower(IntegersQ4(row, group).AsSByte(), scale, minimum, destination[(32 * group)..]);
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

    /// <summary>Decodes Q5_K.</summary>
    public static void DecodeQ5(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Q5Bytes; row = row[Q5Bytes..], destination = destination[Length..])
        {
            for (int group = 0; group < 8; group++)
            {
                (float scale, float minimum) = ScaleAndMinimum(row, group);
                BlockLanes.ScaleAndLower(IntegersQ5(row, group).AsSByte(), scale, minimum, destination[(32 * group)..]);
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

    /// <summary>Decodes Q6_K.</summary>
    public static void DecodeQ6(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; row.Length >= Q6Bytes; row = row[Q6Bytes..], destination = destination[Length..])
        {
            float d = HalfBits.Read(row[208..]);
            for (int run = 0; run < 8; run++)
            {
                Vector256<sbyte> q = IntegersQ6(row, run).AsSByte() - Vector256.Create((sbyte)32);
                BlockLanes.Scale(q, d * (sbyte)row[192 + 2 * run], d * (sbyte)row[193 + 2 * run], destination[(32 * run)..]);
            }
        }
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

    /// <summary>The 256 integers of a block, as they are stored: without a sign.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Integers(WeightFormat format, ReadOnlySpan<byte> block, Span<byte> integers)
    {
        for (int run = 0; run < 8; run++)
        {
            Vector256<byte> q = format switch
            {
                WeightFormat.Q4_K => IntegersQ4(block, run),
                WeightFormat.Q5_K => IntegersQ5(block, run),
                _ => IntegersQ6(block, run),
            };
            q.CopyTo(integers[(32 * run)..]);
        }
    }

    /// <summary>The bits of d and of dmin, which Q6_K lacks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (ushort Scale, ushort Minimum) ScaleBits(WeightFormat format, ReadOnlySpan<byte> block) => format == WeightFormat.Q6_K
        ? (BinaryPrimitives.ReadUInt16LittleEndian(block[208..]), (ushort)0)
        : (BinaryPrimitives.ReadUInt16LittleEndian(block), BinaryPrimitives.ReadUInt16LittleEndian(block[2..]));

    /// <summary>The scale of a group, and its minimum where the format has one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (int Scale, int Minimum) SmallIntegers(WeightFormat format, ReadOnlySpan<byte> block, int group) =>
        format == WeightFormat.Q6_K ? ((sbyte)block[192 + group], 0) : SmallIntegers(block, group);

    /// <summary>Each 32 bytes of nibbles are two groups: the lower nibbles, then the upper.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> IntegersQ4(ReadOnlySpan<byte> block, int group) => Nibbles(block[16..], group / 2, group % 2);

    /// <summary>Q4_K with a fifth bit per weight; bit g of byte i belongs to weight i of group g.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> IntegersQ5(ReadOnlySpan<byte> block, int group) =>
        Nibbles(block[48..], group / 2, group % 2) | (Vector256.Create(block.Slice(16, 32)) >> group & Vector256<byte>.One) << 4;

    /// <summary>Each half of 128 weights is four runs of 32: lower, lower, upper, upper nibbles of 64 bytes, and bits 0, 2, 4, 6 of 32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> IntegersQ6(ReadOnlySpan<byte> block, int run) =>
        Nibbles(block, run / 4 * 2 + run % 2, run % 4 / 2) |
        (Vector256.Create(block.Slice(128 + run / 4 * 32, 32)) >> (2 * (run % 4)) & Vector256.Create((byte)3)) << 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Nibbles(ReadOnlySpan<byte> bytes, int index, int upper) =>
        Vector256.Create(bytes.Slice(32 * index, 32)) >> (4 * upper) & Vector256.Create((byte)15);

    /// <summary>The scale and the minimum of a group of Q4_K or Q5_K, multiplied out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (float Scale, float Minimum) ScaleAndMinimum(ReadOnlySpan<byte> block, int group)
    {
        (int scale, int minimum) = SmallIntegers(block, group);
        return (HalfBits.Read(block) * scale, HalfBits.Read(block[2..]) * minimum);
    }

    /// <summary>
    /// Twelve bytes hold eight scales and eight minima of 6 bits: groups 0…3 in the low 6 bits of bytes 0…3 and 4…7; groups 4…7 in the
    /// nibbles of bytes 8…11 (scale below, minimum above), with their upper 2 bits on top of bytes 0…3 and 4…7.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (int Scale, int Minimum) SmallIntegers(ReadOnlySpan<byte> block, int group)
    {
        ReadOnlySpan<byte> packed = block.Slice(4, 12);
        int scale = group < 4 ? packed[group] & 63 : packed[group + 4] & 15 | packed[group - 4] >> 6 << 4;
        int minimum = group < 4 ? packed[group + 4] & 63 : packed[group + 4] >> 4 | packed[group] >> 6 << 4;
        return (scale, minimum);
    }
}
