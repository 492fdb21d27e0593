namespace Llama2;

/// <summary>Reads a text without generating and takes the logits at some of its positions.</summary>
/// <typeparam name="T">What comes of a row.</typeparam>
/// <param name="prompt">The text.</param>
/// <param name="positions">The wanted positions, ascending, each once.</param>
/// <param name="vocabularySize">Logits per row.</param>
/// <param name="cancellationToken">The caller's token.</param>
internal abstract class ReadingRequest<T>(int[] prompt, int[] positions, int vocabularySize, CancellationToken cancellationToken)
    : EngineRequest(prompt, cancellationToken)
{
    private readonly TaskCompletionSource<T[]> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly T[] _results = new T[positions.Length];
    private int _taken;

    /// <summary>What comes of the rows, in the order of the positions.</summary>
    public Task<T[]> Completion => _completion.Task;

    protected override int ReusableTokens => positions[0];

    /// <summary>Goes up to the next wanted position and takes its row, or takes a run of wanted ones.</summary>
    public override (int Count, LogitRows Rows) NextChunk(int start, int most, int mostRows, int guesses)
    {
        int distance = positions[_taken] - start;
        if (distance > 0)
        {
            return distance < most ? (distance + 1, LogitRows.Last) : (most, LogitRows.None);
        }

        int run = 1;
        while (_taken + run < positions.Length && positions[_taken + run] == start + run)
        {
            run++;
        }

        return (Math.Min(run, Math.Min(most, mostRows)), LogitRows.All);
    }

    public override bool Accept(int start, int count, ReadOnlySpan<float> rows)
    {
        for (; rows.Length > 0; rows = rows[vocabularySize..])
        {
            _results[_taken] = Take(positions[_taken], rows[..vocabularySize]);
            _taken++;
        }

        return _taken == positions.Length;
    }

    protected override void OnComplete()
    {
        if (_taken == positions.Length)
        {
            _completion.TrySetResult(_results);
        }
        else
        {
            _completion.TrySetCanceled(CancellationToken);
        }
    }

    protected override void OnFail(Exception error) => _completion.TrySetException(error);

    protected abstract T Take(int position, ReadOnlySpan<float> logits);
}

/// <summary>Copies rows of logits.</summary>
internal sealed class LogitsRequest(int[] prompt, int[] positions, int vocabularySize, CancellationToken cancellationToken)
    : ReadingRequest<float[]>(prompt, positions, vocabularySize, cancellationToken)
{
    protected override float[] Take(int position, ReadOnlySpan<float> logits) => logits.ToArray();
}

/// <summary>Scores every token of a text from its second on.</summary>
internal sealed class ScoringRequest(int[] prompt, int top, int vocabularySize, CancellationToken cancellationToken)
    : ReadingRequest<ScoredToken>(prompt, [.. Enumerable.Range(0, prompt.Length - 1)], vocabularySize, cancellationToken)
{
    protected override ScoredToken Take(int position, ReadOnlySpan<float> logits) => Sampler.Score(logits, Prompt[position + 1], top);
}
