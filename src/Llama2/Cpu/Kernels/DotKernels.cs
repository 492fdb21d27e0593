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

    /// <summary>The instruction set that <see cref="Dot"/> and <see cref="Multiply"/> use.</summary>
    public static string InstructionSet =>
        Avx512F.IsSupported ? "AVX-512" : Fma.IsSupported ? "AVX2" : AdvSimd.Arm64.IsSupported ? "AdvSimd" : "scalar";

    /// <summary>Σ x[i] · y[i].</summary>
    public static float Dot(float* x, float* y, int length) =>
        Avx512F.IsSupported ? DotAvx512(x, y, length) :
        Fma.IsSupported ? DotAvx2(x, y, length) :
        AdvSimd.Arm64.IsSupported ? DotAdvSimd(x, y, length) : DotScalar(x, y, length);

    /// <summary>output[t · stride + r] = Σ rows[r, c] · inputs[t, c]: tiles of 4 rows × 4 inputs, so that a loaded value serves four times.</summary>
    /// <param name="rows">[rowCount, columns].</param>
    /// <param name="rowCount">Rows.</param>
    /// <param name="inputs">[inputCount, columns].</param>
    /// <param name="inputCount">Inputs.</param>
    /// <param name="columns">Length of a dot product.</param>
    /// <param name="output">[inputCount, stride], of which rowCount columns are written.</param>
    /// <param name="stride">Distance of two inputs' outputs.</param>
    public static void Multiply(float* rows, int rowCount, float* inputs, int inputCount, int columns, float* output, nint stride)
    {
        int input = 0;
        for (; input + 4 <= inputCount; input += 4)
        {
            int row = 0;
            for (; row + 4 <= rowCount; row += 4)
            {
                float* tileRows = rows + (nint)row * columns, tileInputs = inputs + (nint)input * columns;
                Tile4x4(tileRows, tileInputs, columns, output + input * stride + row, stride);
            }

            for (; row < rowCount; row++)
            {
                for (int i = input; i < input + 4; i++)
                {
                    output[i * stride + row] = Dot(rows + (nint)row * columns, inputs + (nint)i * columns, columns);
                }
            }
        }

        for (; input < inputCount; input++)
        {
            int row = 0;
            for (; row + 4 <= rowCount; row += 4)
            {
                Tile4x1(rows + (nint)row * columns, inputs + (nint)input * columns, columns, output + input * stride + row);
            }

            for (; row < rowCount; row++)
            {
                output[input * stride + row] = Dot(rows + (nint)row * columns, inputs + (nint)input * columns, columns);
            }
        }
    }

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

    /// <summary>Four rows against one input: four independent chains hide the latency of the multiply-add.</summary>
    private static void Tile4x1(float* rows, float* input, int columns, float* output)
    {
        if (!Avx512F.IsSupported)
        {
            for (int row = 0; row < 4; row++)
            {
                output[row] = Dot(rows + (nint)row * columns, input, columns);
            }

            return;
        }

        float* row1 = rows + columns, row2 = row1 + columns, row3 = row2 + columns;
        Vector512<float> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        int i = 0;
        for (; i + Lanes <= columns; i += Lanes)
        {
            Vector512<float> x = Vector512.Load(input + i);
            sum0 = Avx512F.FusedMultiplyAdd(Vector512.Load(rows + i), x, sum0);
            sum1 = Avx512F.FusedMultiplyAdd(Vector512.Load(row1 + i), x, sum1);
            sum2 = Avx512F.FusedMultiplyAdd(Vector512.Load(row2 + i), x, sum2);
            sum3 = Avx512F.FusedMultiplyAdd(Vector512.Load(row3 + i), x, sum3);
        }

        if (i < columns)
        {
            sum0 = AddTail(rows + i, input + i, columns - i, sum0);
            sum1 = AddTail(row1 + i, input + i, columns - i, sum1);
            sum2 = AddTail(row2 + i, input + i, columns - i, sum2);
            sum3 = AddTail(row3 + i, input + i, columns - i, sum3);
        }

        output[0] = Fold(sum0);
        output[1] = Fold(sum1);
        output[2] = Fold(sum2);
        output[3] = Fold(sum3);
    }

    /// <summary>Four rows against four inputs: 8 loads for 16 multiply-adds. The sums of one input stand in one group of four.</summary>
    private static void Tile4x4(float* rows, float* inputs, int columns, float* output, nint stride)
    {
        if (!Avx512F.IsSupported)
        {
            for (int input = 0; input < 4; input++)
            {
                Tile4x1(rows, inputs + (nint)input * columns, columns, output + input * stride);
            }

            return;
        }

        float* row1 = rows + columns, row2 = row1 + columns, row3 = row2 + columns;
        float* input1 = inputs + columns, input2 = input1 + columns, input3 = input2 + columns;
        Vector512<float> s00 = default, s01 = default, s02 = default, s03 = default, s10 = default, s11 = default, s12 = default, s13 = default;
        Vector512<float> s20 = default, s21 = default, s22 = default, s23 = default, s30 = default, s31 = default, s32 = default, s33 = default;
        int full = columns - columns % Lanes;
        for (int i = 0; i < full; i += Lanes)
        {
            Vector512<float> w0 = Vector512.Load(rows + i), w1 = Vector512.Load(row1 + i), w2 = Vector512.Load(row2 + i), w3 = Vector512.Load(row3 + i);
            Vector512<float> x = Vector512.Load(inputs + i);
            s00 = Avx512F.FusedMultiplyAdd(w0, x, s00);
            s01 = Avx512F.FusedMultiplyAdd(w1, x, s01);
            s02 = Avx512F.FusedMultiplyAdd(w2, x, s02);
            s03 = Avx512F.FusedMultiplyAdd(w3, x, s03);
            x = Vector512.Load(input1 + i);
            s10 = Avx512F.FusedMultiplyAdd(w0, x, s10);
            s11 = Avx512F.FusedMultiplyAdd(w1, x, s11);
            s12 = Avx512F.FusedMultiplyAdd(w2, x, s12);
            s13 = Avx512F.FusedMultiplyAdd(w3, x, s13);
            x = Vector512.Load(input2 + i);
            s20 = Avx512F.FusedMultiplyAdd(w0, x, s20);
            s21 = Avx512F.FusedMultiplyAdd(w1, x, s21);
            s22 = Avx512F.FusedMultiplyAdd(w2, x, s22);
            s23 = Avx512F.FusedMultiplyAdd(w3, x, s23);
            x = Vector512.Load(input3 + i);
            s30 = Avx512F.FusedMultiplyAdd(w0, x, s30);
            s31 = Avx512F.FusedMultiplyAdd(w1, x, s31);
            s32 = Avx512F.FusedMultiplyAdd(w2, x, s32);
            s33 = Avx512F.FusedMultiplyAdd(w3, x, s33);
        }

        Finish(inputs, s00, s01, s02, s03, output);
        Finish(input1, s10, s11, s12, s13, output + stride);
        Finish(input2, s20, s21, s22, s23, output + 2 * stride);
        Finish(input3, s30, s31, s32, s33, output + 3 * stride);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        void Finish(float* input, Vector512<float> sum0, Vector512<float> sum1, Vector512<float> sum2, Vector512<float> sum3, float* to)
        {
            if (full < columns)
            {
                int left = columns - full;
                sum0 = AddTail(rows + full, input + full, left, sum0);
                sum1 = AddTail(row1 + full, input + full, left, sum1);
                sum2 = AddTail(row2 + full, input + full, left, sum2);
                sum3 = AddTail(row3 + full, input + full, left, sum3);
            }

            to[0] = Fold(sum0);
            to[1] = Fold(sum1);
            to[2] = Fold(sum2);
            to[3] = Fold(sum3);
        }
    }

    private static Vector512<float> AddTail(float* x, float* y, int count, Vector512<float> sum)
    {
        float* tail = stackalloc float[2 * Lanes];
        CopyTails(x, y, count, tail);
        return Avx512F.FusedMultiplyAdd(Vector512.Load(tail), Vector512.Load(tail + Lanes), sum);
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
