namespace Llama2.Tests;

public unsafe class ShortStripesTests
{
    /// <summary>A weight that is a multiple of the step of its block is exact, any other is the nearest one.</summary>
    [Theory]
    [InlineData(WeightFormat.F16, 256, 32)]
    [InlineData(WeightFormat.F16, 277, 21)]
    [InlineData(WeightFormat.BF16, 330, 5)]
    [InlineData(WeightFormat.BF16, 384, 32)]
    public void ReadRow_PackedRows_NearestMultiplesOfTheStep(WeightFormat format, int columns, int rows)
    {
        float[] weights = [.. PackedStripe.Random(rows * columns, 3).Select((weight, i) => i % 5 == 0 ? weight * 0.01f : i / columns % 2 == 0 ? MathF.CopySign(1, weight) - weight / 4 : weight)];
        using var stripe = new PackedStripe(format, weights, columns);
        float[] read = new float[columns];
        int rounded = 0;
        Assert.True(stripe.Ordinary);
        for (int row = 0; row < rows; row++)
        {
            StripePacker.ReadRow(format, ordinary: true, stripe.Pointer, row, read);
            float[] alone = [.. stripe.Decoded[row]];
            ShortStripes.Round(alone);
            Assert.Equal(alone, read);
            for (int column = 0; column < columns; column++)
            {
                double expected = stripe.Decoded[row][column], step = Step([.. stripe.Decoded[row].Skip(column / 32 * 32).Take(32)]);
                Assert.Equal(Math.Round(expected / step) * step, read[column]);
                rounded += expected == read[column] ? 0 : 1;
            }
        }

        Assert.InRange(rounded, rows * columns / 50, rows * columns / 3);
        for (int row = rows; row < 32; row++)
        {
            StripePacker.ReadRow(format, ordinary: true, stripe.Pointer, row, read);
            Assert.All(read, weight => Assert.Equal(0, weight));
        }

        static double Step(float[] block)
        {
            double step = Math.ScaleB(1, Math.ILogB(block.Max(MathF.Abs)) - 13), length = Math.Sqrt(block.Sum(weight => (double)weight * weight));
            return length <= 32700 * step ? step : length <= 2 * 32700 * step ? 2 * step : 4 * step;
        }
    }

    [Theory]
    [InlineData(WeightFormat.F16, 6e-8f)]
    [InlineData(WeightFormat.F16, 65504f)]
    [InlineData(WeightFormat.BF16, 1e-30f)]
    [InlineData(WeightFormat.BF16, -3e38f)]
    [InlineData(WeightFormat.BF16, 0f)]
    public void ReadRow_TinyOrHugeWeights_Exact(WeightFormat format, float weight)
    {
        using var stripe = new PackedStripe(format, [.. Enumerable.Repeat(weight, 32 * 264)], 264);
        float[] read = new float[264];
        StripePacker.ReadRow(format, stripe.Ordinary, stripe.Pointer, 31, read);
        Assert.Equal(stripe.Decoded[31], read);
    }

    [Theory]
    [InlineData(WeightFormat.F16, float.NaN)]
    [InlineData(WeightFormat.F16, float.PositiveInfinity)]
    [InlineData(WeightFormat.BF16, float.NegativeInfinity)]
    public void Pack_NotFinite_KeepsTheRows(WeightFormat format, float weight)
    {
        const int Columns = 261, Rows = 9;
        float[] weights = PackedStripe.Random(Rows * Columns, 3), read = new float[Columns];
        weights[3 * Columns + 260] = weight;
        using var stripe = new PackedStripe(format, weights, Columns);
        Assert.False(stripe.Ordinary);
        for (int row = 0; row < Rows; row++)
        {
            float[] alone = [.. stripe.Decoded[row]];
            ShortStripes.Round(alone);
            StripePacker.ReadRow(format, ordinary: false, stripe.Pointer, row, read);
            Assert.Equal(alone, read);
            Assert.Equal(row == 3 ? weight : alone[260], read[260]);
        }
    }
}
