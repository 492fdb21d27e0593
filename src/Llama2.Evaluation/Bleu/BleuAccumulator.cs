namespace Llama2.Evaluation;

/// <summary>Adds up a corpus prediction by prediction and gives its BLEU score and interval.</summary>
/// <remarks>Not thread-safe. Keeps the counts of each prediction, not the texts.</remarks>
/// <param name="options">How to compute, or <see langword="null"/> for the defaults of sacrebleu.</param>
public sealed class BleuAccumulator(BleuOptions? options = null)
{
    private readonly BleuScorer _scorer = new(options);
    private readonly List<BleuStatistics> _segments = [];

    /// <summary>Gets the number of predictions.</summary>
    public int Count => _segments.Count;

    /// <summary>Adds a prediction.</summary>
    /// <param name="reference">What it should say.</param>
    /// <param name="prediction">What it says.</param>
    public void Add(string reference, string prediction) => _segments.Add(_scorer.Count(reference, prediction));

    /// <summary>Adds a prediction with several references.</summary>
    /// <param name="references">One or more texts.</param>
    /// <param name="prediction">What it says.</param>
    public void Add(IReadOnlyList<string> references, string prediction) => _segments.Add(_scorer.Count(references, prediction));

    /// <summary>Computes the score of all predictions together.</summary>
    /// <exception cref="InvalidOperationException">There is no prediction yet.</exception>
    public BleuScore Score()
    {
        ThrowIfEmpty();
        var sum = new BleuStatistics(_scorer.Options.MaxOrder);
        _segments.ForEach(sum.Add);
        return _scorer.Score(sum);
    }

    /// <summary>Computes the score of each prediction alone, in the order in which they came.</summary>
    public double[] SegmentScores() => [.. _segments.Select(segment => _scorer.Score(segment).Score)];

    /// <summary>Estimates how far the score would vary with other texts of the same kind.</summary>
    /// <param name="options">How to resample, or <see langword="null"/> for the defaults.</param>
    /// <exception cref="InvalidOperationException">There is no prediction yet.</exception>
    public ConfidenceInterval Interval(BootstrapOptions? options = null)
    {
        ThrowIfEmpty();
        var sum = new BleuStatistics(_scorer.Options.MaxOrder);
        return Bootstrap.Interval(_segments.Count, ScoreOf, options);

        double ScoreOf(ReadOnlySpan<int> indices)
        {
            sum.Clear();
            foreach (int index in indices)
            {
                sum.Add(_segments[index]);
            }

            return _scorer.Score(sum).Score;
        }
    }

    private void ThrowIfEmpty()
    {
        if (_segments.Count == 0)
        {
            throw new InvalidOperationException("There is nothing to score: no prediction was added.");
        }
    }
}
