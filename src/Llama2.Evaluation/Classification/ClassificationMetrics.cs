namespace Llama2.Evaluation;

/// <summary>How well items were classified.</summary>
/// <remarks>
/// <para>
/// The figures are those of scikit-learn; a quotient of nothing by nothing is 0. Means over classes take the classes that some item has or was
/// taken for. A prediction that is none of the classes counts against the recall of its item's class and in no class's precision.
/// </para>
/// <para>Immutable and thread-safe.</para>
/// </remarks>
public sealed class ClassificationMetrics
{
    private static readonly (string Name, Func<ClassificationMetrics, double?> Value)[] _figures =
    [
        ("accuracy", metrics => metrics.Accuracy),
        .. Averages("precision_score", average => average.Precision, positive => positive.Precision),
        .. Averages("recall_score", average => average.Recall, positive => positive.Recall),
        .. Averages("f1_score", average => average.F1, positive => positive.F1),
        ("balanced_accuracy", metrics => metrics.BalancedAccuracy),
        ("weighted_accuracy", metrics => metrics.WeightedAccuracy),
        ("norm_macro_recall", metrics => metrics.NormalizedMacroRecall),
        ("matthews_correlation", metrics => metrics.MatthewsCorrelation),
        ("log_loss", metrics => metrics.LogLoss),
        .. Ranked("AUC", metrics => metrics.AreaUnderCurve),
        .. Ranked("average_precision_score", metrics => metrics.AveragePrecision),
    ];

    private readonly Lazy<RankedMetrics?> _areaUnderCurve;
    private readonly Lazy<RankedMetrics?> _averagePrecision;
    private readonly int _positive;

    internal ClassificationMetrics(ConfusionMatrix matrix, ProbabilityTable? probabilities, string? positiveClass)
    {
        if (matrix.Total == 0)
        {
            throw new InvalidOperationException("There is nothing to measure: no item was added.");
        }

        Confusion = matrix;
        _positive = positiveClass is not null ? matrix.IndexOf(positiveClass) : matrix.Classes.Count == 2 ? 1 : -1;
        Classes = [.. matrix.Classes.Select((name, i) => new ClassMetrics(name, matrix.SupportOf(i), matrix.PredictedOf(i), matrix[i, i]))];
        ClassMetrics[] present = [.. Classes.Where(item => item.Support + item.Predicted > 0)];
        Accuracy = (double)matrix.Correct / matrix.Total;
        Macro = Average(present, _ => 1);
        Weighted = Average(present, item => item.Support);
        var all = new ClassMetrics("", matrix.Total, matrix.Total - matrix.Unrecognised, matrix.Correct);
        Micro = new(all.Precision, all.Recall, all.F1);
        BalancedAccuracy = present.Where(item => item.Support > 0).Average(item => item.Recall);
        WeightedAccuracy = Classes.Sum(item => (double)item.Support * item.Correct) / Classes.Sum(item => (double)item.Support * item.Support);
        NormalizedMacroRecall = present.Length > 1 ? (Macro.Recall - (1.0 / present.Length)) / (1 - (1.0 / present.Length)) : 0;
        MatthewsCorrelation = Correlation(matrix, Classes);
        LogLoss = probabilities?.LogLoss();
        Probabilities = probabilities;
        _areaUnderCurve = new(() => probabilities?.Rank(AreaUnderCurves.RocArea, _positive));
        _averagePrecision = new(() => probabilities?.Rank(AreaUnderCurves.AveragePrecision, _positive));
    }

    /// <summary>Gets the names of all metrics of a classification in Azure ML's evaluation.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "accuracy", "balanced_accuracy", "weighted_accuracy", "norm_macro_recall", "matthews_correlation", "log_loss", "confusion_matrix", "accuracy_table",
        .. from figure in (string[])["precision_score", "recall_score", "f1_score", "AUC", "average_precision_score"]
           from average in (string[])["macro", "micro", "weighted", "binary"]
           select $"{figure}_{average}",
    ];

    /// <summary>Gets the counts behind it all.</summary>
    public ConfusionMatrix Confusion { get; }

    /// <summary>Gets the metrics of each class, in the order of the classes.</summary>
    public IReadOnlyList<ClassMetrics> Classes { get; }

    /// <summary>Gets the positive class's metrics, where there are two classes.</summary>
    public ClassMetrics? Binary => _positive >= 0 ? Classes[_positive] : null;

    /// <summary>Gets the share of items that were classified correctly.</summary>
    public double Accuracy { get; }

    /// <summary>Gets the means over the classes.</summary>
    public AveragedMetrics Macro { get; }

    /// <summary>Gets the figures of all classes' counts together.</summary>
    public AveragedMetrics Micro { get; }

    /// <summary>Gets the means over the classes, weighted by how many items have them.</summary>
    public AveragedMetrics Weighted { get; }

    /// <summary>Gets the mean recall of the classes that some item has.</summary>
    public double BalancedAccuracy { get; }

    /// <summary>Gets the accuracy with each item weighted by how many items have its class: Σ nᵢ·correctᵢ / Σ nᵢ².</summary>
    public double WeightedAccuracy { get; }

    /// <summary>Gets the macro recall, moved so that guessing gives 0: (recall − 1/C) / (1 − 1/C) for C classes; 0 for one class.</summary>
    public double NormalizedMacroRecall { get; }

    /// <summary>Gets the Matthews correlation from −1 to 1, for any number of classes; 0 where it is not defined.</summary>
    /// <remarks>J. Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004.</remarks>
    public double MatthewsCorrelation { get; }

    /// <summary>Gets the mean of −ln p of the true class, in nats, p no less than 2⁻⁵²; <see langword="null"/> without probabilities.</summary>
    public double? LogLoss { get; }

    /// <summary>Gets the area under the receiver operating characteristic, one class against the rest; <see langword="null"/> without probabilities.</summary>
    public RankedMetrics? AreaUnderCurve => _areaUnderCurve.Value;

    /// <summary>Gets the average precision Σ (Rₙ − Rₙ₋₁)·Pₙ over falling thresholds; <see langword="null"/> without probabilities.</summary>
    public RankedMetrics? AveragePrecision => _averagePrecision.Value;

    internal ProbabilityTable? Probabilities { get; }

    /// <summary>Measures predictions.</summary>
    /// <param name="labels">The class of each item; one or more.</param>
    /// <param name="predictions">What each item was taken for; as many.</param>
    /// <param name="classes">The classes, or <see langword="null"/> for all that occur in either list, in ordinal order.</param>
    /// <param name="positiveClass">The class that counts as positive among two; the second by default.</param>
    /// <exception cref="ArgumentException">The lists differ in length or are empty, or a label or the positive class is none of the classes.</exception>
    public static ClassificationMetrics Compute(
        IReadOnlyList<string> labels, IReadOnlyList<string?> predictions, IReadOnlyList<string>? classes = null, string? positiveClass = null)
    {
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(predictions);
        if (labels.Count != predictions.Count || labels.Count == 0)
        {
            throw new ArgumentException(
                $"There are {labels.Count} labels and {predictions.Count} predictions; there must be as many of both, and some.", nameof(predictions));
        }

        var accumulator = new ClassificationAccumulator(classes, positiveClass);
        for (int i = 0; i < labels.Count; i++)
        {
            accumulator.Add(labels[i], predictions[i]);
        }

        return accumulator.Compute();
    }

    /// <summary>Counts right and wrong decisions at thresholds from 0 to 1 for each class: the contract's <c>accuracy_table</c>.</summary>
    /// <param name="steps">How many steps lie between 0 and 1, from 1 to 10,000.</param>
    /// <exception cref="InvalidOperationException">There are no probabilities.</exception>
    public AccuracyTable AccuracyTable(int steps = 100)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(steps, 10_000);
        return (Probabilities ?? throw new InvalidOperationException("An accuracy table needs probabilities.")).Table(Confusion.Classes, steps);
    }

    /// <summary>Gets every figure by the name that Azure ML's evaluation gives it, such as <c>f1_score_macro</c>; undefined ones are left out.</summary>
    public IReadOnlyDictionary<string, double> ToDictionary()
    {
        var figures = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach ((string name, Func<ClassificationMetrics, double?> figure) in _figures)
        {
            if (figure(this) is double known && !double.IsNaN(known))
            {
                figures[name] = known;
            }
        }

        return figures;
    }

    /// <summary>Gets one figure by name; <see langword="null"/> where it is not defined, or the name is that of none.</summary>
    internal double? Figure(string name) => Array.Find(_figures, figure => figure.Name == name).Value?.Invoke(this);

    /// <summary>Whether the name is that of a figure, and not of a table.</summary>
    internal static bool IsFigure(string name) => Array.Exists(_figures, figure => figure.Name == name);

    private static (string Name, Func<ClassificationMetrics, double?> Value)[] Averages(
        string name, Func<AveragedMetrics, double> figure, Func<ClassMetrics, double> binary) =>
    [
        ($"{name}_macro", metrics => figure(metrics.Macro)),
        ($"{name}_micro", metrics => figure(metrics.Micro)),
        ($"{name}_weighted", metrics => figure(metrics.Weighted)),
        ($"{name}_binary", metrics => metrics.Binary is { } positive ? binary(positive) : null),
    ];

    private static (string Name, Func<ClassificationMetrics, double?> Value)[] Ranked(string name, Func<ClassificationMetrics, RankedMetrics?> ranked) =>
    [
        ($"{name}_macro", metrics => ranked(metrics)?.Macro),
        ($"{name}_micro", metrics => ranked(metrics)?.Micro),
        ($"{name}_weighted", metrics => ranked(metrics)?.Weighted),
        ($"{name}_binary", metrics => ranked(metrics)?.Binary),
    ];

    private static AveragedMetrics Average(ClassMetrics[] classes, Func<ClassMetrics, long> weight)
    {
        double weights = 0, precision = 0, recall = 0, f1 = 0;
        foreach (ClassMetrics item in classes)
        {
            double share = weight(item);
            weights += share;
            precision += share * item.Precision;
            recall += share * item.Recall;
            f1 += share * item.F1;
        }

        return new(precision / weights, recall / weights, f1 / weights);
    }

    private static double Correlation(ConfusionMatrix matrix, IReadOnlyList<ClassMetrics> classes)
    {
        double total = matrix.Total, unrecognised = matrix.Unrecognised;
        double products = 0, actual = 0, predicted = unrecognised * unrecognised;
        foreach (ClassMetrics item in classes)
        {
            products += (double)item.Support * item.Predicted;
            actual += (double)item.Support * item.Support;
            predicted += (double)item.Predicted * item.Predicted;
        }

        double scale = Math.Sqrt((total * total) - predicted) * Math.Sqrt((total * total) - actual);
        return scale > 0 ? ((matrix.Correct * total) - products) / scale : 0;
    }
}
