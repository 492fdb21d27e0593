namespace Llama2.Evaluation;

/// <summary>Numbers words: equal words have equal numbers, counted from 0. For one comparison, by one thread.</summary>
internal sealed class TokenNumbers
{
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    public TokenNumbers() => _lookup = _numbers.GetAlternateLookup<ReadOnlySpan<char>>();

    public int Count => _numbers.Count;

    public int Of(ReadOnlySpan<char> word)
    {
        if (!_lookup.TryGetValue(word, out int number))
        {
            number = _numbers.Count;
            _lookup[word] = number;
        }

        return number;
    }
}
