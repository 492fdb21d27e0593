namespace Llama2;

/// <summary><c>no_repeat_ngram_size</c>: forbids the tokens that would complete a run of this length that has occurred, prompt included.</summary>
/// <remarks>
/// A hash table from a run's beginning (all but its last token) to the places where such a run ends, chained from the latest to the earliest.
/// A step takes time for the length of a run and for each place whose beginning has the same hash.
/// </remarks>
internal sealed class NoRepeatNgramProcessor(int size) : ILogitsProcessor
{
    private int[] _latest = [];      // [hash], a place + 1; 0: none
    private int[] _earlier = [];     // [place], the next place + 1 of the chain

    public void Begin(TokenHistory history)
    {
        _earlier = new int[history.Capacity];
        _latest = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)history.Capacity)];
        ReadOnlySpan<int> tokens = history.Tokens;
        for (int length = 1; length <= tokens.Length; length++)
        {
            AddRun(tokens[..length]);
        }
    }

    public void Process(Span<float> logits, TokenHistory history)
    {
        ReadOnlySpan<int> tokens = history.Tokens;
        if (tokens.Length < size)
        {
            return;
        }

        ReadOnlySpan<int> beginning = tokens[^(size - 1)..];
        for (int place = _latest[Bucket(beginning)] - 1; place >= 0; place = _earlier[place] - 1)
        {
            if (tokens[(place - beginning.Length)..place].SequenceEqual(beginning))
            {
                logits[tokens[place]] = float.NegativeInfinity;
            }
        }
    }

    public void Accept(TokenHistory history)
    {
        if (_earlier.Length < history.Capacity)
        {
            Array.Resize(ref _earlier, history.Capacity);
        }

        AddRun(history.Tokens);
    }

    private void AddRun(ReadOnlySpan<int> tokens)
    {
        if (tokens.Length >= size)
        {
            int place = tokens.Length - 1;
            ref int latest = ref _latest[Bucket(tokens[^size..^1])];
            (_earlier[place], latest) = (latest, place + 1);
        }
    }

    private int Bucket(ReadOnlySpan<int> beginning)
    {
        uint hash = 0;
        foreach (int token in beginning)
        {
            hash = (hash ^ (uint)token) * 0x9E3779B1;
            hash ^= hash >> 15;
        }

        return (int)(hash & (uint)(_latest.Length - 1));
    }
}
