namespace Llama2.Evaluation.Tests;

public sealed class RougeAccumulatorTests
{
    [Fact]
    public void Mean_Pairs_IsThePlainMeanOfEachFigure()
    {
        var rouge = new RougeAccumulator();
        rouge.Add("a b c d", "a b c d");
        rouge.Add(["a b", "x y"], "x z");

        RougeScores mean = rouge.Mean();

        Assert.Equal(2, rouge.Count);
        Assert.Equal(0.75, mean.Rouge1.Precision);
        Assert.Equal(0.75, mean.Rouge1.Recall);
        Assert.Equal(0.75, mean.Rouge1.FMeasure);
        Assert.Equal([1, 0.5], rouge.FMeasures(RougeMetrics.RougeL));
        ConfidenceInterval interval = rouge.Interval(RougeMetrics.Rouge1);
        Assert.Equal(new ConfidenceInterval(0.5, 1, 0.95), interval);
    }

    [Fact]
    public void Mean_NoPairs_Throws()
    {
        var rouge = new RougeAccumulator();

        Assert.Throws<InvalidOperationException>(rouge.Mean);
        Assert.Throws<InvalidOperationException>(() => rouge.Interval(RougeMetrics.Rouge1));
        rouge.Add("a", "a");
        Assert.Throws<InvalidOperationException>(() => rouge.FMeasures(RougeMetrics.Rouge3));
        Assert.Throws<ArgumentException>(() => rouge.FMeasures(RougeMetrics.All));
    }
}
