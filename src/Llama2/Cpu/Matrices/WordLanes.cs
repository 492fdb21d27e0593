using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>A register of words, one of each of some rows that are turned into columns.</summary>
internal unsafe interface IWordLanes<TSelf>
    where TSelf : struct, IWordLanes<TSelf>
{
    /// <summary>Whether the processor has the instructions.</summary>
    static abstract bool IsSupported { get; }

    /// <summary>Rows: words of a register.</summary>
    static abstract int Count { get; }

    /// <summary>Four words of each row: what comes back are the first words of all rows, the second ones, and so on.</summary>
    /// <param name="row">The first row.</param>
    /// <param name="stride">Bytes from a row to the next.</param>
    static abstract (TSelf First, TSelf Second, TSelf Third, TSelf Fourth) Transpose(byte* row, nint stride);

    static abstract TSelf Broadcast(uint word);

    static abstract TSelf And(TSelf a, TSelf b);

    static abstract TSelf Or(TSelf a, TSelf b);

    static abstract TSelf Xor(TSelf a, TSelf b);

    static abstract TSelf ShiftLeft(TSelf words, int count);

    static abstract TSelf ShiftRight(TSelf words, int count);

    static abstract void Store(TSelf words, byte* to);
}

/// <summary>4 rows (SSE2 or ARM64).</summary>
internal readonly unsafe struct Words128(Vector128<uint> value) : IWordLanes<Words128>
{
    public static bool IsSupported => Sse2.IsSupported || AdvSimd.Arm64.IsSupported;

    public static int Count => 4;

    public Vector128<uint> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Words128 First, Words128 Second, Words128 Third, Words128 Fourth) Transpose(byte* row, nint stride)
    {
        (Vector128<uint> a, Vector128<uint> b) = Zip(Vector128.Load(row).AsUInt32(), Vector128.Load(row + 2 * stride).AsUInt32());
        (Vector128<uint> c, Vector128<uint> d) = Zip(Vector128.Load(row + stride).AsUInt32(), Vector128.Load(row + 3 * stride).AsUInt32());
        (Vector128<uint> first, Vector128<uint> second) = Zip(a, c);
        (Vector128<uint> third, Vector128<uint> fourth) = Zip(b, d);
        return (new(first), new(second), new(third), new(fourth));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 Broadcast(uint word) => new(Vector128.Create(word));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 And(Words128 a, Words128 b) => new(a.Value & b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 Or(Words128 a, Words128 b) => new(a.Value | b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 Xor(Words128 a, Words128 b) => new(a.Value ^ b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 ShiftLeft(Words128 words, int count) => new(words.Value << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 ShiftRight(Words128 words, int count) => new(words.Value >> count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Words128 words, byte* to) => words.Value.Store((uint*)to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<uint> First, Vector128<uint> Second) Zip(Vector128<uint> a, Vector128<uint> b) =>
        Sse2.IsSupported ? (Sse2.UnpackLow(a, b), Sse2.UnpackHigh(a, b)) : (AdvSimd.Arm64.ZipLow(a, b), AdvSimd.Arm64.ZipHigh(a, b));
}

/// <summary>16 rows (AVX-512): a whole line of a panel, so that each is written once.</summary>
internal readonly unsafe struct Words512(Vector512<uint> value) : IWordLanes<Words512>
{
    public static bool IsSupported => Avx512F.IsSupported;

    public static int Count => 16;

    public Vector512<uint> Value => value;

    /// <summary>Every fourth row shares a register, and each quarter of a register is transposed by itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Words512 First, Words512 Second, Words512 Third, Words512 Fourth) Transpose(byte* row, nint stride)
    {
        Vector512<uint> first = EveryFourth(row, stride), second = EveryFourth(row + stride, stride);
        Vector512<uint> third = EveryFourth(row + 2 * stride, stride), fourth = EveryFourth(row + 3 * stride, stride);
        Vector512<uint> a = Avx512F.UnpackLow(first, third), b = Avx512F.UnpackHigh(first, third);
        Vector512<uint> c = Avx512F.UnpackLow(second, fourth), d = Avx512F.UnpackHigh(second, fourth);
        return (new(Avx512F.UnpackLow(a, c)), new(Avx512F.UnpackHigh(a, c)), new(Avx512F.UnpackLow(b, d)), new(Avx512F.UnpackHigh(b, d)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words512 Broadcast(uint word) => new(Vector512.Create(word));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words512 And(Words512 a, Words512 b) => new(a.Value & b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words512 Or(Words512 a, Words512 b) => new(a.Value | b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words512 Xor(Words512 a, Words512 b) => new(a.Value ^ b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words512 ShiftLeft(Words512 words, int count) => new(words.Value << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words512 ShiftRight(Words512 words, int count) => new(words.Value >> count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Words512 words, byte* to) => words.Value.Store((uint*)to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> EveryFourth(byte* row, nint stride)
    {
        var lower = Vector256.Create(Vector128.Load(row), Vector128.Load(row + 4 * stride));
        var upper = Vector256.Create(Vector128.Load(row + 8 * stride), Vector128.Load(row + 12 * stride));
        return lower.ToVector512Unsafe().WithUpper(upper).AsUInt32();
    }
}
