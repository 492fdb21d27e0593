using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>32 small integers of a block, one per 8-bit lane in the order of the weights, widened to floats: 8 → 16 → 32 bits → single.</summary>
/// <remarks>Every format's integers fit a signed byte (Q8_0 −128…127, Q6_K −32…31, Q4_0 −8…7, Q5_K 0…31, Q4_K 0…15) and are exact as floats.</remarks>
internal static class BlockLanes
{
    /// <summary>destination[i] = scale · q[i], with one scale for lanes 0…15 and one for 16…31.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(Vector256<sbyte> q, float firstScale, float secondScale, Span<float> destination)
    {
        (Vector256<short> first, Vector256<short> second) = Vector256.Widen(q);
        (Vector256<int> a, Vector256<int> b) = Vector256.Widen(first);
        (Vector256<int> c, Vector256<int> d) = Vector256.Widen(second);
        (firstScale * Vector256.ConvertToSingle(a)).CopyTo(destination);
        (firstScale * Vector256.ConvertToSingle(b)).CopyTo(destination[8..]);
        (secondScale * Vector256.ConvertToSingle(c)).CopyTo(destination[16..]);
        (secondScale * Vector256.ConvertToSingle(d)).CopyTo(destination[24..]);
    }

    /// <summary>destination[i] = scale · q[i] − minimum, rounded after the product as the scalar twin rounds it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ScaleAndLower(Vector256<sbyte> q, float scale, float minimum, Span<float> destination)
    {
        Vector256<float> lower = Vector256.Create(minimum);
        (Vector256<short> first, Vector256<short> second) = Vector256.Widen(q);
        (Vector256<int> a, Vector256<int> b) = Vector256.Widen(first);
        (Vector256<int> c, Vector256<int> d) = Vector256.Widen(second);
        (scale * Vector256.ConvertToSingle(a) - lower).CopyTo(destination);
        (scale * Vector256.ConvertToSingle(b) - lower).CopyTo(destination[8..]);
        (scale * Vector256.ConvertToSingle(c) - lower).CopyTo(destination[16..]);
        (scale * Vector256.ConvertToSingle(d) - lower).CopyTo(destination[24..]);
    }

    /// <summary>The first 32 floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector256<float> A, Vector256<float> B, Vector256<float> C, Vector256<float> D) Load(ReadOnlySpan<float> weights) =>
        (Vector256.Create(weights), Vector256.Create(weights[8..]), Vector256.Create(weights[16..]), Vector256.Create(weights[24..]));

    /// <summary>The nearest integers, ties to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Round(Vector256<float> values) =>
        Avx.IsSupported ? Avx.ConvertToVector256Int32(values) : Vector256.ConvertToInt32Native(Vector256.Round(values));

    /// <summary>32 integers of −128 to 127 as bytes, in their order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Narrow(Vector256<int> a, Vector256<int> b, Vector256<int> c, Vector256<int> d) =>
        Avx2.IsSupported
            ? Avx2.PermuteVar8x32(
                Avx2.PackSignedSaturate(Avx2.PackSignedSaturate(a, b), Avx2.PackSignedSaturate(c, d)).AsInt32(),
                Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7)).AsSByte()              // packing goes by halves of the registers
            : Vector256.Narrow(Vector256.Narrow(a, b), Vector256.Narrow(c, d));

    /// <summary>The sum of squares of 32 floats, always in the same order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float SquareSum(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d)
    {
        Vector256<float> sums = a * a + b * b + (c * c + d * d);
        Vector128<float> four = sums.GetLower() + sums.GetUpper();
        four += Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1));
        return (four + Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>The largest bit pattern of a magnitude among 32 floats; magnitudes order as their bits do, and what is not finite is largest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int LargestMagnitudeBits(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d)
    {
        Vector256<int> largest = Vector256.Max(
            Vector256.Max(Vector256.Abs(a).AsInt32(), Vector256.Abs(b).AsInt32()),
            Vector256.Max(Vector256.Abs(c).AsInt32(), Vector256.Abs(d).AsInt32()));
        Vector128<int> four = Vector128.Max(largest.GetLower(), largest.GetUpper());
        four = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }
}
