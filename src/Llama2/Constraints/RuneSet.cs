namespace Llama2;

/// <summary>A set of Unicode scalar values: ascending ranges that do not touch. Immutable; compared by reference.</summary>
internal sealed class RuneSet
{
    private const int Last = 0x10FFFF;

    private readonly (int First, int Last)[] _ranges;

    /// <param name="ranges">In any order, overlapping or not.</param>
    public RuneSet(params IEnumerable<(int First, int Last)> ranges)
    {
        var merged = new List<(int First, int Last)>();
        foreach ((int first, int last) in ranges.Where(range => range.First <= range.Last).OrderBy(range => range.First))
        {
            if (merged.Count > 0 && first <= merged[^1].Last + 1)
            {
                merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, last));
            }
            else
            {
                merged.Add((first, last));
            }
        }

        _ranges = [.. merged];
    }

    /// <summary>Every scalar value; the surrogates between are skipped when it is spelled.</summary>
    public static RuneSet All { get; } = new((0, Last));

    public IReadOnlyList<(int First, int Last)> Ranges => _ranges;

    public bool IsEmpty => _ranges.Length == 0;

    public static RuneSet Of(params IEnumerable<int> runes) => new(runes.Select(rune => (rune, rune)));

    public bool Contains(int rune) => _ranges.Any(range => rune >= range.First && rune <= range.Last);

    public RuneSet Union(RuneSet other) => new([.. _ranges, .. other._ranges]);

    public RuneSet Complement()
    {
        var gaps = new List<(int, int)>();
        int next = 0;
        foreach ((int first, int last) in _ranges)
        {
            gaps.Add((next, first - 1));
            next = last + 1;
        }

        gaps.Add((next, Last));
        return new(gaps);
    }

    public RuneSet Except(RuneSet other) => Complement().Union(other).Complement();

    public RuneSet Intersect(RuneSet other) => Except(other.Complement());
}
