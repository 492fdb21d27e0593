using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>A register of floats: a kernel is written once over it and compiled for each width.</summary>
/// <remarks>Every operation rounds once per lane, so the same kernel gives the same bits at any width.</remarks>
internal unsafe interface IFloatLanes<TSelf>
    where TSelf : struct, IFloatLanes<TSelf>
{
    /// <summary>Whether the processor has the registers and their fused multiply-add.</summary>
    static abstract bool IsSupported { get; }

    /// <summary>Floats of a register.</summary>
    static abstract int Count { get; }

    static abstract TSelf Broadcast(float value);

    static abstract TSelf Load(float* from);

    /// <summary>Half-precision numbers, exactly; a NaN may become infinite.</summary>
    static abstract TSelf LoadHalves(ushort* from);

    /// <summary>Half-precision numbers that <see cref="HalfBits.Raise"/> has raised, as what they were.</summary>
    static abstract TSelf LoadRaisedHalves(ushort* from);

    /// <summary>Halves in a single's place (<see cref="HalfBits.InPlace(Vector128{int})"/>).</summary>
    static abstract TSelf LoadHalvesInPlace(ushort* from);

    /// <summary>Powers of two: their exponents as a single stores them.</summary>
    static abstract TSelf LoadPowers(byte* exponents);

    /// <summary>Signed bytes.</summary>
    static abstract TSelf LoadBytes(sbyte* from);

    static abstract TSelf Multiply(TSelf x, TSelf y);

    /// <summary>x · y + sum, rounded once.</summary>
    static abstract TSelf MultiplyAdd(TSelf x, TSelf y, TSelf sum);

    static abstract void Store(TSelf value, float* to);
}

/// <summary>16 floats (AVX-512).</summary>
internal readonly unsafe struct Floats512(Vector512<float> value) : IFloatLanes<Floats512>
{
    public static bool IsSupported => Avx512F.IsSupported;

    public static int Count => 16;

    public Vector512<float> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 Broadcast(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 Load(float* from) => new(Vector512.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 LoadHalves(ushort* from) => new(HalfBits.ToSingle(Avx512F.ConvertToVector512Int32(Vector256.Load((short*)from))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 LoadRaisedHalves(ushort* from) => new(HalfBits.RaisedToSingle(Avx512F.ConvertToVector512Int32(Vector256.Load((short*)from))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 LoadHalvesInPlace(ushort* from) => new(HalfBits.InPlace(Avx512F.ConvertToVector512Int32(Vector256.Load((short*)from))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 LoadPowers(byte* exponents) => new((Avx512F.ConvertToVector512Int32(Vector128.Load(exponents)) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 LoadBytes(sbyte* from) => new(Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(Vector128.Load(from))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 Multiply(Floats512 x, Floats512 y) => new(x.Value * y.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats512 MultiplyAdd(Floats512 x, Floats512 y, Floats512 sum) => new(Avx512F.FusedMultiplyAdd(x.Value, y.Value, sum.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Floats512 value, float* to) => value.Value.Store(to);
}

/// <summary>8 floats (AVX2 with FMA).</summary>
internal readonly unsafe struct Floats256(Vector256<float> value) : IFloatLanes<Floats256>
{
    public static bool IsSupported => Avx2.IsSupported && Fma.IsSupported;

    public static int Count => 8;

    public Vector256<float> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 Broadcast(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 Load(float* from) => new(Vector256.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 LoadHalves(ushort* from) => new(HalfBits.ToSingle(Avx2.ConvertToVector256Int32(Vector128.Load((short*)from))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 LoadRaisedHalves(ushort* from) => new(HalfBits.RaisedToSingle(Avx2.ConvertToVector256Int32(Vector128.Load((short*)from))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 LoadHalvesInPlace(ushort* from) => new(HalfBits.InPlace(Avx2.ConvertToVector256Int32(Vector128.Load((short*)from))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 LoadPowers(byte* exponents) => new((Avx2.ConvertToVector256Int32(exponents) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 LoadBytes(sbyte* from) => new(Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(from)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 Multiply(Floats256 x, Floats256 y) => new(x.Value * y.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats256 MultiplyAdd(Floats256 x, Floats256 y, Floats256 sum) => new(Fma.MultiplyAdd(x.Value, y.Value, sum.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Floats256 value, float* to) => value.Value.Store(to);
}

/// <summary>4 floats (ARM64 AdvSimd).</summary>
internal readonly unsafe struct Floats128(Vector128<float> value) : IFloatLanes<Floats128>
{
    public static bool IsSupported => AdvSimd.Arm64.IsSupported;

    public static int Count => 4;

    public Vector128<float> Value => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 Broadcast(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 Load(float* from) => new(Vector128.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 LoadHalves(ushort* from) => new(HalfBits.ToSingle(AdvSimd.SignExtendWideningLower(Vector64.Load((short*)from))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 LoadRaisedHalves(ushort* from) => new(HalfBits.RaisedToSingle(AdvSimd.SignExtendWideningLower(Vector64.Load((short*)from))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 LoadHalvesInPlace(ushort* from) => new(HalfBits.InPlace(AdvSimd.SignExtendWideningLower(Vector64.Load((short*)from))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 LoadPowers(byte* exponents) => new((AdvSimd.ZeroExtendWideningLower(
        AdvSimd.ZeroExtendWideningLower(Vector64.CreateScalar(*(uint*)exponents).AsByte()).GetLower()) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 LoadBytes(sbyte* from) => new(AdvSimd.ConvertToSingle(
        AdvSimd.SignExtendWideningLower(AdvSimd.SignExtendWideningLower(Vector64.CreateScalar(*(int*)from).AsSByte()).GetLower())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 Multiply(Floats128 x, Floats128 y) => new(x.Value * y.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats128 MultiplyAdd(Floats128 x, Floats128 y, Floats128 sum) => new(AdvSimd.FusedMultiplyAdd(sum.Value, x.Value, y.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Floats128 value, float* to) => value.Value.Store(to);
}

/// <summary>One float: the twin of the others on every processor.</summary>
internal readonly unsafe struct Floats32(float value) : IFloatLanes<Floats32>
{
    public static bool IsSupported => true;

    public static int Count => 1;

    public float Value => value;

    public static Floats32 Broadcast(float value) => new(value);

    public static Floats32 Load(float* from) => new(*from);

    public static Floats32 LoadHalves(ushort* from) => new(HalfBits.ToSingle(*from));

    public static Floats32 LoadRaisedHalves(ushort* from) => new(HalfBits.ToSingle(*from, raised: true));

    public static Floats32 LoadHalvesInPlace(ushort* from) => new(HalfBits.InPlace(*from));

    public static Floats32 LoadPowers(byte* exponents) => new(BitConverter.Int32BitsToSingle(*exponents << 23));

    public static Floats32 LoadBytes(sbyte* from) => new(*from);

    public static Floats32 Multiply(Floats32 x, Floats32 y) => new(x.Value * y.Value);

    public static Floats32 MultiplyAdd(Floats32 x, Floats32 y, Floats32 sum) => new(MathF.FusedMultiplyAdd(x.Value, y.Value, sum.Value));

    public static void Store(Floats32 value, float* to) => *to = value.Value;
}
