namespace Llama2;

/// <summary>How often each token occurs, and which occur at all: counting takes constant time, and the list is as long as there are different tokens.</summary>
internal sealed class TokenCounts(int vocabularySize)
{
    private readonly int[] _counts = new int[vocabularySize];
    private readonly int[] _places = new int[vocabularySize];    // where in the list a token stands
    private readonly int[] _present = new int[vocabularySize];
    private int _presentCount;

    public ReadOnlySpan<int> Present => _present.AsSpan(0, _presentCount);

    public int this[int token] => _counts[token];

    public void Add(int token)
    {
        if (_counts[token]++ == 0)
        {
            _places[token] = _presentCount;
            _present[_presentCount++] = token;
        }
    }

    public void Remove(int token)
    {
        if (--_counts[token] == 0)
        {
            int moved = _present[--_presentCount];
            _present[_places[token]] = moved;
            _places[moved] = _places[token];
        }
    }
}
