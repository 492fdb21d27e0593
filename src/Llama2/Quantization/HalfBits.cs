using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>Half-precision bits as a float: the scale of every block is one.</summary>
internal static class HalfBits
{
    /// <summary>What a half that <see cref="Raise"/> has raised is in a single's place, over its value: 2⁻¹⁰².</summary>
    public const float InPlaceOfRaised = 1 / TwoTo102;

    private const int SignExponentAndFraction = unchecked((int)0x8FFFE000);
    private const ushort Exponent = 0x7C00;
    private const float TwoTo112 = 5.192296858534828e33f;
    private const float TwoToMinus112 = 1.925929944387236e-34f;                            // 112 = 127 − 15, the exponents' biases
    private const float TwoTo102 = 5.070602400912918e30f;
    private const int RaisedBy = 10;                                                       // powers of two: fraction bits, so that no half stays below the normal numbers
    private const ushort LeastNormal = 0x0400;
    private const ushort TooLargeToRaise = 0x5400;                                         // 64, which would become 65536

    /// <summary>The value of the half that a block stores; exact. A few integer operations, where <c>(float)Half</c> costs several times more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(ushort bits)
    {
        uint shifted = (uint)bits << 17;                                                   // exponent and fraction at the top, sign gone
        float normal = BitConverter.UInt32BitsToSingle((shifted >> 4) + (224u << 23)) * TwoToMinus112;
        float subnormal = BitConverter.UInt32BitsToSingle((shifted >> 17) | (126u << 23)) - 0.5f;    // fraction · 2⁻²⁴ after 0.5
        uint magnitude = BitConverter.SingleToUInt32Bits(shifted < 1u << 27 ? subnormal : normal);
        return BitConverter.UInt32BitsToSingle(((uint)(bits & 0x8000) << 16) | magnitude);
    }

    /// <summary>The values of halves whose bits each lane holds with their sign extended.</summary>
    /// <remarks>
    /// Exact, also below the normal numbers: moved to a single's place, a half is 2⁻¹¹² of its value. Twice that factor up and once down makes infinity
    /// of what is not finite, NaN included, and leaves the rest alone: three products, where comparing and selecting takes twice the time.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ToSingle(Vector512<int> bits) =>
        FiniteToSingle(bits) * Vector512.Create(TwoTo112) * Vector512.Create(TwoToMinus112);

    /// <inheritdoc cref="ToSingle(Vector512{int})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToSingle(Vector256<int> bits) =>
        FiniteToSingle(bits) * Vector256.Create(TwoTo112) * Vector256.Create(TwoToMinus112);

    /// <inheritdoc cref="ToSingle(Vector512{int})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ToSingle(Vector128<int> bits) =>
        FiniteToSingle(bits) * Vector128.Create(TwoTo112) * Vector128.Create(TwoToMinus112);

    /// <summary>The values of finite halves whose bits each lane holds with their sign extended; exact, in one product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> FiniteToSingle(Vector512<int> bits) =>
        InPlace(bits) * Vector512.Create(TwoTo112);

    /// <inheritdoc cref="FiniteToSingle(Vector512{int})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> FiniteToSingle(Vector256<int> bits) =>
        InPlace(bits) * Vector256.Create(TwoTo112);

    /// <inheritdoc cref="FiniteToSingle(Vector512{int})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FiniteToSingle(Vector128<int> bits) =>
        InPlace(bits) * Vector128.Create(TwoTo112);

    /// <summary>The values of halves that <see cref="Raise"/> has raised, whose bits each lane holds with their sign extended; exact, and without subnormal numbers on the way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> RaisedToSingle(Vector512<int> bits) =>
        InPlace(bits) * Vector512.Create(TwoTo102);

    /// <inheritdoc cref="RaisedToSingle(Vector512{int})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> RaisedToSingle(Vector256<int> bits) =>
        InPlace(bits) * Vector256.Create(TwoTo102);

    /// <inheritdoc cref="RaisedToSingle(Vector512{int})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> RaisedToSingle(Vector128<int> bits) =>
        InPlace(bits) * Vector128.Create(TwoTo102);

    /// <summary>The value of a half that may be raised; exact.</summary>
    public static float ToSingle(ushort bits, bool raised) => raised ? ToSingle(bits) / (1 << RaisedBy) : ToSingle(bits);

    /// <summary>Multiplies halves by 1,024, exactly, if all are below 64 and none is a NaN; otherwise they are spoilt.</summary>
    /// <remarks>Small weights are subnormal as halves, and a product with a subnormal number takes some processors a hundred times as long as any other.</remarks>
    /// <returns>Whether they are raised.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool Raise(Span<ushort> halves)
    {
        var magnitude = new Vector<ushort>(0x7FFF);
        Span<Vector<ushort>> vectors = MemoryMarshal.Cast<ushort, Vector<ushort>>(halves);
        Vector<ushort> largest = default;
        for (int i = 0; i < vectors.Length; i++)
        {
            Vector<ushort> sizes = vectors[i] & magnitude, normal = Vector.GreaterThanOrEqual(sizes, new Vector<ushort>(LeastNormal));
            largest = Vector.Max(largest, sizes);
            vectors[i] += normal & new Vector<ushort>(RaisedBy << 10);
            if (Vector.GreaterThanAny(Vector.AndNot(sizes, normal), Vector<ushort>.Zero))
            {
                foreach (ref ushort half in halves.Slice(i * Vector<ushort>.Count, Vector<ushort>.Count))
                {
                    half = (half & 0x7FFF) < LeastNormal ? Raised(half) : half;
                }
            }
        }

        bool all = Vector.LessThanAll(largest, new Vector<ushort>(TooLargeToRaise));
        foreach (ref ushort half in halves[(vectors.Length * Vector<ushort>.Count)..])
        {
            all &= (half & 0x7FFF) < TooLargeToRaise;
            half = Raised(half);
        }

        return all;
    }

    /// <summary>Makes of raised halves what they were.</summary>
    public static void Lower(Span<ushort> halves)
    {
        foreach (ref ushort half in halves)
        {
            half = BitConverter.HalfToUInt16Bits((Half)ToSingle(half, raised: true));
        }
    }

    /// <summary>Whether none of the halves is infinite or a NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool AreFinite(ReadOnlySpan<ushort> halves)
    {
        var exponent = new Vector<ushort>(Exponent);
        for (; halves.Length >= Vector<ushort>.Count; halves = halves[Vector<ushort>.Count..])
        {
            if (Vector.EqualsAny(new Vector<ushort>(halves) & exponent, exponent))
            {
                return false;
            }
        }

        bool finite = true;
        foreach (ushort half in halves)
        {
            finite &= (half & Exponent) != Exponent;
        }

        return finite;
    }

    /// <summary>The half at the beginning of a block's field, little endian.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Read(ReadOnlySpan<byte> field) => ToSingle((ushort)(field[0] | field[1] << 8));

    /// <summary>The nearest halves, ties to even; infinite where a half cannot hold the value.</summary>
    public static void FromSingle(ReadOnlySpan<float> values, Span<ushort> halves) =>
        TensorPrimitives.ConvertToHalf(values, MemoryMarshal.Cast<ushort, Half>(halves));

    /// <summary>The bits of the nearest halves, ties to even, in each lane's lower half; for magnitudes below 65,520, which no half exceeds.</summary>
    /// <remarks>Above 2⁻¹⁴ the thirteen bits that go are rounded away as an integer; below, adding a half puts the last bit of the sum where a half has its own.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> FromSingle(Vector256<float> values)
    {
        Vector256<int> size = Vector256.Abs(values).AsInt32(), sign = (values.AsInt32() >>> 16) & Vector256.Create(0x8000);
        Vector256<int> normal = ((size + Vector256.Create(0xFFF) + ((size >>> 13) & Vector256<int>.One)) >>> 13) - Vector256.Create(112 << 10);
        Vector256<int> subnormal = (size.AsSingle() + Vector256.Create(0.5f)).AsInt32() - Vector256.Create(126 << 23);
        return sign | Vector256.ConditionalSelect(Vector256.LessThan(size, Vector256.Create(113 << 23)), subnormal, normal);
    }

    /// <summary>Stores the nearest half, ties to even.</summary>
    public static void Write(Span<byte> field, float value) =>
        System.Buffers.Binary.BinaryPrimitives.WriteHalfLittleEndian(field, (Half)value);

    /// <summary>Halves in a single's place: 2⁻¹¹² of their value, or <see cref="InPlaceOfRaised"/> of what they were before they were raised; whoever multiplies them makes up for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> InPlace(Vector512<int> bits) => ((bits << 13) & Vector512.Create(SignExponentAndFraction)).AsSingle();

    /// <inheritdoc cref="InPlace(Vector512{int})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> InPlace(Vector256<int> bits) => ((bits << 13) & Vector256.Create(SignExponentAndFraction)).AsSingle();

    /// <inheritdoc cref="InPlace(Vector512{int})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> InPlace(Vector128<int> bits) => ((bits << 13) & Vector128.Create(SignExponentAndFraction)).AsSingle();

    /// <inheritdoc cref="InPlace(Vector512{int})"/>
    public static float InPlace(ushort bits) => BitConverter.Int32BitsToSingle(((short)bits << 13) & SignExponentAndFraction);

    /// <summary>1,024 times a half; a subnormal one is its fraction · 2⁻²⁴, which a single holds as a normal number.</summary>
    private static ushort Raised(ushort half)
    {
        int size = half & 0x7FFF, sign = half & 0x8000;
        int raised = size >= LeastNormal ? size + (RaisedBy << 10) : size == 0 ? 0 : (BitConverter.SingleToInt32Bits(size) >> 13) - ((127 - 1) << 10);
        return (ushort)(sign | raised);
    }
}
