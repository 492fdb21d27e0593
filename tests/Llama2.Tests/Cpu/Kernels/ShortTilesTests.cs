using Llama2.Testing;

namespace Llama2.Tests;

public unsafe class ShortTilesTests
{
    private const int Columns = 301;                                          // nine whole blocks and a part of one

    private delegate void Kernel(byte* stripe, int row, ShortTile input, int blocks, float* sums, int stride);

    public static IEnumerable<object[]> Tiles =>
        from format in new[] { WeightFormat.F16, WeightFormat.BF16 } from rows in Enumerable.Range(1, 6) select new object[] { rows, format };

    [Vnni512Theory]
    [MemberData(nameof(Tiles))]
    public void Vnni512_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare<DotShorts512, Floats512>(rows, format);

    [Avx512Theory]
    [MemberData(nameof(Tiles))]
    public void Avx512_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare<Shorts512, Floats512>(rows, format);

    [VnniTheory]
    [MemberData(nameof(Tiles))]
    public void Vnni_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare<DotShorts256, Floats256>(rows, format);

    [Avx2Theory]
    [MemberData(nameof(Tiles))]
    public void Avx2_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare<Shorts256, Floats256>(rows, format);

    [AdvSimdTheory]
    [MemberData(nameof(Tiles))]
    public void AdvSimd_AnyRows_SameBitsAsScalar(int rows, WeightFormat format) => Compare<Shorts128, Floats128>(rows, format);

    [Theory]
    [MemberData(nameof(Tiles))]
    public void Scalar_AnyRows_NearDoublePrecision(int rows, WeightFormat format)
    {
        using var stripe = new PackedStripe(format, PackedStripe.Random(32 * Columns, 5), Columns);
        using var inputs = new RandomInputs(rows, Columns, 6, most: 6);
        float[] sums = Run<Shorts32, Floats32>(rows, stripe, inputs);
        for (int row = 0; row < 32; row++)
        {
            for (int input = 0; input < rows; input++)
            {
                double exact = stripe.Decoded[row].Zip(inputs.Values.Skip(input * Columns), (w, x) => (double)w * x).Sum();
                Assert.Equal(exact, sums[input * 32 + row], 1e-3);            // some five deviations of what inputs and weights are rounded by
            }
        }
    }

    /// <summary>Weights and inputs at the end of their range, spread out or in one column: what an overflow of 32 bits would show first.</summary>
    [Theory]
    [InlineData(1, 1, false)]
    [InlineData(-1, 1, false)]
    [InlineData(1, -1, true)]
    [InlineData(-1, -1, true)]
    public void MultiplyShorts_LargestValues_NearExactSums(int sign, int inputSign, bool oneColumn)
    {
        float* sums = stackalloc float[32];
        float[] x = [.. Enumerable.Range(0, Columns).Select(column => inputSign * (oneColumn && column % 32 != 5 ? 0f : 1f))];
        using var stripe = new PackedStripe(WeightFormat.F16, [.. Enumerable.Repeat(sign * 1.9990234f, Columns * 32)], Columns);
        using var inputs = new RandomInputs(x, Columns, most: 6);
        StripeKernels.MultiplyShorts(stripe.Pointer, 1, inputs.Tiles.Shorts(0), 1, Columns, sums, cached: false);
        double expected = stripe.Decoded[0].Zip(x, (w, v) => (double)w * v).Sum();
        for (int row = 0; row < 32; row++)
        {
            Assert.Equal(expected, sums[row], 1e-4 * Math.Abs(expected));
        }
    }

    private static void Compare<TShorts, TFloats>(int rows, WeightFormat format)
        where TShorts : struct, IShortLanes<TShorts, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        using var stripe = new PackedStripe(format, PackedStripe.Random(32 * Columns, 5), Columns);
        using var inputs = new RandomInputs(rows, Columns, 6, most: 6);
        Assert.Equal(
            Run<Shorts32, Floats32>(rows, stripe, inputs).Select(BitConverter.SingleToInt32Bits), Run<TShorts, TFloats>(rows, stripe, inputs).Select(BitConverter.SingleToInt32Bits));
    }

    private static float[] Run<TShorts, TFloats>(int rows, PackedStripe stripe, RandomInputs inputs)
        where TShorts : struct, IShortLanes<TShorts, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        float[] sums = new float[32 * rows];
        Kernel kernel = new Kernels<TShorts, TFloats>().Of(rows);
        fixed (float* to = sums)
        {
            for (int row = 0; row < 32; row += 2 * TFloats.Count)
            {
                kernel(stripe.Pointer, row, inputs.Tiles.Shorts(0), ShortTile.BlocksOf(Columns), to + row, 32);
            }
        }

        return sums;
    }

    private sealed class Kernels<TShorts, TFloats> : ITileKernels<Kernel>
        where TShorts : struct, IShortLanes<TShorts, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        public Kernel Get<TRows>()
            where TRows : struct, ITileRows => ShortTiles.Multiply<TRows, TShorts, TFloats, LinesAhead>;
    }
}
