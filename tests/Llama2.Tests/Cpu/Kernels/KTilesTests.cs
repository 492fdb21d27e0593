using Llama2.Testing;

namespace Llama2.Tests;

public unsafe class KTilesTests
{
    private const int Columns = 768;

    private delegate void Kernel(byte* panel, int row, ByteTile input, int superblocks, float* sums, int stride);

    public static IEnumerable<object[]> Tiles =>
        from rows in Enumerable.Range(1, StripeKernels.MostInputs)
        from format in new[] { WeightFormat.Q4_K, WeightFormat.Q5_K, WeightFormat.Q6_K }
        select new object[] { rows, format };

    [Avx512Theory]
    [MemberData(nameof(Tiles))]
    public void Avx512_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare<Bytes512, Floats512>(rows, format);

    [Avx2Theory]
    [MemberData(nameof(Tiles))]
    public void Avx2_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare<Bytes256, Floats256>(rows, format);

    [VnniTheory]
    [MemberData(nameof(Tiles))]
    public void Vnni_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare<DotBytes256, Floats256>(rows, format);

    [Vnni512Theory]
    [MemberData(nameof(Tiles))]
    public void Vnni512_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare<DotBytes512, Floats512>(rows, format);

    [ArmDotTheory]
    [MemberData(nameof(Tiles))]
    public void ArmDot_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare<DotBytes128, Floats128>(rows, format);

    [Theory]
    [MemberData(nameof(Tiles))]
    public void Scalar_AnyRows_NearDoublePrecision(int rows, WeightFormat format)
    {
        using var stripe = new PackedStripe(format, PackedStripe.Random(32 * Columns, 5), Columns);
        using var inputs = new RandomInputs(rows, Columns, 6, DotBytes32.SumsAreHalves);
        float[] sums = Run<DotBytes32, Floats32>(rows, format, stripe, inputs);
        for (int row = 0; row < 16; row++)
        {
            for (int input = 0; input < rows; input++)
            {
                double exact = stripe.Decoded[16 + row].Zip(inputs.Values.Skip(input * Columns), (w, x) => (double)w * x).Sum();
                Assert.Equal(exact, sums[input * 16 + row], 0.3);             // inputs lose up to 1/254 of the largest in their block
            }
        }
    }

    [Theory]
    [InlineData(WeightFormat.Q4_K, 0)]
    [InlineData(WeightFormat.Q4_K, 255)]
    [InlineData(WeightFormat.Q5_K, 0)]
    [InlineData(WeightFormat.Q5_K, 255)]
    [InlineData(WeightFormat.Q6_K, 0)]
    [InlineData(WeightFormat.Q6_K, 255)]
    public void MultiplyBytes_LargestIntegers_EqualsExactSums(WeightFormat format, byte integers)
    {
        // Every integer and input at the end of its range: what an overflow of 16 bits would show first.
        byte[] row = Enumerable.Repeat(integers, (int)format.RowBytes(Columns)).ToArray();
        for (Span<byte> rest = row; rest.Length > 0; rest = rest[format.BlockBytes()..])
        {
            if (format == WeightFormat.Q6_K)
            {
                rest.Slice(192, 16).Fill(127);
                HalfBits.Write(rest[208..], 1);
            }
            else
            {
                HalfBits.Write(rest, 1);
                HalfBits.Write(rest[2..], 0.5f);
                rest.Slice(4, 12).Fill(63);
            }
        }

        float[] sums = new float[6 * 32];
        foreach (float value in new[] { 127f, -127f })
        {
            using var inputs = new RandomInputs([.. Enumerable.Repeat(value, 6 * Columns)], Columns);
            using var stripe = new PackedStripe(format, row, 1, Columns);
            double expected = stripe.Decoded[0].Sum(weight => (double)weight * value);
            fixed (float* to = sums)
            {
                StripeKernels.MultiplyBytes(format, stripe.Pointer, 1, inputs.Tiles.Bytes(0), 6, Columns, to, cached: true);
            }

            for (int input = 0; input < 6; input++)
            {
                Assert.Equal(expected, sums[32 * input], Math.Abs(expected) * 1e-6);
                Assert.Equal(0, sums[32 * input + 1]);                        // a row that is not there
            }
        }
    }

    private static void Compare<TBytes, TFloats>(int rows, WeightFormat format)
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        using var stripe = new PackedStripe(format, PackedStripe.Random(32 * Columns, 5), Columns);
        using var scalar = new RandomInputs(rows, Columns, 6, DotBytes32.SumsAreHalves);
        using var inputs = new RandomInputs(rows, Columns, 6, TBytes.SumsAreHalves);
        Assert.Equal(
            Run<DotBytes32, Floats32>(rows, format, stripe, scalar).Select(BitConverter.SingleToInt32Bits),
            Run<TBytes, TFloats>(rows, format, stripe, inputs).Select(BitConverter.SingleToInt32Bits));
    }

    private static float[] Run<TBytes, TFloats>(int rows, WeightFormat format, PackedStripe stripe, RandomInputs inputs)
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        Kernel kernel = format switch
        {
            WeightFormat.Q4_K => new Kernels<FourBits, TBytes, TFloats>().Of(rows),
            WeightFormat.Q5_K => new Kernels<FiveBits, TBytes, TFloats>().Of(rows),
            _ => new Kernels<SixBits, TBytes, TFloats>().Of(rows),
        };
        float[] sums = new float[16 * rows];
        fixed (float* to = sums)
        {
            for (int row = 0; row < 16; row += TFloats.Count)
            {
                kernel(KStripes.Panel(format, stripe.Pointer, 1, Columns), row, inputs.Tiles.Bytes(0), Columns / 256, to, 16);
            }
        }

        return sums;
    }

    private sealed class Kernels<TWeights, TBytes, TFloats> : ITileKernels<Kernel>
        where TWeights : struct, IKWeights
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        public Kernel Get<TRows>()
            where TRows : struct, ITileRows => (panel, row, input, superblocks, sums, stride) =>
                KTiles.Multiply<TRows, TWeights, TBytes, TFloats, LinesAhead>(panel, row, input, superblocks, panels: 1, sums, stride);
    }
}
