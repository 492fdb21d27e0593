using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>Dot products of single-precision vectors, the same bits with every instruction set.</summary>
/// <remarks>
/// The order of the additions is fixed: 16 lanes, lane i sums the products i, i + 16, i + 32, … with a fused multiply-add each, and the
/// lanes are folded in halves (16 → 8 → 4 → 2 → 1). One 512-bit register holds the lanes, or two of 256 bits, or four of 128 bits. What
/// is left behind the last 16 goes to the first lanes.
/// </remarks>
internal static unsafe class DotKernels
{
    private const int Lanes = 16;

    /// <summary>Σ x[i] · y[i].</summary>
    public static float Dot(float* x, float* y, int length) =>
        Avx512F.IsSupported ? DotAvx512(x, y, length) :
        Fma.IsSupported ? DotAvx2(x, y, length) :
        AdvSimd.Arm64.IsSupported ? DotAdvSimd(x, y, length) : DotScalar(x, y, length);

    internal static float DotScalar(float* x, float* y, int length)
    {
        float* lanes = stackalloc float[Lanes];
        new Span<float>(lanes, Lanes).Clear();
        for (int i = 0; i < length; i++)
        {
            lanes[i % Lanes] = MathF.FusedMultiplyAdd(x[i], y[i], lanes[i % Lanes]);
        }

        for (int width = Lanes / 2; width > 0; width /= 2)
        {
            for (int i = 0; i < width; i++)
            {
                lanes[i] += lanes[i + width];
            }
        }

        return lanes[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static float DotAvx512(float* x, float* y, int length)
    {
        Vector512<float> sum = default;
        int i = 0;
        for (; i + Lanes <= length; i += Lanes)
        {
            sum = Avx512F.FusedMultiplyAdd(Vector512.Load(x + i), Vector512.Load(y + i), sum);
        }

        if (i < length)
        {
            float* tail = stackalloc float[2 * Lanes];
            CopyTails(x + i, y + i, length - i, tail);
            sum = Avx512F.FusedMultiplyAdd(Vector512.Load(tail), Vector512.Load(tail + Lanes), sum);
        }

        return Fold(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static float DotAvx2(float* x, float* y, int length)
    {
        Vector256<float> low = default, high = default;
        int i = 0;
        for (; i + Lanes <= length; i += Lanes)
        {
            low = Fma.MultiplyAdd(Vector256.Load(x + i), Vector256.Load(y + i), low);
            high = Fma.MultiplyAdd(Vector256.Load(x + i + 8), Vector256.Load(y + i + 8), high);
        }

        if (i < length)
        {
            float* tail = stackalloc float[2 * Lanes];
            CopyTails(x + i, y + i, length - i, tail);
            low = Fma.MultiplyAdd(Vector256.Load(tail), Vector256.Load(tail + Lanes), low);
            high = Fma.MultiplyAdd(Vector256.Load(tail + 8), Vector256.Load(tail + Lanes + 8), high);
        }

        return Fold(low + high);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static float DotAdvSimd(float* x, float* y, int length)
    {
        Vector128<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i + Lanes <= length; i += Lanes)
        {
            Step(x + i, y + i);
        }

        if (i < length)
        {
            float* tail = stackalloc float[2 * Lanes];
            CopyTails(x + i, y + i, length - i, tail);
            Step(tail, tail + Lanes);
        }

        return Fold((a + c) + (b + d));                                   // lanes 0–3 + 8–11 and 4–7 + 12–15, then the halves of 8

        void Step(float* left, float* right)
        {
            a = AdvSimd.FusedMultiplyAdd(a, Vector128.Load(left), Vector128.Load(right));
            b = AdvSimd.FusedMultiplyAdd(b, Vector128.Load(left + 4), Vector128.Load(right + 4));
            c = AdvSimd.FusedMultiplyAdd(c, Vector128.Load(left + 8), Vector128.Load(right + 8));
            d = AdvSimd.FusedMultiplyAdd(d, Vector128.Load(left + 12), Vector128.Load(right + 12));
        }
    }

    /// <summary>Two short vectors, each filled up with zeros to 16 lanes: 0 · 0 added to a lane leaves its bits.</summary>
    private static void CopyTails(float* x, float* y, int count, float* tail)
    {
        new Span<float>(tail, 2 * Lanes).Clear();
        new ReadOnlySpan<float>(x, count).CopyTo(new Span<float>(tail, Lanes));
        new ReadOnlySpan<float>(y, count).CopyTo(new Span<float>(tail + Lanes, Lanes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Fold(Vector512<float> lanes) => Fold(lanes.GetLower() + lanes.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Fold(Vector256<float> lanes) => Fold(lanes.GetLower() + lanes.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Fold(Vector128<float> lanes)
    {
        Vector64<float> two = lanes.GetLower() + lanes.GetUpper();
        return two[0] + two[1];
    }
}
