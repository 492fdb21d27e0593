namespace Llama2.Evaluation;

/// <summary>The counts of one prediction, or of many added up: all that BLEU needs of them.</summary>
public sealed class BleuStatistics
{
    private readonly long[] _matches;
    private readonly long[] _totals;

    internal BleuStatistics(int maxOrder) => (_matches, _totals) = (new long[maxOrder], new long[maxOrder]);

    /// <summary>Gets the number of words of the predictions.</summary>
    public long PredictionLength { get; internal set; }

    /// <summary>Gets the number of words of the references that count.</summary>
    public long ReferenceLength { get; internal set; }

    /// <summary>Gets the number of n-grams that match, for each order from 1; no n-gram more often than a reference has it.</summary>
    public IReadOnlyList<long> Matches => _matches;

    /// <summary>Gets the number of n-grams of the predictions, for each order from 1.</summary>
    public IReadOnlyList<long> Totals => _totals;

    internal void Count(int order, long matches, long total) => (_matches[order - 1], _totals[order - 1]) = (matches, total);

    internal void Add(BleuStatistics other)
    {
        PredictionLength += other.PredictionLength;
        ReferenceLength += other.ReferenceLength;
        for (int i = 0; i < _matches.Length; i++)
        {
            _matches[i] += other._matches[i];
            _totals[i] += other._totals[i];
        }
    }

    internal void Clear()
    {
        PredictionLength = ReferenceLength = 0;
        Array.Clear(_matches);
        Array.Clear(_totals);
    }
}
