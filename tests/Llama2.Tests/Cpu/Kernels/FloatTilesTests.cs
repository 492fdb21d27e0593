using Llama2.Testing;

namespace Llama2.Tests;

public unsafe class FloatTilesTests
{
    private const int Columns = 45;

    /// <summary>Inputs, the format, and the largest weight: halves of 64 and more are not raised.</summary>
    public static IEnumerable<object[]> Tiles =>
        from rows in Enumerable.Range(1, StripeKernels.MostInputs)
        from weights in new[] { (WeightFormat.F32, 1f), (WeightFormat.F16, 1f), (WeightFormat.F16, 100f), (WeightFormat.BF16, 1f) }
        select new object[] { rows, weights.Item1, weights.Item2 };

    [Avx512Theory]
    [MemberData(nameof(Tiles))]
    public void Avx512_AnyRows_SameBitsAsScalar(int rows, WeightFormat format, float largest) => Compare<Floats512>(rows, format, largest);

    [Avx2Theory]
    [MemberData(nameof(Tiles))]
    public void Avx2_AnyRows_SameBitsAsScalar(int rows, WeightFormat format, float largest) => Compare<Floats256>(rows, format, largest);

    [AdvSimdTheory]
    [MemberData(nameof(Tiles))]
    public void AdvSimd_AnyRows_SameBitsAsScalar(int rows, WeightFormat format, float largest) => Compare<Floats128>(rows, format, largest);

    [Theory]
    [MemberData(nameof(Tiles))]
    public void Scalar_AnyRows_NearDoublePrecision(int rows, WeightFormat format, float largest)
    {
        using PackedStripe stripe = Stripe(format, largest);
        float[] inputs = PackedStripe.Random(rows * Columns, 6), sums = Run<Floats32>(stripe, rows, format);
        for (int input = 0; input < rows; input++)
        {
            for (int row = 0; row < 32; row++)
            {
                double exact = stripe.Decoded[row].Zip(inputs.Skip(input * Columns), (w, x) => (double)w * x).Sum();
                Assert.Equal(1 + exact, sums[input * 40 + row], 1e-5 * largest);       // the sums go on from 1
            }
        }
    }

    /// <summary>Halves in a single's place, and inputs that make up for it: nothing is rounded otherwise.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(8)]
    public void AddPlain_HalvesInPlace_SameBitsAsWidened(int rows)
    {
        using PackedStripe stripe = Stripe(WeightFormat.F16, 1);
        using var inputs = new RandomInputs(rows, Columns, 6);
        Assert.True(stripe.Raised);
        float[] expected = new float[32 * rows], sums = new float[32 * rows];
        fixed (float* one = expected, other = sums)
        {
            for (int i = 0; i < rows; i += StripeKernels.InputsOf(WeightFormat.F16))
            {
                int count = Math.Min(rows - i, StripeKernels.InputsOf(WeightFormat.F16));
                float* from = inputs.Tiles.Floats + i * Columns;
                StripeKernels.AddPlain(PlainForm.RaisedHalves, stripe.Pointer, from, Columns, count, Columns, one + 32 * i, 32, ReadAhead.None);
                ElementKernels.Scale(from, 1 / HalfBits.InPlaceOfRaised, count * Columns);
                StripeKernels.AddPlain(PlainForm.HalvesInPlace, stripe.Pointer, from, Columns, count, Columns, other + 32 * i, 32, ReadAhead.None);
            }
        }

        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), sums.Select(BitConverter.SingleToInt32Bits));
    }

    [Fact]
    public void Widen_EverySixteenBits_SameAsTheCodecOrStaysNoNumber()
    {
        ushort[] bits = [.. Enumerable.Range(0, 1 << 16).Select(value => (ushort)value)];
        float[] widened = new float[bits.Length], decoded = new float[bits.Length];
        foreach (WeightFormat format in new[] { WeightFormat.F16, WeightFormat.BF16 })
        {
            fixed (ushort* from = bits)
            fixed (float* to = widened)
            {
                StripeKernels.Widen(format == WeightFormat.F16 ? PlainForm.Halves : PlainForm.BrainHalves, (byte*)from, bits.Length, to, default(NothingAhead));
                WeightCodec.DecodeScalar(format, new ReadOnlySpan<byte>(from, 2 * bits.Length), decoded);
            }

            Assert.All(decoded.Zip(widened), pair => Assert.True(
                float.IsNaN(pair.First) ? !float.IsFinite(pair.Second) : BitConverter.SingleToInt32Bits(pair.First) == BitConverter.SingleToInt32Bits(pair.Second)));
        }
    }

    private static PackedStripe Stripe(WeightFormat format, float largest)
    {
        float[] weights = PackedStripe.Random(32 * Columns, 5);
        weights[7] = largest;
        return new PackedStripe(format, weights, Columns);
    }

    private static void Compare<TFloats>(int rows, WeightFormat format, float largest)
        where TFloats : struct, IFloatLanes<TFloats>
    {
        using PackedStripe stripe = Stripe(format, largest);
        Assert.Equal(format != WeightFormat.F16 || largest < 64, stripe.Raised);
        Assert.Equal(
            Run<Floats32>(stripe, rows, format).Select(BitConverter.SingleToInt32Bits),
            Run<TFloats>(stripe, rows, format).Select(BitConverter.SingleToInt32Bits));
    }

    private static float[] Run<TFloats>(PackedStripe stripe, int rows, WeightFormat format)
        where TFloats : struct, IFloatLanes<TFloats>
    {
        const int Stride = 40;
        float[] sums = [.. Enumerable.Repeat(1f, Stride * rows)];
        using var inputs = new RandomInputs(rows, Columns, 6);
        fixed (float* to = sums)
        {
            for (int row = 0; row < 32; row += 2 * TFloats.Count)
            {
                byte* weights = stripe.Pointer + row * format.BlockBytes();
                switch (format)
                {
                    case WeightFormat.F32: Add<Singles>(weights, to + row); break;
                    case WeightFormat.F16 when stripe.Raised: Add<RaisedHalves>(weights, to + row); break;
                    case WeightFormat.F16: Add<Halves>(weights, to + row); break;
                    default: Add<BrainHalves>(weights, to + row); break;
                }
            }
        }

        return sums;

        void Add<TWeights>(byte* weights, float* to)
            where TWeights : struct, IPlainWeights
        {
            float* input = inputs.Tiles.Floats;
            switch (rows)
            {
                case 1: FloatTiles.Add<OneRow, TWeights, TFloats, LinesAhead>(weights, input, Columns, Columns, to, Stride, default(LinesAhead)); break;
                case 2: FloatTiles.Add<TwoRows, TWeights, TFloats, LinesAhead>(weights, input, Columns, Columns, to, Stride, default(LinesAhead)); break;
                case 3: FloatTiles.Add<ThreeRows, TWeights, TFloats, LinesAhead>(weights, input, Columns, Columns, to, Stride, default(LinesAhead)); break;
                case 4: FloatTiles.Add<FourRows, TWeights, TFloats, LinesAhead>(weights, input, Columns, Columns, to, Stride, default(LinesAhead)); break;
                case 5: FloatTiles.Add<FiveRows, TWeights, TFloats, LinesAhead>(weights, input, Columns, Columns, to, Stride, default(LinesAhead)); break;
                case 6: FloatTiles.Add<SixRows, TWeights, TFloats, LinesAhead>(weights, input, Columns, Columns, to, Stride, default(LinesAhead)); break;
                case 7: FloatTiles.Add<SevenRows, TWeights, TFloats, LinesAhead>(weights, input, Columns, Columns, to, Stride, default(LinesAhead)); break;
                default: FloatTiles.Add<EightRows, TWeights, TFloats, LinesAhead>(weights, input, Columns, Columns, to, Stride, default(LinesAhead)); break;
            }
        }
    }
}
