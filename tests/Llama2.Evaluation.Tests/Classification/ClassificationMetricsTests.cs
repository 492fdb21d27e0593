namespace Llama2.Evaluation.Tests;

// The figures were made with scikit-learn 1.2.1 from the very lists below.
public sealed class ClassificationMetricsTests
{
    private const int Digits = 12;

    private static readonly string[] _classes = ["anger", "joy", "sadness"];
    private static readonly string[] _labels = ["joy", "joy", "joy", "joy", "joy", "sadness", "sadness", "sadness", "anger", "anger", "joy", "sadness"];
    private static readonly string[] _predictions = ["joy", "joy", "sadness", "joy", "anger", "sadness", "joy", "sadness", "anger", "joy", "joy", "anger"];
    private static readonly double[][] _probabilities =
    [
        [.1, .8, .1], [.2, .7, .1], [.1, .3, .6], [.1, .8, .1], [.5, .4, .1], [.1, .2, .7],
        [.1, .5, .4], [.2, .2, .6], [.6, .3, .1], [.3, .4, .3], [0, 1, 0], [.5, .1, .4],
    ];

    [Fact]
    public void Compute_ThreeClasses_EqualsScikitLearn()
    {
        ClassificationMetrics metrics = ClassificationMetrics.Compute(_labels, _predictions);

        Assert.Equal(_classes, metrics.Confusion.Classes);
        Assert.Equal([1L, 1, 0, 1, 4, 1, 1, 1, 2], from i in Enumerable.Range(0, 3) from j in Enumerable.Range(0, 3) select metrics.Confusion[i, j]);
        Equal(0.5555555555555555, 0.5555555555555555, 0.546031746031746, metrics.Macro);
        Equal(0.5833333333333334, 0.5833333333333334, 0.5833333333333334, metrics.Micro);
        Equal(0.6111111111111112, 0.5833333333333334, 0.5904761904761905, metrics.Weighted);
        Assert.Equal(0.5833333333333334, metrics.Accuracy, Digits);
        Assert.Equal(0.5555555555555555, metrics.BalancedAccuracy, Digits);
        Assert.Equal(0.6071428571428571, metrics.WeightedAccuracy, Digits);
        Assert.Equal(1.0 / 3, metrics.NormalizedMacroRecall, Digits);
        Assert.Equal(0.337099931231621, metrics.MatthewsCorrelation, Digits);
        Assert.Equal(new ClassMetrics("joy", Support: 6, Predicted: 6, Correct: 4), metrics.Classes[1]);
        Assert.Equal(2.0 / 3, metrics.Classes[1].F1, Digits);
        Assert.Null(metrics.Binary);
        Assert.Null(metrics.LogLoss);
        Assert.Null(metrics.AreaUnderCurve);
        Assert.Null(metrics.AveragePrecision);
        Assert.Throws<InvalidOperationException>(() => metrics.AccuracyTable());
    }

    [Fact]
    public void Compute_Probabilities_EqualsScikitLearn()
    {
        ClassificationMetrics metrics = WithProbabilities().Compute();

        Assert.Equal(0.6115088368593503, metrics.LogLoss!.Value, Digits);
        RankedMetrics area = metrics.AreaUnderCurve!.Value, precision = metrics.AveragePrecision!.Value;
        Assert.Equal(0.903587962962963, area.Macro, Digits);
        Assert.Equal(0.9079861111111112, area.Micro, Digits);
        Assert.Equal(0.9017361111111111, area.Weighted, Digits);
        Assert.Equal(0.8211640211640212, precision.Macro, Digits);
        Assert.Equal(0.8344298245614036, precision.Micro, Digits);
        Assert.Equal(0.8456349206349206, precision.Weighted, Digits);
        Assert.True(double.IsNaN(area.Binary));
    }

    [Fact]
    public void Compute_TwoClasses_HasBinaryFigures()
    {
        string[] labels = ["no", "yes", "yes", "no", "yes", "no", "no", "yes"], predictions = ["no", "yes", "no", "no", "yes", "yes", "no", "yes"];
        double[] yes = [.1, .9, .4, .35, .8, .6, .4, .7];
        var accumulator = new ClassificationAccumulator(["no", "yes"]);
        for (int i = 0; i < labels.Length; i++)
        {
            accumulator.Add(labels[i], predictions[i], [1 - yes[i], yes[i]]);
        }

        ClassificationMetrics metrics = accumulator.Compute();

        Assert.Equal((0.75, 0.75, 0.75), (metrics.Binary!.Precision, metrics.Binary.Recall, metrics.Binary.F1));
        Assert.Equal("yes", metrics.Binary.Name);
        Assert.Equal(0.5, metrics.MatthewsCorrelation, Digits);
        Assert.Equal(0.90625, metrics.AreaUnderCurve!.Value.Binary, Digits);
        Assert.Equal(0.9166666666666666, metrics.AveragePrecision!.Value.Binary, Digits);
        Assert.Equal(0.4455911912719187, metrics.LogLoss!.Value, Digits);
        Assert.Equal("no", ClassificationMetrics.Compute(labels, predictions, positiveClass: "no").Binary!.Name);
    }

    // scikit-learn with labels=["anger", "joy", "sadness"] and "??" among the predictions.
    [Fact]
    public void Compute_AnswerThatIsNoClass_CountsAgainstRecallOnly()
    {
        string?[] predictions = [.. _predictions];
        predictions[3] = "??";
        predictions[10] = null;

        ClassificationMetrics metrics = ClassificationMetrics.Compute(_labels, predictions, _classes);

        Equal(0.5, 0.4444444444444444, 0.45714285714285713, metrics.Macro);
        Equal(0.5, 0.4166666666666667, 0.45454545454545453, metrics.Micro);
        Equal(0.5277777777777778, 0.4166666666666667, 0.45714285714285713, metrics.Weighted);
        Assert.Equal(0.186370957476581, metrics.MatthewsCorrelation, Digits);
        Assert.Equal(0.4166666666666667, metrics.Accuracy, Digits);
        Assert.Equal(2, metrics.Confusion.Unrecognised);
        Assert.Equal(2, metrics.Confusion.UnrecognisedOf(1));
    }

    [Fact]
    public void Compute_OneClass_IsDefined()
    {
        ClassificationMetrics metrics = ClassificationMetrics.Compute(["a", "a"], ["a", "a"]);

        Assert.Equal((1, 0, 0), (metrics.Accuracy, metrics.MatthewsCorrelation, metrics.NormalizedMacroRecall));
    }

    [Fact]
    public void Compute_ClassThatNeverOccurs_IsInNoMean()
    {
        ClassificationMetrics metrics = ClassificationMetrics.Compute(["a", "b"], ["a", "b"], ["a", "b", "never"]);

        Assert.Equal(1, metrics.Macro.F1);
        Assert.Equal(new ClassMetrics("never", 0, 0, 0), metrics.Classes[2]);
        Assert.Equal((0, 0, 0), (metrics.Classes[2].Precision, metrics.Classes[2].Recall, metrics.Classes[2].F1));
    }

    [Fact]
    public void ToDictionary_ThreeAndTwoClasses_HasTheNamesOfTheContract()
    {
        string[] three =
        [
            "accuracy", "precision_score_macro", "precision_score_micro", "precision_score_weighted", "recall_score_macro", "recall_score_micro",
            "recall_score_weighted", "f1_score_macro", "f1_score_micro", "f1_score_weighted", "balanced_accuracy", "weighted_accuracy",
            "norm_macro_recall", "matthews_correlation", "log_loss", "AUC_macro", "AUC_micro", "AUC_weighted",
            "average_precision_score_macro", "average_precision_score_micro", "average_precision_score_weighted",
        ];
        var two = new ClassificationAccumulator(["a", "b"]);
        two.Add("a", "a", [1, 0]);
        two.Add("b", "a", [0.5, 0.5]);

        Assert.Equal(three.Order(StringComparer.Ordinal), WithProbabilities().Compute().ToDictionary().Keys.Order(StringComparer.Ordinal));
        Assert.Equal(
            three.Concat(["precision_score_binary", "recall_score_binary", "f1_score_binary", "AUC_binary", "average_precision_score_binary"])
                .Order(StringComparer.Ordinal),
            two.Compute().ToDictionary().Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void LogLoss_CertainAndWrong_IsFinite()
    {
        var accumulator = new ClassificationAccumulator(["a", "b"]);
        accumulator.Add("a", "b", [0, 1]);

        ClassificationMetrics metrics = accumulator.Compute();

        Assert.Equal(52 * Math.Log(2), metrics.LogLoss!.Value, 9);
        Assert.True(double.IsNaN(metrics.AreaUnderCurve!.Value.Macro));
        Assert.DoesNotContain("AUC_macro", metrics.ToDictionary().Keys);
    }

    [Fact]
    public void AccuracyTable_Thresholds_CountByHand()
    {
        AccuracyTable table = WithProbabilities().Compute().AccuracyTable(steps: 10);

        Assert.Equal(11, table.Thresholds.Count);
        Assert.Equal(new ThresholdCounts(6, 6, 0, 0), table.Counts[1][0]);
        Assert.Equal(new ThresholdCounts(4, 0, 6, 2), table.Counts[1][6]);      // joy at 0.6 and above: .8 .7 .8 1
        Assert.Equal(new ThresholdCounts(1, 0, 6, 5), table.Counts[1][10]);
        Assert.Equal(_classes, table.Classes);
        Assert.Throws<ArgumentOutOfRangeException>(() => WithProbabilities().Compute().AccuracyTable(0));
    }

    [Fact]
    public void Interval_MacroF1_HoldsTheValueAndIsDeterministic()
    {
        ClassificationAccumulator accumulator = WithProbabilities();
        var options = new BootstrapOptions { Resamples = 300 };

        ConfidenceInterval interval = accumulator.Interval(metrics => metrics.Macro.F1, options);

        Assert.InRange(accumulator.Compute().Macro.F1, interval.Lower, interval.Upper);
        Assert.Equal(interval, accumulator.Interval(metrics => metrics.Macro.F1, options));
        Assert.True(accumulator.Interval(metrics => metrics.AreaUnderCurve!.Value.Macro, options).Lower < 0.9);
    }

    [Fact]
    public void Compute_WrongLists_Throws()
    {
        Assert.Throws<ArgumentException>(() => ClassificationMetrics.Compute(["a"], ["a", "b"]));
        Assert.Throws<ArgumentException>(() => ClassificationMetrics.Compute([], []));
        Assert.Throws<ArgumentException>(() => ClassificationMetrics.Compute(["x"], ["a"], ["a", "b"]));
        Assert.Throws<ArgumentException>(() => ClassificationMetrics.Compute(["a"], ["a"], ["a", "b"], positiveClass: "c"));
        Assert.Throws<InvalidOperationException>(() => new ClassificationAccumulator().Compute());
        Assert.Throws<InvalidOperationException>(() => new ClassificationAccumulator().Interval(metrics => metrics.Accuracy));
    }

    [Theory]
    [InlineData(0.5, 0.4)]
    [InlineData(1.5, -0.5)]
    [InlineData(double.NaN, 1)]
    [InlineData(1, double.PositiveInfinity)]
    public void Add_ImpossibleProbabilities_Throws(double a, double b)
    {
        var accumulator = new ClassificationAccumulator(["a", "b"]);

        Assert.Throws<ArgumentException>(() => accumulator.Add("a", "a", [a, b]));
        Assert.Equal(0, accumulator.Count);
    }

    [Fact]
    public void Add_ProbabilitiesForSomeOrTheWrongNumber_Throws()
    {
        var some = new ClassificationAccumulator(["a", "b"]);
        some.Add("a", "a", [1, 0]);
        var late = new ClassificationAccumulator(["a", "b"]);
        late.Add("a", "a");

        Assert.Throws<ArgumentException>(() => some.Add("a", "a"));
        Assert.Throws<ArgumentException>(() => some.Add("a", "a", [1]));
        Assert.Throws<ArgumentException>(() => late.Add("a", "a", [1, 0]));
        Assert.Throws<ArgumentException>(() => new ClassificationAccumulator().Add("a", "a", [1]));
    }

    private static ClassificationAccumulator WithProbabilities()
    {
        var accumulator = new ClassificationAccumulator(_classes);
        for (int i = 0; i < _labels.Length; i++)
        {
            accumulator.Add(_labels[i], _predictions[i], _probabilities[i]);
        }

        return accumulator;
    }

    private static void Equal(double precision, double recall, double f1, AveragedMetrics actual)
    {
        Assert.Equal(precision, actual.Precision, Digits);
        Assert.Equal(recall, actual.Recall, Digits);
        Assert.Equal(f1, actual.F1, Digits);
    }
}
