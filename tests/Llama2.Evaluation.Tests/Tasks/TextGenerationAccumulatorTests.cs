namespace Llama2.Evaluation.Tests;

public sealed class TextGenerationAccumulatorTests
{
    [Fact]
    public void Scores_Texts_EqualTheSingleScorers()
    {
        (string Reference, string Prediction)[] pairs =
            [("the cat sat on the mat", "a cat was on the mat"), ("one two three four five", "one two three four six")];
        var all = new TextGenerationAccumulator(new() { Metrics = TextGenerationMetricOptions.AllMetrics, Stemmer = true, Smoothing = true });
        var rouge = new RougeAccumulator(new() { Metrics = RougeMetrics.All, UseStemmer = true });
        var bleu = new BleuAccumulator(BleuOptions.HuggingFace(3, smooth: true));
        foreach ((string reference, string prediction) in pairs)
        {
            IReadOnlyDictionary<string, double> item = all.Add(reference, prediction, reference);
            Assert.Equal(rouge.Add(reference, prediction).RougeL.FMeasure, item["rougeL"]);
            bleu.Add(reference, prediction);
        }

        IReadOnlyDictionary<string, double> scores = all.Scores();

        Assert.Equal(TextGenerationMetricOptions.AllMetrics, all.Metrics);
        Assert.Equal(2, all.Count);
        Assert.Equal(rouge.Mean().Rouge1.FMeasure, scores["rouge1"], 12);
        Assert.Equal(rouge.Mean().RougeLsum.FMeasure, scores["rougeLsum"], 12);
        Assert.Equal(bleu.Score().Score, scores["bleu_3"], 12);
        Assert.Equal(0, scores["exact_match"]);
        Assert.Equal(2, all.ItemScores()["bleu_1"].Count);
        ConfidenceInterval interval = all.Intervals(new() { Resamples = 100 })["bleu_3"];
        Assert.InRange(scores["bleu_3"], interval.Lower, interval.Upper);
        Assert.Equal(["rouge2"], all.Intervals(new() { Resamples = 10 }, ["rouge2"]).Keys);
        EvaluationReport report = all.ToReport("Texts", new() { Resamples = 10 });
        Assert.Equal(all.Metrics, report.Metrics.Select(metric => metric.Name));
        Assert.Equal(2, report.Histograms[0].Counts.Sum());
        Assert.All(report.Metrics, metric => Assert.NotNull(metric.Description));
    }

    [Fact]
    public void Defaults_Metrics_AreThoseOfTheContract()
    {
        Assert.Equal(["rouge1", "rouge2", "rougeL", "rougeLsum", "bleu_1", "bleu_2", "bleu_3", "bleu_4"], new TextGenerationAccumulator().Metrics);
        Assert.False(new TextGenerationMetricOptions().Stemmer);
        Assert.False(new TextGenerationMetricOptions().Smoothing);
    }

    [Fact]
    public void Constructor_WrongMetrics_Throws()
    {
        Assert.Throws<ArgumentException>(() => new TextGenerationAccumulator(new() { Metrics = [] }));
        Assert.Throws<ArgumentException>(() => new TextGenerationAccumulator(new() { Metrics = ["rouge1", "rouge1"] }));
        Assert.Throws<ArgumentException>(() => new TextGenerationAccumulator(new() { Metrics = ["ROUGE1"] }));
        Assert.Throws<InvalidOperationException>(() => new TextGenerationAccumulator().Scores());
        Assert.Throws<InvalidOperationException>(() => new TextGenerationAccumulator().Intervals());
    }
}
