namespace Llama2.Evaluation.Tests;

public sealed class BootstrapTests
{
    [Fact]
    public void Mean_ManyValues_IsNearTheNormalApproximation()
    {
        var random = new Random(3);
        double[] values = [.. Enumerable.Range(0, 400).Select(_ => random.NextDouble())];
        double mean = values.Average(), error = Math.Sqrt(values.Average(value => (value - mean) * (value - mean)) / values.Length);

        ConfidenceInterval interval = Bootstrap.Mean(values, new BootstrapOptions { Resamples = 4000 });

        Assert.InRange(interval.Lower, mean - (2.2 * error), mean - (1.75 * error));
        Assert.InRange(interval.Upper, mean + (1.75 * error), mean + (2.2 * error));
        Assert.Equal(0.95, interval.Confidence);
    }

    [Fact]
    public void Mean_Seed_Decides()
    {
        double[] values = [1, 2, 3, 5, 8, 13, 21];

        Assert.Equal(Bootstrap.Mean(values), Bootstrap.Mean(values));
        Assert.NotEqual(Bootstrap.Mean(values), Bootstrap.Mean(values, new BootstrapOptions { Seed = 1 }));
        Assert.True(Width(0.5) < Width(0.99));

        double Width(double confidence) =>
            Bootstrap.Mean(values, new BootstrapOptions { Confidence = confidence }) is var interval ? interval.Upper - interval.Lower : 0;
    }

    // Pinned, so that a change of the generator does not go unseen.
    [Fact]
    public void Interval_DefaultSeed_DrawsTheSameForever()
    {
        int[] first = [];
        Bootstrap.Interval(1000, indices => (first = [.. indices[..4]]).Length, new BootstrapOptions { Resamples = 1 });

        Assert.Equal([741, 159, 278, 344], first);
    }

    [Fact]
    public void Interval_StatisticOfOneItem_IsThatItem() => Assert.Equal(new ConfidenceInterval(4, 4, 0.95), Bootstrap.Mean([4]));

    [Fact]
    public void Interval_NotANumber_IsLeftOut()
    {
        ConfidenceInterval some = Bootstrap.Interval(2, indices => indices[0] == 0 ? double.NaN : 7);
        ConfidenceInterval none = Bootstrap.Interval(2, _ => double.NaN);
        ConfidenceInterval infinite = Bootstrap.Interval(2, _ => double.PositiveInfinity);

        Assert.Equal((7, 7), (some.Lower, some.Upper));
        Assert.True(double.IsNaN(none.Lower) && double.IsNaN(none.Upper));
        Assert.Equal(double.PositiveInfinity, infinite.Upper);
    }

    [Fact]
    public void Interval_WrongArguments_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Bootstrap.Mean([]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Bootstrap.Mean([1], new BootstrapOptions { Confidence = 1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Bootstrap.Mean([1], new BootstrapOptions { Confidence = double.NaN }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Bootstrap.Mean([1], new BootstrapOptions { Resamples = 0 }));
    }

    [Fact]
    public void Percentile_BetweenValues_Interpolates() => Assert.Equal(1.75, Bootstrap.Percentile([1, 2, 3, 4], 0.25));
}
