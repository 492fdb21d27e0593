namespace Llama2.Evaluation;

/// <summary>Scores pair after pair and gives means and intervals over all of them.</summary>
/// <remarks>Not thread-safe. Keeps the scores, not the texts: 24 bytes for each pair and variant.</remarks>
/// <param name="options">What to compute, or <see langword="null"/> for the defaults.</param>
public sealed class RougeAccumulator(RougeOptions? options = null)
{
    private readonly RougeScorer _scorer = new(options);
    private readonly List<RougeScore>[] _scores = [.. Enumerable.Range(0, RougeScores.MetricCount).Select(_ => new List<RougeScore>())];

    /// <summary>Gets the number of pairs.</summary>
    public int Count { get; private set; }

    /// <summary>Gets the variants that are computed.</summary>
    public RougeMetrics Metrics => _scorer.Metrics;

    /// <summary>Adds a pair.</summary>
    /// <param name="reference">What it should say.</param>
    /// <param name="prediction">What it says.</param>
    /// <returns>The scores of this pair.</returns>
    /// <inheritdoc cref="RougeScorer.Score(string, string)" path="/exception"/>
    public RougeScores Add(string reference, string prediction)
    {
        RougeScores scores = _scorer.Score(reference, prediction);
        Add(scores);
        return scores;
    }

    /// <summary>Adds a prediction with several references.</summary>
    /// <param name="references">One or more texts.</param>
    /// <param name="prediction">What it says.</param>
    /// <returns>The scores of this prediction.</returns>
    /// <inheritdoc cref="RougeScorer.Score(IReadOnlyList{string}, string)" path="/exception"/>
    public RougeScores Add(IReadOnlyList<string> references, string prediction)
    {
        RougeScores scores = _scorer.Score(references, prediction);
        Add(scores);
        return scores;
    }

    /// <summary>Computes the arithmetic means; the mean F-measure is that of the F-measures.</summary>
    /// <exception cref="InvalidOperationException">There is no pair yet.</exception>
    public RougeScores Mean()
    {
        ThrowIfEmpty();
        var means = new RougeScore[RougeScores.MetricCount];
        foreach (RougeMetrics metric in RougeScorer.Each(Metrics))
        {
            List<RougeScore> scores = _scores[RougeScores.IndexOf(metric)];
            double precision = 0, recall = 0, f = 0;
            foreach (RougeScore score in scores)
            {
                precision += score.Precision;
                recall += score.Recall;
                f += score.FMeasure;
            }

            means[RougeScores.IndexOf(metric)] = new(precision / Count, recall / Count) { FMeasure = f / Count };
        }

        return new(Metrics, means);
    }

    /// <summary>Estimates how far the mean F-measure would vary with other pairs of the same kind.</summary>
    /// <param name="metric">One variant that is computed.</param>
    /// <param name="options">How to resample, or <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">Not one variant.</exception>
    /// <exception cref="InvalidOperationException">It is not computed, or there is no pair yet.</exception>
    public ConfidenceInterval Interval(RougeMetrics metric, BootstrapOptions? options = null) => Bootstrap.Mean(FMeasures(metric), options);

    /// <summary>Gets the F-measures of a variant, one for each pair, in the order of the pairs.</summary>
    /// <inheritdoc cref="Interval" path="/*[self::param[@name='metric'] or self::exception]"/>
    public double[] FMeasures(RougeMetrics metric)
    {
        int index = RougeScores.IndexOf(metric);
        ThrowIfEmpty();
        return Metrics.HasFlag(metric)
            ? [.. _scores[index].Select(score => score.FMeasure)]
            : throw new InvalidOperationException($"{metric} is not computed; ask for it with RougeOptions.Metrics.");
    }

    private void Add(RougeScores scores)
    {
        Count++;
        foreach (RougeMetrics metric in RougeScorer.Each(Metrics))
        {
            _scores[RougeScores.IndexOf(metric)].Add(scores[metric]);
        }
    }

    private void ThrowIfEmpty()
    {
        if (Count == 0)
        {
            throw new InvalidOperationException("There is nothing to average: no pair was added.");
        }
    }
}
