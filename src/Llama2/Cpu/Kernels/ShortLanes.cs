using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>A register of integers of 16 bits in pairs: lane r holds two columns of weight row r, or the same two values of an input; or a sum of 32 bits for each row.</summary>
/// <typeparam name="TSelf">The register.</typeparam>
/// <typeparam name="TFloats">A register with a float for each row.</typeparam>
internal unsafe interface IShortLanes<TSelf, TFloats>
    where TSelf : struct, IShortLanes<TSelf, TFloats>
    where TFloats : struct, IFloatLanes<TFloats>
{
    /// <summary>Whether the processor has the instructions.</summary>
    static abstract bool IsSupported { get; }

    static abstract TSelf Load(byte* weights);

    /// <summary>Two values of an input, in every lane.</summary>
    static abstract TSelf Broadcast(short* input);

    /// <summary>sum + Σ weights · input over the two columns of each lane.</summary>
    static abstract TSelf Add(TSelf sum, TSelf weights, TSelf input);

    static abstract TFloats ToFloats(TSelf sum);
}

/// <summary>16 rows (AVX-512's VNNI): product and sum in one instruction.</summary>
internal readonly unsafe struct DotShorts512(Vector512<int> value) : IShortLanes<DotShorts512, Floats512>
{
    public static bool IsSupported => Vnni512.IsSupported && Floats512.IsSupported;

    public Vector512<int> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotShorts512 Load(byte* weights) => new(Vector512.Load((int*)weights));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotShorts512 Broadcast(short* input) => new(Vector512.Create(*(int*)input));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotShorts512 Add(DotShorts512 sum, DotShorts512 weights, DotShorts512 input) =>
        new(Vnni512.MultiplyWideningAndAdd(sum.Value, weights.Value.AsInt16(), input.Value.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 ToFloats(DotShorts512 sum) => new(Avx512F.ConvertToVector512Single(sum.Value));
}

/// <summary>16 rows (AVX-512BW).</summary>
internal readonly unsafe struct Shorts512(Vector512<int> value) : IShortLanes<Shorts512, Floats512>
{
    public static bool IsSupported => Avx512BW.IsSupported && Floats512.IsSupported;

    public Vector512<int> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts512 Load(byte* weights) => new(Vector512.Load((int*)weights));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts512 Broadcast(short* input) => new(Vector512.Create(*(int*)input));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts512 Add(Shorts512 sum, Shorts512 weights, Shorts512 input) =>
        new(sum.Value + Avx512BW.MultiplyAddAdjacent(weights.Value.AsInt16(), input.Value.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 ToFloats(Shorts512 sum) => new(Avx512F.ConvertToVector512Single(sum.Value));
}

/// <summary>8 rows (AVX-VNNI).</summary>
internal readonly unsafe struct DotShorts256(Vector256<int> value) : IShortLanes<DotShorts256, Floats256>
{
    public static bool IsSupported => AvxVnni.IsSupported && Floats256.IsSupported;

    public Vector256<int> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotShorts256 Load(byte* weights) => new(Vector256.Load((int*)weights));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotShorts256 Broadcast(short* input) => new(Vector256.Create(*(int*)input));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DotShorts256 Add(DotShorts256 sum, DotShorts256 weights, DotShorts256 input) =>
        new(AvxVnni.MultiplyWideningAndAdd(sum.Value, weights.Value.AsInt16(), input.Value.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 ToFloats(DotShorts256 sum) => new(Avx.ConvertToVector256Single(sum.Value));
}

/// <summary>8 rows (AVX2).</summary>
internal readonly unsafe struct Shorts256(Vector256<int> value) : IShortLanes<Shorts256, Floats256>
{
    public static bool IsSupported => Floats256.IsSupported;

    public Vector256<int> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts256 Load(byte* weights) => new(Vector256.Load((int*)weights));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts256 Broadcast(short* input) => new(Vector256.Create(*(int*)input));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts256 Add(Shorts256 sum, Shorts256 weights, Shorts256 input) =>
        new(sum.Value + Avx2.MultiplyAddAdjacent(weights.Value.AsInt16(), input.Value.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 ToFloats(Shorts256 sum) => new(Avx.ConvertToVector256Single(sum.Value));
}

/// <summary>4 rows (ARM64 AdvSimd).</summary>
internal readonly unsafe struct Shorts128(Vector128<int> value) : IShortLanes<Shorts128, Floats128>
{
    public static bool IsSupported => Floats128.IsSupported;

    public Vector128<int> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts128 Load(byte* weights) => new(Vector128.Load((int*)weights));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts128 Broadcast(short* input) => new(Vector128.Create(*(int*)input));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts128 Add(Shorts128 sum, Shorts128 weights, Shorts128 input)
    {
        Vector128<short> w = weights.Value.AsInt16(), x = input.Value.AsInt16();
        return new(sum.Value + AdvSimd.Arm64.AddPairwise(AdvSimd.MultiplyWideningLower(w.GetLower(), x.GetLower()), AdvSimd.MultiplyWideningUpper(w, x)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 ToFloats(Shorts128 sum) => new(AdvSimd.ConvertToSingle(sum.Value));
}

/// <summary>1 row: the twin of the others on every processor.</summary>
internal readonly unsafe struct Shorts32(int value) : IShortLanes<Shorts32, Floats32>
{
    public static bool IsSupported => true;

    public int Value => value;

    public static Shorts32 Load(byte* weights) => new(*(int*)weights);

    public static Shorts32 Broadcast(short* input) => new(*(int*)input);

    public static Shorts32 Add(Shorts32 sum, Shorts32 weights, Shorts32 input) =>
        new(sum.Value + (short)weights.Value * (short)input.Value + (weights.Value >> 16) * (input.Value >> 16));

    public static Floats32 ToFloats(Shorts32 sum) => new(sum.Value);
}
