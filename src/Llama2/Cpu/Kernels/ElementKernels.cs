using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>The element-wise steps of a transformer block, the same bits with every instruction set.</summary>
/// <remarks>
/// Sums keep <see cref="DotKernels"/>'s order; the exponential is our own, one fixed sequence of fused multiply-adds per element, since the
/// libraries' bits depend on the width of the registers. Additions and multiplications of single elements are exact in that sense anyway. What a forward
/// pass calls is compiled once and for good, as the kernels are: the first tokens do not wait for a second compilation.
/// </remarks>
internal static unsafe class ElementKernels
{
    /// <summary>output = input ÷ √(mean of squares + ε) · weight (Zhang and Sennrich 2019).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RmsNorm(float* input, float* weight, float epsilon, float* output, int length)
    {
        float scale = 1 / MathF.Sqrt(DotKernels.Dot(input, input, length) / length + epsilon);
        int i = 0;
        for (; i + 8 <= length; i += 8)
        {
            (Vector256.Load(input + i) * scale * Vector256.Load(weight + i)).Store(output + i);
        }

        for (; i < length; i++)
        {
            output[i] = input[i] * scale * weight[i];
        }
    }

    /// <summary>sum[i] += addend[i].</summary>
    public static void Add(float* addend, float* sum, long length)
    {
        for (long i = 0; i < length; i += int.MaxValue)
        {
            int count = (int)Math.Min(int.MaxValue, length - i);
            var result = new Span<float>(sum + i, count);
            TensorPrimitives.Add(new ReadOnlySpan<float>(addend + i, count), result, result);
        }
    }

    /// <summary>values[i] *= factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(float* values, float factor, int length)
    {
        int i = 0;
        for (; i + 8 <= length; i += 8)
        {
            (Vector256.Load(values + i) * factor).Store(values + i);
        }

        for (; i < length; i++)
        {
            values[i] *= factor;
        }
    }

    /// <summary>Turns the pairs (i, i + half) of one head by their angles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(float* head, float* cosines, float* sines, int half)
    {
        int i = 0;
        for (; i + 8 <= half; i += 8)
        {
            Vector256<float> x = Vector256.Load(head + i), y = Vector256.Load(head + half + i);
            Vector256<float> cosine = Vector256.Load(cosines + i), sine = Vector256.Load(sines + i);
            (x * cosine - y * sine).Store(head + i);
            (y * cosine + x * sine).Store(head + half + i);
        }

        for (; i < half; i++)
        {
            float x = head[i], y = head[i + half];
            head[i] = x * cosines[i] - y * sines[i];
            head[i + half] = y * cosines[i] + x * sines[i];
        }
    }

    /// <summary>gate = gate · σ(gate) · up (Shazeer 2020).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SwiGlu(float* gate, float* up, int length)
    {
        float* buffer = stackalloc float[16];
        int start = 0;
        for (; Avx512F.IsSupported && start + 16 <= length; start += 16)
        {
            Vector512<float> wide = Vector512.Load(gate + start);
            (wide / (Vector512<float>.One + Exp(-wide)) * Vector512.Load(up + start)).Store(gate + start);
        }

        for (int i = start; i < length; i += 8)
        {
            int count = Math.Min(8, length - i);
            if (count == 8)
            {
                Gated(Vector256.Load(gate + i), Vector256.Load(up + i)).Store(gate + i);
            }
            else
            {
                new Span<float>(buffer, 16).Clear();
                new ReadOnlySpan<float>(gate + i, count).CopyTo(new Span<float>(buffer, 8));
                new ReadOnlySpan<float>(up + i, count).CopyTo(new Span<float>(buffer + 8, 8));
                Gated(Vector256.Load(buffer), Vector256.Load(buffer + 8)).Store(buffer);
                new ReadOnlySpan<float>(buffer, count).CopyTo(new Span<float>(gate + i, count));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector256<float> Gated(Vector256<float> gate, Vector256<float> up) =>
            gate / (Vector256<float>.One + Exp(-gate)) * up;
    }

    /// <summary>values = e^(value − largest).</summary>
    /// <returns>The largest value and the sum of the results; −∞ and 0 where there are none.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (float Largest, float Sum) Exponentiate(float* values, int length)
    {
        if (length == 0)
        {
            return (float.NegativeInfinity, 0);
        }

        float largest = Largest(values, length);
        Vector256<float> low = default, high = default;                       // 16 lanes of partial sums, whatever the registers
        float* buffer = stackalloc float[16];
        int i = 0;
        if (Avx512F.IsSupported)
        {
            Vector512<float> shift = Vector512.Create(largest), sums = default;
            for (; i + 16 <= length; i += 16)
            {
                Vector512<float> power = Exp(Vector512.Load(values + i) - shift);
                sums += power;
                power.Store(values + i);
            }

            (low, high) = (sums.GetLower(), sums.GetUpper());
        }

        for (; i < length; i += 16)
        {
            int count = Math.Min(16, length - i);
            float* at = values + i;
            if (count < 16)
            {
                new Span<float>(buffer, 16).Fill(float.NegativeInfinity);     // e^−∞ = 0 adds nothing
                new ReadOnlySpan<float>(at, count).CopyTo(new Span<float>(buffer, 16));
                at = buffer;
            }

            Vector256<float> shift = Vector256.Create(largest);
            Vector256<float> first = Exp(Vector256.Load(at) - shift), second = Exp(Vector256.Load(at + 8) - shift);
            low += first;
            high += second;
            first.Store(at);
            second.Store(at + 8);
            if (count < 16)
            {
                new ReadOnlySpan<float>(buffer, count).CopyTo(new Span<float>(values + i, count));
            }
        }

        Vector256<float> eight = low + high;
        Vector128<float> four = eight.GetLower() + eight.GetUpper();
        Vector64<float> two = four.GetLower() + four.GetUpper();
        return (largest, two[0] + two[1]);
    }

    /// <summary>The largest of one or more values; any, if one of them is no number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Largest(float* values, int length)
    {
        float largest = float.NegativeInfinity;
        int i = 0;
        Vector256<float> lanes = Vector256.Create(largest);
        if (Avx512F.IsSupported)
        {
            Vector512<float> wide = Vector512.Create(largest);
            for (; i + 16 <= length; i += 16)
            {
                wide = Vector512.MaxNative(wide, Vector512.Load(values + i));
            }

            lanes = Vector256.MaxNative(wide.GetLower(), wide.GetUpper());
        }

        for (; i + 8 <= length; i += 8)
        {
            lanes = Vector256.MaxNative(lanes, Vector256.Load(values + i));
        }

        for (int lane = 0; lane < 8; lane++)
        {
            largest = MathF.Max(largest, lanes[lane]);
        }

        for (; i < length; i++)
        {
            largest = MathF.Max(largest, values[i]);
        }

        return largest;
    }

    /// <inheritdoc cref="Exp(Vector256{float})"/>
    public static float Exp(float x) => Exp(Vector256.Create(x)).ToScalar();

    /// <summary>sum[i] += factor · values[i], fused.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled(float factor, float* values, float* sum, int length)
    {
        Vector256<float> factors = Vector256.Create(factor);
        int i = 0;
        for (; i + 8 <= length; i += 8)
        {
            Vector256.FusedMultiplyAdd(factors, Vector256.Load(values + i), Vector256.Load(sum + i)).Store(sum + i);
        }

        for (; i < length; i++)
        {
            sum[i] = MathF.FusedMultiplyAdd(factor, values[i], sum[i]);
        }
    }

    /// <inheritdoc cref="Exp(Vector256{float})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> n = Vector512.Round(x * Vector512.Create(1.44269504f));
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693359375f), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(2.12194440e-4f), r);
        Vector512<float> p = Vector512.Create(1f / 5040);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 720));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 120));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 24));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 6));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.5f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One);
        Vector512<int> exponent = Vector512.ConvertToInt32(Vector512.Min(Vector512.Max(n, Vector512.Create(-127f)), Vector512.Create(127f)));
        Vector512<float> power = ((exponent + Vector512.Create(127)) << 23).AsSingle();
        Vector512<float> result = p * power;
        result = Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-87f)), Vector512<float>.Zero, result);
        result = Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512.Create(88f)), Vector512.Create(float.PositiveInfinity), result);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x), result, x);
    }

    /// <summary>
    /// e^x within 2 units in the last place from −87 to 88; 0 below, +∞ above, NaN stays NaN. x = n · ln 2 + r with |r| ≤ ½ ln 2, and e^r by its
    /// Taylor polynomial of degree 7 (error below 2⁻²⁷).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> Exp(Vector256<float> x)
    {
        Vector256<float> n = Vector256.Round(x * Vector256.Create(1.44269504f));
        Vector256<float> r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-0.693359375f), x);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(2.12194440e-4f), r);       // ln 2 in two parts: 355/512 and the rest
        Vector256<float> p = Vector256.Create(1f / 5040);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1f / 720));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1f / 120));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1f / 24));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1f / 6));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.5f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256<float>.One);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256<float>.One);
        Vector256<int> exponent = Vector256.ConvertToInt32(Vector256.Min(Vector256.Max(n, Vector256.Create(-127f)), Vector256.Create(127f)));
        Vector256<float> power = ((exponent + Vector256.Create(127)) << 23).AsSingle();
        Vector256<float> result = p * power;
        result = Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256.Create(-87f)), Vector256<float>.Zero, result);
        result = Vector256.ConditionalSelect(Vector256.GreaterThan(x, Vector256.Create(88f)), Vector256.Create(float.PositiveInfinity), result);
        return Vector256.ConditionalSelect(Vector256.Equals(x, x), result, x);
    }
}
