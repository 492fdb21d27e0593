namespace Llama2.Evaluation;

/// <summary>Which variants of ROUGE to compute.</summary>
[Flags]
public enum RougeMetrics
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>ROUGE-1: words in common.</summary>
    Rouge1 = 1,

    /// <summary>ROUGE-2: pairs of adjacent words in common.</summary>
    Rouge2 = 2,

    /// <summary>ROUGE-3: triples of adjacent words in common.</summary>
    Rouge3 = 4,

    /// <summary>ROUGE-L: the longest common subsequence of words.</summary>
    RougeL = 8,

    /// <summary>ROUGE-Lsum: the union of the longest common subsequences, line against line.</summary>
    RougeLsum = 16,

    /// <summary>Every one.</summary>
    All = Rouge1 | Rouge2 | Rouge3 | RougeL | RougeLsum,
}

/// <summary>A score of one variant of ROUGE.</summary>
/// <param name="Precision">The share of the prediction that the reference has too, from 0 to 1.</param>
/// <param name="Recall">The share of the reference that the prediction has too, from 0 to 1.</param>
public readonly record struct RougeScore(double Precision, double Recall)
{
    /// <summary>Gets the harmonic mean of precision and recall, 0 where both are.</summary>
    public double FMeasure { get; init; } = Precision + Recall > 0 ? 2 * Precision * Recall / (Precision + Recall) : 0;

    internal static RougeScore Of(int hits, int predictionCount, int referenceCount) =>
        new((double)hits / Math.Max(1, predictionCount), (double)hits / Math.Max(1, referenceCount));
}

/// <summary>The scores of one prediction, or the means of many.</summary>
public sealed class RougeScores
{
    private readonly RougeMetrics _computed;
    private readonly RougeScore[] _scores;

    internal RougeScores(RougeMetrics computed, RougeScore[] scores) => (_computed, _scores) = (computed, scores);

    /// <summary>Gets the score of ROUGE-1.</summary>
    /// <exception cref="InvalidOperationException">The scorer was not asked for it; likewise below.</exception>
    public RougeScore Rouge1 => this[RougeMetrics.Rouge1];

    /// <summary>Gets the score of ROUGE-2.</summary>
    public RougeScore Rouge2 => this[RougeMetrics.Rouge2];

    /// <summary>Gets the score of ROUGE-3.</summary>
    public RougeScore Rouge3 => this[RougeMetrics.Rouge3];

    /// <summary>Gets the score of ROUGE-L.</summary>
    public RougeScore RougeL => this[RougeMetrics.RougeL];

    /// <summary>Gets the score of ROUGE-Lsum.</summary>
    public RougeScore RougeLsum => this[RougeMetrics.RougeLsum];

    /// <summary>Gets the score of a variant.</summary>
    /// <param name="metric">One variant.</param>
    /// <exception cref="ArgumentException">None, several or an unknown one.</exception>
    /// <exception cref="InvalidOperationException">The scorer was not asked for it.</exception>
    public RougeScore this[RougeMetrics metric] =>
        (_computed & metric) != 0 || IndexOf(metric) < 0
            ? _scores[IndexOf(metric)]
            : throw new InvalidOperationException($"{metric} was not computed; ask for it with RougeOptions.Metrics.");

    internal const int MetricCount = 5;

    internal static int IndexOf(RougeMetrics metric) => metric switch
    {
        RougeMetrics.Rouge1 => 0,
        RougeMetrics.Rouge2 => 1,
        RougeMetrics.Rouge3 => 2,
        RougeMetrics.RougeL => 3,
        RougeMetrics.RougeLsum => 4,
        _ => throw new ArgumentException($"{metric} is not one variant of ROUGE.", nameof(metric)),
    };
}

/// <summary>How to compute ROUGE.</summary>
public sealed record RougeOptions
{
    /// <summary>Gets the variants to compute.</summary>
    /// <value>The default is all but ROUGE-3.</value>
    public RougeMetrics Metrics { get; init; } = RougeMetrics.All & ~RougeMetrics.Rouge3;

    /// <summary>Gets a value indicating whether words longer than three letters are cut to their stem (<see cref="PorterStemmer"/>) first.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool UseStemmer { get; init; }
}
