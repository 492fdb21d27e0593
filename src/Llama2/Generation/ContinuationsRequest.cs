namespace Llama2;

/// <summary>Scores continuations of one prompt, which is read once: after each, the cache goes back to where the next one parts from it.</summary>
internal sealed class ContinuationsRequest : EngineRequest
{
    private readonly TaskCompletionSource<ScoredToken[][]> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int[][] _continuations;               // in the caller's order
    private readonly ScoredToken[][] _scores;
    private readonly int[] _scored;                        // of each, the tokens that have a score: the first ones
    private readonly int[] _order;                         // sorted by tokens, so that what begins alike stands together
    private readonly int _top;
    private readonly int _vocabularySize;
    private int _current;                                  // place in the order

    /// <param name="prompt">One or more ids.</param>
    /// <param name="continuations">One or more, each of one or more ids.</param>
    /// <param name="top">The likeliest tokens that are reported with each.</param>
    /// <param name="vocabularySize">Logits per row.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    public ContinuationsRequest(int[] prompt, int[][] continuations, int top, int vocabularySize, CancellationToken cancellationToken)
        : base(prompt, cancellationToken)
    {
        (_continuations, _top, _vocabularySize) = (continuations, top, vocabularySize);
        _scores = [.. continuations.Select(continuation => new ScoredToken[continuation.Length])];
        _scored = new int[continuations.Length];
        _order = [.. Enumerable.Range(0, continuations.Length)];
        Array.Sort(_order, (a, b) => continuations[a].AsSpan().SequenceCompareTo(continuations[b]));
        Extend(from: 0);
    }

    /// <summary>The scores of each continuation's tokens.</summary>
    public Task<ScoredToken[][]> Completion => _completion.Task;

    /// <summary>It never generates; its tokens after the prompt are known.</summary>
    public override bool IsDecoding => false;

    protected override int ReusableTokens => Prompt.Length - 1;

    private int[] Current => _continuations[_order[_current]];

    private bool IsDone => _current == _order.Length;

    public override (int Count, LogitRows Rows) NextChunk(int start, int most, int mostRows, int guesses)
    {
        int distance = Prompt.Length - 1 + _scored[_order[_current]] - start;
        return distance > 0
            ? distance < most ? (distance + 1, LogitRows.Last) : (most, LogitRows.None)
            : (Math.Min(Tokens.Length - start, Math.Min(most, mostRows)), LogitRows.All);
    }

    public override bool Accept(int start, int count, ReadOnlySpan<float> rows)
    {
        for (int position = start + count - (rows.Length / _vocabularySize); rows.Length > 0; rows = rows[_vocabularySize..], position++)
        {
            Score(position - Prompt.Length + 1, rows[.._vocabularySize]);
        }

        int[] path = Current;
        while (!IsDone && _scored[_order[_current]] == Current.Length)
        {
            _current++;
        }

        if (!IsDone && Current != path)
        {
            int common = path.AsSpan(0, path.Length - 1).CommonPrefixLength(Current.AsSpan(0, Current.Length - 1));
            RewindTo(Prompt.Length + common);
            Extend(common);
        }

        return IsDone;
    }

    protected override void OnComplete()
    {
        if (IsDone)
        {
            _completion.TrySetResult(_scores);
        }
        else
        {
            _completion.TrySetCanceled(CancellationToken);
        }
    }

    protected override void OnFail(Exception error) => _completion.TrySetException(error);

    /// <summary>Takes the logits behind the prompt and so many tokens of the current continuation: for all that begin like it.</summary>
    private void Score(int depth, ReadOnlySpan<float> logits)
    {
        ReadOnlySpan<int> path = Current.AsSpan(0, depth);
        for (int place = _current; place < _order.Length; place++)
        {
            int index = _order[place];
            int[] continuation = _continuations[index];
            if (!continuation.AsSpan().StartsWith(path))
            {
                break;
            }

            if (continuation.Length > depth)
            {
                _scores[index][depth] = Sampler.Score(logits, continuation[depth], _top);
                _scored[index] = depth + 1;
            }
        }
    }

    /// <summary>Puts the current continuation's tokens behind the prompt; nothing needs to be read behind its last one.</summary>
    private void Extend(int from)
    {
        foreach (int token in Current.AsSpan(from..^1))
        {
            Append(token);
        }
    }
}
