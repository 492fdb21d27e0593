using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Llama2.Training;

/// <summary>The innermost loop of every matrix product: one tile of 12 × 32 results in registers, from packed operands.</summary>
/// <remarks>
/// a is [depth, 12] and b is [depth, 32], so both are read straight through. Every result is one chain of fused multiply-adds in the order of
/// depth, whatever the registers' width: all instruction sets give the same bits.
/// </remarks>
internal static unsafe class TileKernels
{
    public const int Rows = 12;
    public const int Columns = 32;

    /// <summary>c[i, j] = (accumulate ? c[i, j] : 0) + Σ a[p, i] · b[p, j].</summary>
    public static void Multiply(int depth, float* a, float* b, float* c, nint stride, bool accumulate)
    {
        if (Avx512F.IsSupported)
        {
            MultiplyAvx512(depth, a, b, c, stride, accumulate);
        }
        else if (Fma.IsSupported)
        {
            MultiplyAvx2(depth, a, b, c, stride, accumulate);
        }
        else
        {
            MultiplyPortable(depth, a, b, c, stride, accumulate);
        }
    }

    /// <summary>24 registers of sums, 2 of b and 1 of a: 24 multiply-adds for 14 loads.</summary>
    internal static void MultiplyAvx512(int depth, float* a, float* b, float* c, nint stride, bool accumulate)
    {
        Vector512<float> s00 = default, s01 = default, s10 = default, s11 = default, s20 = default, s21 = default;
        Vector512<float> s30 = default, s31 = default, s40 = default, s41 = default, s50 = default, s51 = default;
        Vector512<float> s60 = default, s61 = default, s70 = default, s71 = default, s80 = default, s81 = default;
        Vector512<float> s90 = default, s91 = default, sA0 = default, sA1 = default, sB0 = default, sB1 = default;
        for (float* end = a + (nint)depth * Rows; a < end; a += Rows, b += Columns)
        {
            Vector512<float> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 16);
            Vector512<float> x = Vector512.Create(a[0]);
            s00 = Avx512F.FusedMultiplyAdd(x, b0, s00);
            s01 = Avx512F.FusedMultiplyAdd(x, b1, s01);
            x = Vector512.Create(a[1]);
            s10 = Avx512F.FusedMultiplyAdd(x, b0, s10);
            s11 = Avx512F.FusedMultiplyAdd(x, b1, s11);
            x = Vector512.Create(a[2]);
            s20 = Avx512F.FusedMultiplyAdd(x, b0, s20);
            s21 = Avx512F.FusedMultiplyAdd(x, b1, s21);
            x = Vector512.Create(a[3]);
            s30 = Avx512F.FusedMultiplyAdd(x, b0, s30);
            s31 = Avx512F.FusedMultiplyAdd(x, b1, s31);
            x = Vector512.Create(a[4]);
            s40 = Avx512F.FusedMultiplyAdd(x, b0, s40);
            s41 = Avx512F.FusedMultiplyAdd(x, b1, s41);
            x = Vector512.Create(a[5]);
            s50 = Avx512F.FusedMultiplyAdd(x, b0, s50);
            s51 = Avx512F.FusedMultiplyAdd(x, b1, s51);
            x = Vector512.Create(a[6]);
            s60 = Avx512F.FusedMultiplyAdd(x, b0, s60);
            s61 = Avx512F.FusedMultiplyAdd(x, b1, s61);
            x = Vector512.Create(a[7]);
            s70 = Avx512F.FusedMultiplyAdd(x, b0, s70);
            s71 = Avx512F.FusedMultiplyAdd(x, b1, s71);
            x = Vector512.Create(a[8]);
            s80 = Avx512F.FusedMultiplyAdd(x, b0, s80);
            s81 = Avx512F.FusedMultiplyAdd(x, b1, s81);
            x = Vector512.Create(a[9]);
            s90 = Avx512F.FusedMultiplyAdd(x, b0, s90);
            s91 = Avx512F.FusedMultiplyAdd(x, b1, s91);
            x = Vector512.Create(a[10]);
            sA0 = Avx512F.FusedMultiplyAdd(x, b0, sA0);
            sA1 = Avx512F.FusedMultiplyAdd(x, b1, sA1);
            x = Vector512.Create(a[11]);
            sB0 = Avx512F.FusedMultiplyAdd(x, b0, sB0);
            sB1 = Avx512F.FusedMultiplyAdd(x, b1, sB1);
        }

        Store(c, s00, s01, accumulate);
        Store(c += stride, s10, s11, accumulate);
        Store(c += stride, s20, s21, accumulate);
        Store(c += stride, s30, s31, accumulate);
        Store(c += stride, s40, s41, accumulate);
        Store(c += stride, s50, s51, accumulate);
        Store(c += stride, s60, s61, accumulate);
        Store(c += stride, s70, s71, accumulate);
        Store(c += stride, s80, s81, accumulate);
        Store(c += stride, s90, s91, accumulate);
        Store(c += stride, sA0, sA1, accumulate);
        Store(c + stride, sB0, sB1, accumulate);
    }

    /// <summary>The tile as four of 6 × 16: 12 registers of sums, 2 of b and 1 of a.</summary>
    internal static void MultiplyAvx2(int depth, float* a, float* b, float* c, nint stride, bool accumulate)
    {
        for (int row = 0; row < Rows; row += 6)
        {
            for (int column = 0; column < Columns; column += 16)
            {
                MultiplyAvx2Part(depth, a + row, b + column, c + row * stride + column, stride, accumulate);
            }
        }
    }

    /// <summary>The tile as parts of 4 × 8 in registers of 128 bits: the twin for ARM, and for machines without vectors.</summary>
    internal static void MultiplyPortable(int depth, float* a, float* b, float* c, nint stride, bool accumulate)
    {
        for (int row = 0; row < Rows; row += 4)
        {
            for (int column = 0; column < Columns; column += 8)
            {
                MultiplyPortablePart(depth, a + row, b + column, c + row * stride + column, stride, accumulate);
            }
        }
    }

    private static void MultiplyAvx2Part(int depth, float* a, float* b, float* c, nint stride, bool accumulate)
    {
        Vector256<float> s00 = default, s01 = default, s10 = default, s11 = default, s20 = default, s21 = default;
        Vector256<float> s30 = default, s31 = default, s40 = default, s41 = default, s50 = default, s51 = default;
        for (float* end = a + (nint)depth * Rows; a < end; a += Rows, b += Columns)
        {
            Vector256<float> b0 = Vector256.Load(b), b1 = Vector256.Load(b + 8);
            Vector256<float> x = Vector256.Create(a[0]);
            s00 = Fma.MultiplyAdd(x, b0, s00);
            s01 = Fma.MultiplyAdd(x, b1, s01);
            x = Vector256.Create(a[1]);
            s10 = Fma.MultiplyAdd(x, b0, s10);
            s11 = Fma.MultiplyAdd(x, b1, s11);
            x = Vector256.Create(a[2]);
            s20 = Fma.MultiplyAdd(x, b0, s20);
            s21 = Fma.MultiplyAdd(x, b1, s21);
            x = Vector256.Create(a[3]);
            s30 = Fma.MultiplyAdd(x, b0, s30);
            s31 = Fma.MultiplyAdd(x, b1, s31);
            x = Vector256.Create(a[4]);
            s40 = Fma.MultiplyAdd(x, b0, s40);
            s41 = Fma.MultiplyAdd(x, b1, s41);
            x = Vector256.Create(a[5]);
            s50 = Fma.MultiplyAdd(x, b0, s50);
            s51 = Fma.MultiplyAdd(x, b1, s51);
        }

        Store(c, s00, s01, accumulate);
        Store(c += stride, s10, s11, accumulate);
        Store(c += stride, s20, s21, accumulate);
        Store(c += stride, s30, s31, accumulate);
        Store(c += stride, s40, s41, accumulate);
        Store(c + stride, s50, s51, accumulate);
    }

    private static void MultiplyPortablePart(int depth, float* a, float* b, float* c, nint stride, bool accumulate)
    {
        Vector128<float> s00 = default, s01 = default, s10 = default, s11 = default, s20 = default, s21 = default, s30 = default, s31 = default;
        for (float* end = a + (nint)depth * Rows; a < end; a += Rows, b += Columns)
        {
            Vector128<float> b0 = Vector128.Load(b), b1 = Vector128.Load(b + 4);
            Vector128<float> x = Vector128.Create(a[0]);
            s00 = Vector128.FusedMultiplyAdd(x, b0, s00);
            s01 = Vector128.FusedMultiplyAdd(x, b1, s01);
            x = Vector128.Create(a[1]);
            s10 = Vector128.FusedMultiplyAdd(x, b0, s10);
            s11 = Vector128.FusedMultiplyAdd(x, b1, s11);
            x = Vector128.Create(a[2]);
            s20 = Vector128.FusedMultiplyAdd(x, b0, s20);
            s21 = Vector128.FusedMultiplyAdd(x, b1, s21);
            x = Vector128.Create(a[3]);
            s30 = Vector128.FusedMultiplyAdd(x, b0, s30);
            s31 = Vector128.FusedMultiplyAdd(x, b1, s31);
        }

        Store(c, s00, s01, accumulate);
        Store(c += stride, s10, s11, accumulate);
        Store(c += stride, s20, s21, accumulate);
        Store(c + stride, s30, s31, accumulate);
    }

    private static void Store(float* c, Vector512<float> low, Vector512<float> high, bool accumulate)
    {
        (accumulate ? low + Vector512.Load(c) : low).Store(c);
        (accumulate ? high + Vector512.Load(c + 16) : high).Store(c + 16);
    }

    private static void Store(float* c, Vector256<float> low, Vector256<float> high, bool accumulate)
    {
        (accumulate ? low + Vector256.Load(c) : low).Store(c);
        (accumulate ? high + Vector256.Load(c + 8) : high).Store(c + 8);
    }

    private static void Store(float* c, Vector128<float> low, Vector128<float> high, bool accumulate)
    {
        (accumulate ? low + Vector128.Load(c) : low).Store(c);
        (accumulate ? high + Vector128.Load(c + 4) : high).Store(c + 4);
    }
}
