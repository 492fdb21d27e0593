using Llama2.Testing;

namespace Llama2.Tests;

public unsafe class ByteTilesTests
{
    private const int Columns = 96;

    private delegate void Kernel(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums, int stride);

    public static IEnumerable<object[]> Tiles =>
        from format in new[] { WeightFormat.Q8_0, WeightFormat.Q4_0 } from rows in Enumerable.Range(1, format == WeightFormat.Q8_0 ? 6 : 8) select new object[] { rows, format };

    [Avx512Theory]
    [MemberData(nameof(Tiles))]
    public void Avx512_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare(
        rows, format, Floats512.Count, format == WeightFormat.Q4_0 ? new OneRegister<NibbleWeights, Bytes512, Floats512>().Of(rows) : new SplitBytes<Bytes512, Floats512>().Of(rows), Bytes512.SumsAreHalves);

    [Avx2Theory]
    [MemberData(nameof(Tiles))]
    public void Avx2_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare(
        rows, format, Floats256.Count, format == WeightFormat.Q4_0 ? new OneRegister<NibbleWeights, Bytes256, Floats256>().Of(rows) : new SplitBytes<Bytes256, Floats256>().Of(rows), Bytes256.SumsAreHalves);

    [VnniTheory]
    [MemberData(nameof(Tiles))]
    public void Vnni_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => CompareDot<DotBytes256, Floats256>(rows, format);

    [Avx512VnniTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void JoinedVnni_AnyRows_SameBitsAsScalar(int rows) => Compare(rows, WeightFormat.Q8_0, Floats512.Count, new JoinedBytes().Of(rows));

    [Vnni512Theory]
    [MemberData(nameof(Tiles))]
    public void Vnni512_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare(
        rows, format, Floats512.Count,
        format == WeightFormat.Q4_0 ? new OneRegister<NibbleWeights, DotBytes512, Floats512>().Of(rows) : new OneRegister<ByteWeights, DotBytes512, Floats512>().Of(rows));

    [Vnni512Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Vnni512_BothPanelsAtOnce_SameBitsAsOneAfterTheOther(int rows)
    {
        using var stripe = new PackedStripe(WeightFormat.Q8_0, PackedStripe.Random(32 * Columns, 5), Columns);
        using var inputs = new RandomInputs(rows, Columns, 6, sumsAreHalves: false);
        float[] both = new float[32 * rows], each = new float[32 * rows];
        fixed (float* to = both)
        {
            StripeKernels.MultiplyBytes(WeightFormat.Q8_0, stripe.Pointer, 1, inputs.Tiles.Bytes(0), rows, Columns, to, cached: true);
        }

        fixed (float* to = each)
        {
            for (int panel = 0; panel < 2; panel++)
            {
                new OneRegister<ByteWeights, DotBytes512, Floats512>().Of(rows)(
                    StripePacker.Weights(WeightFormat.Q8_0, stripe.Pointer, panel, Columns), StripePacker.Scales(WeightFormat.Q8_0, stripe.Pointer, panel, Columns),
                    inputs.Tiles.Bytes(0), Columns / 32, to + 16 * panel, 32);
            }
        }

        Assert.Equal(each.Select(BitConverter.SingleToInt32Bits), both.Select(BitConverter.SingleToInt32Bits));
    }

    [ArmDotTheory]
    [MemberData(nameof(Tiles))]
    public void ArmDot_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => CompareDot<DotBytes128, Floats128>(rows, format);

    [Theory]
    [InlineData(WeightFormat.Q8_0)]
    [InlineData(WeightFormat.Q4_0)]
    public void Scalar_LargestValues_EqualsExactSums(WeightFormat format)
    {
        float* sums = stackalloc float[32];

        // Every weight and input at the end of its range: what an overflow of 16 bits would show first.
        foreach ((float weight, float input) in new[] { (1f, 1f), (-1f, 1f), (1f, -1f), (-1f, -1f) })
        {
            float[] x = [.. Enumerable.Repeat(input, Columns)];
            using var stripe = new PackedStripe(format, [.. Enumerable.Repeat(weight, Columns * 32)], Columns);
            using var inputs = new RandomInputs(x, Columns);
            StripeKernels.MultiplyBytes(format, stripe.Pointer, 1, inputs.Tiles.Bytes(0), 1, Columns, sums, cached: false);
            double expected = stripe.Decoded[0].Zip(x, (w, v) => (double)w * v).Sum();
            for (int row = 0; row < 32; row++)
            {
                Assert.Equal(expected, sums[row], 1e-3);
            }
        }
    }

    private static void CompareDot<TBytes, TFloats>(int rows, WeightFormat format)
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats> => Compare(rows, format, WidthOfDot<TFloats>(format), Dot<TBytes, TFloats>(rows, format));

    private static Kernel Dot<TBytes, TFloats>(int rows, WeightFormat format)
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats> =>
        format == WeightFormat.Q4_0 ? new OneRegister<NibbleWeights, TBytes, TFloats>().Of(rows) : new TwoRegisters<TBytes, TFloats>().Of(rows);

    private static int WidthOfDot<TFloats>(WeightFormat format)
        where TFloats : struct, IFloatLanes<TFloats> => TFloats.Count * (format == WeightFormat.Q4_0 ? 1 : 2);

    private static void Compare(int rows, WeightFormat format, int width, Kernel kernel, bool sumsAreHalves = false)
    {
        using var stripe = new PackedStripe(format, PackedStripe.Random(32 * Columns, 5), Columns);
        using var inputs = new RandomInputs(rows, Columns, 6, sumsAreHalves);
        using var scalar = new RandomInputs(rows, Columns, 6, DotBytes32.SumsAreHalves);
        float[] expected = Run(Dot<DotBytes32, Floats32>(rows, format), WidthOfDot<Floats32>(format), scalar);
        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), Run(kernel, width, inputs).Select(BitConverter.SingleToInt32Bits));
        for (int row = 0; row < 16; row++)
        {
            for (int input = 0; input < rows; input++)
            {
                double exact = stripe.Decoded[row].Zip(inputs.Values.Skip(input * Columns), (w, x) => (double)w * x).Sum();
                Assert.Equal(exact, expected[input * 16 + row], 0.15);        // inputs lose up to 1/254 of the largest in their block
            }
        }

        float[] Run(Kernel kernel, int width, RandomInputs inputs)
        {
            float[] sums = new float[16 * rows];
            fixed (float* to = sums)
            {
                for (int row = 0; row < 16; row += width)
                {
                    kernel(
                        StripePacker.Weights(format, stripe.Pointer, 0, Columns) + 4 * row,
                        StripePacker.Scales(format, stripe.Pointer, 0, Columns) + row, inputs.Tiles.Bytes(0), Columns / 32, to + row, 16);
                }
            }

            return sums;
        }
    }

    private sealed class OneRegister<TWeights, TBytes, TFloats> : ITileKernels<Kernel>
        where TWeights : struct, IBlockWeights
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        public Kernel Get<TRows>()
            where TRows : struct, ITileRows => (weights, scales, input, blocks, sums, stride) =>
                ByteTiles.OneRegister<TRows, TWeights, TBytes, TFloats, LinesAhead>(weights, scales, input, blocks, panels: 1, sums, stride);
    }

    private sealed class SplitBytes<TBytes, TFloats> : ITileKernels<Kernel>
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        public Kernel Get<TRows>()
            where TRows : struct, ITileRows => ByteTiles.BytesAsNibbles<TRows, TBytes, TFloats, LinesAhead>;
    }

    private sealed class TwoRegisters<TBytes, TFloats> : ITileKernels<Kernel>
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        public Kernel Get<TRows>()
            where TRows : struct, ITileRows => (weights, scales, input, blocks, sums, stride) =>
                ByteTiles.TwoRegisters<TRows, TBytes, TFloats, LinesAhead>(weights, scales, 4 * TFloats.Count, TFloats.Count, input, blocks, sums, stride);
    }

    private sealed class JoinedBytes : ITileKernels<Kernel>
    {
        public Kernel Get<TRows>()
            where TRows : struct, ITileRows => ByteTiles.JoinedBytes<TRows, LinesAhead>;
    }
}
