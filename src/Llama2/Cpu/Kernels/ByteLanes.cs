using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>A register of small integers in groups of four: lane r holds four columns of weight row r, or the same four values of an input.</summary>
/// <remarks>
/// Weights are stored unsigned (byte = weight + 128, nibble = weight + 8). What the offset adds to a dot product is known from the input alone
/// and taken off when a sum starts. Sums over a block of 32 columns are exact integers, whatever the instructions: on the way they may leave their 16 bits
/// and come back.
/// </remarks>
/// <typeparam name="TSelf">The register.</typeparam>
/// <typeparam name="TFloats">A register with a float for each row.</typeparam>
internal unsafe interface IByteLanes<TSelf, TFloats>
    where TSelf : struct, IByteLanes<TSelf, TFloats>
    where TFloats : struct, IFloatLanes<TFloats>
{
    /// <summary>Whether the processor has the instructions.</summary>
    static abstract bool IsSupported { get; }

    static abstract TSelf Load(byte* weights);

    /// <summary>Loaded weights of one byte each, ready for <see cref="Add"/>.</summary>
    static abstract TSelf Bytes(TSelf weights);

    static abstract TSelf LowNibbles(TSelf weights);

    static abstract TSelf HighNibbles(TSelf weights);

    /// <summary>Four values of an input, in every lane.</summary>
    static abstract TSelf Broadcast(sbyte* input);

    /// <summary>bits | what the upper bits are, shifted left, under a mask of each byte.</summary>
    static abstract TSelf WithUpper(TSelf bits, TSelf upper, int shift, byte mask);

    /// <summary>Shifts to the right; the upper bits of each byte may then be anything.</summary>
    static abstract TSelf ShiftRight(TSelf bits, int count);

    /// <summary>Whether the sums are two of 16 bits in each lane: of columns 0 and 1 and of columns 2 and 3.</summary>
    static abstract bool SumsAreHalves { get; }

    /// <summary>A sum that begins with one of <see cref="ByteTile.Starts"/>.</summary>
    static abstract TSelf Start(int start);

    /// <summary>A sum of <see cref="Bytes"/>: it begins with zero where they have lost their offset.</summary>
    static abstract TSelf StartBytes(int start);

    /// <summary>sum + Σ weights · input over the four columns of each lane; as often as no sum of weights less their offset leaves 16 bits.</summary>
    static abstract TSelf Add(TSelf sum, TSelf weights, TSelf input);

    static abstract TFloats ToFloats(TSelf sum);

    /// <summary>low + 16 · high.</summary>
    static abstract TFloats ToFloats(TSelf low, TSelf high);
}

/// <summary>16 rows (AVX-512BW). Sums stay in 16 bits over a block: 8 · 2 · 15 · 127 = 30480.</summary>
internal readonly unsafe struct Bytes512(Vector512<byte> value) : IByteLanes<Bytes512, Floats512>
{
    public static bool IsSupported => Avx512BW.IsSupported;

    public Vector512<byte> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 Load(byte* weights) => new(Vector512.Load(weights));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 LowNibbles(Bytes512 weights) => new(weights.Value & Vector512.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 HighNibbles(Bytes512 weights) => new((weights.Value.AsUInt16() >> 4).AsByte() & Vector512.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 Broadcast(sbyte* input) => new(Vector512.Create(*(int*)input).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 WithUpper(Bytes512 bits, Bytes512 upper, int shift, byte mask) =>
        new(bits.Value | (upper.Value.AsUInt16() << shift).AsByte() & Vector512.Create(mask));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 ShiftRight(Bytes512 bits, int count) => new((bits.Value.AsUInt16() >> count).AsByte());

    public static bool SumsAreHalves => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 Start(int start) => new(Vector512.Create(start).AsByte());

    public static Bytes512 StartBytes(int start) => throw new NotSupportedException("Bytes are taken as nibbles.");

    public static Bytes512 Bytes(Bytes512 weights) => throw new NotSupportedException("Bytes are taken as nibbles.");

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 Add(Bytes512 sum, Bytes512 weights, Bytes512 input) =>
        new((sum.Value.AsInt16() + Avx512BW.MultiplyAddAdjacent(weights.Value, input.Value.AsSByte())).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 ToFloats(Bytes512 sum) =>
        new(Avx512F.ConvertToVector512Single(Avx512BW.MultiplyAddAdjacent(sum.Value.AsInt16(), Vector512<short>.One)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 ToFloats(Bytes512 low, Bytes512 high) => new(Avx512F.ConvertToVector512Single(
        Avx512BW.MultiplyAddAdjacent(low.Value.AsInt16(), Vector512<short>.One) +
        Avx512BW.MultiplyAddAdjacent(high.Value.AsInt16(), Vector512.Create((short)16))));
}

/// <summary>8 rows (AVX2), as <see cref="Bytes512"/>.</summary>
internal readonly unsafe struct Bytes256(Vector256<byte> value) : IByteLanes<Bytes256, Floats256>
{
    public static bool IsSupported => Floats256.IsSupported;

    public Vector256<byte> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 Load(byte* weights) => new(Vector256.Load(weights));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 LowNibbles(Bytes256 weights) => new(weights.Value & Vector256.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 HighNibbles(Bytes256 weights) => new((weights.Value.AsUInt16() >> 4).AsByte() & Vector256.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 Broadcast(sbyte* input) => new(Vector256.Create(*(int*)input).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 WithUpper(Bytes256 bits, Bytes256 upper, int shift, byte mask) =>
        new(bits.Value | (upper.Value.AsUInt16() << shift).AsByte() & Vector256.Create(mask));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 ShiftRight(Bytes256 bits, int count) => new((bits.Value.AsUInt16() >> count).AsByte());

    public static bool SumsAreHalves => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 Start(int start) => new(Vector256.Create(start).AsByte());

    public static Bytes256 StartBytes(int start) => throw new NotSupportedException("Bytes are taken as nibbles.");

    public static Bytes256 Bytes(Bytes256 weights) => throw new NotSupportedException("Bytes are taken as nibbles.");

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 Add(Bytes256 sum, Bytes256 weights, Bytes256 input) =>
        new((sum.Value.AsInt16() + Avx2.MultiplyAddAdjacent(weights.Value, input.Value.AsSByte())).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 ToFloats(Bytes256 sum) =>
        new(Avx.ConvertToVector256Single(Avx2.MultiplyAddAdjacent(sum.Value.AsInt16(), Vector256<short>.One)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 ToFloats(Bytes256 low, Bytes256 high) => new(Avx.ConvertToVector256Single(
        Avx2.MultiplyAddAdjacent(low.Value.AsInt16(), Vector256<short>.One) +
        Avx2.MultiplyAddAdjacent(high.Value.AsInt16(), Vector256.Create((short)16))));
}

/// <summary>8 rows (AVX-VNNI): the dot product of four bytes in one instruction, sums in 32 bits.</summary>
internal readonly unsafe struct DotBytes256(Vector256<byte> value) : IByteLanes<DotBytes256, Floats256>
{
    public static bool IsSupported => AvxVnni.IsSupported && Floats256.IsSupported;

    public Vector256<byte> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes256 Load(byte* weights) => new(Vector256.Load(weights));

    public static DotBytes256 Bytes(DotBytes256 weights) => weights;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes256 LowNibbles(DotBytes256 weights) => new(weights.Value & Vector256.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes256 HighNibbles(DotBytes256 weights) => new((weights.Value.AsUInt16() >> 4).AsByte() & Vector256.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes256 Broadcast(sbyte* input) => new(Vector256.Create(*(int*)input).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes256 WithUpper(DotBytes256 bits, DotBytes256 upper, int shift, byte mask) =>
        new(bits.Value | (upper.Value.AsUInt16() << shift).AsByte() & Vector256.Create(mask));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes256 ShiftRight(DotBytes256 bits, int count) => new((bits.Value.AsUInt16() >> count).AsByte());

    public static bool SumsAreHalves => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes256 Start(int start) => new(Vector256.Create(start).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes256 StartBytes(int start) => Start(start);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes256 Add(DotBytes256 sum, DotBytes256 weights, DotBytes256 input) =>
        new(AvxVnni.MultiplyWideningAndAdd(sum.Value.AsInt32(), weights.Value, input.Value.AsSByte()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 ToFloats(DotBytes256 sum) => new(Avx.ConvertToVector256Single(sum.Value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 ToFloats(DotBytes256 low, DotBytes256 high) =>
        new(Avx.ConvertToVector256Single(low.Value.AsInt32() + (high.Value.AsInt32() << 4)));
}

/// <summary>16 rows (AVX-512's VNNI): as <see cref="DotBytes256"/>.</summary>
internal readonly unsafe struct DotBytes512(Vector512<byte> value) : IByteLanes<DotBytes512, Floats512>
{
    public static bool IsSupported => Vnni512.IsSupported && Floats512.IsSupported;

    public Vector512<byte> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes512 Load(byte* weights) => new(Vector512.Load(weights));

    public static DotBytes512 Bytes(DotBytes512 weights) => weights;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes512 LowNibbles(DotBytes512 weights) => new(weights.Value & Vector512.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes512 HighNibbles(DotBytes512 weights) => new((weights.Value.AsUInt16() >> 4).AsByte() & Vector512.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes512 Broadcast(sbyte* input) => new(Vector512.Create(*(int*)input).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes512 WithUpper(DotBytes512 bits, DotBytes512 upper, int shift, byte mask) =>
        new(bits.Value | (upper.Value.AsUInt16() << shift).AsByte() & Vector512.Create(mask));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes512 ShiftRight(DotBytes512 bits, int count) => new((bits.Value.AsUInt16() >> count).AsByte());

    public static bool SumsAreHalves => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes512 Start(int start) => new(Vector512.Create(start).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes512 StartBytes(int start) => Start(start);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes512 Add(DotBytes512 sum, DotBytes512 weights, DotBytes512 input) =>
        new(Vnni512.MultiplyWideningAndAdd(sum.Value.AsInt32(), weights.Value, input.Value.AsSByte()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 ToFloats(DotBytes512 sum) => new(Avx512F.ConvertToVector512Single(sum.Value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 ToFloats(DotBytes512 low, DotBytes512 high) =>
        new(Avx512F.ConvertToVector512Single(low.Value.AsInt32() + (high.Value.AsInt32() << 4)));
}

/// <summary>4 rows (ARM64 with dot product), sums in 32 bits. Both operands are signed, so bytes lose their offset when they are loaded.</summary>
internal readonly unsafe struct DotBytes128(Vector128<byte> value) : IByteLanes<DotBytes128, Floats128>
{
    public static bool IsSupported => Dp.IsSupported && Floats128.IsSupported;

    public Vector128<byte> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes128 Load(byte* weights) => new(Vector128.Load(weights));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes128 Bytes(DotBytes128 weights) => new(weights.Value ^ Vector128.Create((byte)128));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes128 LowNibbles(DotBytes128 weights) => new(weights.Value & Vector128.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes128 HighNibbles(DotBytes128 weights) => new(weights.Value >> 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes128 Broadcast(sbyte* input) => new(Vector128.Create(*(int*)input).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes128 WithUpper(DotBytes128 bits, DotBytes128 upper, int shift, byte mask) =>
        new(bits.Value | (upper.Value << shift) & Vector128.Create(mask));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes128 ShiftRight(DotBytes128 bits, int count) => new(bits.Value >> count);

    public static bool SumsAreHalves => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes128 Start(int start) => new(Vector128.Create(start).AsByte());

    public static DotBytes128 StartBytes(int start) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotBytes128 Add(DotBytes128 sum, DotBytes128 weights, DotBytes128 input) =>
        new(Dp.DotProduct(sum.Value.AsInt32(), weights.Value.AsSByte(), input.Value.AsSByte()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 ToFloats(DotBytes128 sum) => new(AdvSimd.ConvertToSingle(sum.Value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 ToFloats(DotBytes128 low, DotBytes128 high) =>
        new(AdvSimd.ConvertToSingle(low.Value.AsInt32() + (high.Value.AsInt32() << 4)));
}

/// <summary>1 row: the twin of the others on every processor.</summary>
internal readonly unsafe struct DotBytes32(int value) : IByteLanes<DotBytes32, Floats32>
{
    public static bool IsSupported => true;

    public int Value => value;

    public static DotBytes32 Load(byte* weights) => new(*(int*)weights);

    public static DotBytes32 Bytes(DotBytes32 weights) => new(weights.Value ^ unchecked((int)0x80808080));

    public static DotBytes32 LowNibbles(DotBytes32 weights) => new(weights.Value & 0x0F0F0F0F);

    public static DotBytes32 HighNibbles(DotBytes32 weights) => new((weights.Value >> 4) & 0x0F0F0F0F);

    public static DotBytes32 Broadcast(sbyte* input) => new(*(int*)input);

    public static DotBytes32 WithUpper(DotBytes32 bits, DotBytes32 upper, int shift, byte mask) => new(bits.Value | upper.Value << shift & mask * 0x01010101);

    public static DotBytes32 ShiftRight(DotBytes32 bits, int count) => new(bits.Value >> count);

    public static bool SumsAreHalves => false;

    public static DotBytes32 Start(int start) => new(start);

    public static DotBytes32 StartBytes(int start) => default;

    public static DotBytes32 Add(DotBytes32 sum, DotBytes32 weights, DotBytes32 input)
    {
        int total = sum.Value;
        for (int column = 0; column < 4; column++)
        {
            total += (sbyte)(weights.Value >> (8 * column)) * (sbyte)(input.Value >> (8 * column));
        }

        return new(total);
    }

    public static Floats32 ToFloats(DotBytes32 sum) => new(sum.Value);

    public static Floats32 ToFloats(DotBytes32 low, DotBytes32 high) => new(low.Value + (high.Value << 4));
}
