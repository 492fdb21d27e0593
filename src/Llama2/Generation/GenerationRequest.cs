using System.Text;
using System.Threading.Channels;

namespace Llama2;

/// <summary>What a generation is to do: everything checked, filled in and copied from the caller's objects.</summary>
/// <param name="Prompt">The ids to forward.</param>
/// <param name="DroppedTokens">How many the caller's prompt had more.</param>
/// <param name="MaxNewTokens">The most tokens to generate, the room in the context considered.</param>
/// <param name="EndIds">The ids that end it.</param>
/// <param name="Options">The settings in force.</param>
/// <param name="Constraint">What the answer has to look like, on the model's vocabulary; null for anything.</param>
internal sealed record GenerationPlan(
    int[] Prompt, int DroppedTokens, int MaxNewTokens, int[] EndIds, GenerationOptions Options, TokenConstraint? Constraint = null);

/// <summary>A generation under way: owns its sampler, decoder and matcher, and writes updates to a channel that its caller reads at leisure.</summary>
internal sealed class GenerationRequest : EngineRequest
{
    private readonly GenerationPlan _plan;
    private readonly LlamaConfig _config;
    private readonly LlamaTokenizer? _tokenizer;
    private readonly TimeProvider _time;
    private readonly LlamaDiagnostics? _diagnostics;

    private readonly StreamingDecoder? _decoder;
    private readonly ConstraintCursor? _constraint;
    private readonly StopSequenceMatcher _matcher;
    private readonly StringBuilder _text = new();
    private readonly string _promptText;
    private readonly List<ScoredToken>? _scores;
    private readonly List<ScoredToken>? _promptScores;

    // Continuations never run on the loop's thread, and a caller that reads slowly only lets its own channel grow.
    private readonly Channel<GenerationUpdate> _updates =
        Channel.CreateUnbounded<GenerationUpdate>(new() { SingleReader = true, SingleWriter = true, AllowSynchronousContinuations = false });

    private readonly long _queuedAt;
    private long? _begunAt;
    private long? _promptReadAt;
    private long? _firstTokenAt;
    private readonly bool _guesses;
    private readonly int[] _chunk = new int[1 + PromptLookup.LongGuess];      // the token to forward and those guessed to follow it
    private int _guessed;                                        // of the chunk
    private PromptLookup? _lookup;
    private Sampler? _sampler;
    private GenerationFinishReason? _finishReason;

    public GenerationRequest(
        GenerationPlan plan,
        LlamaConfig config,
        LlamaTokenizer? tokenizer,
        TimeProvider time,
        LlamaDiagnostics? diagnostics,
        bool guesses,
        CancellationToken cancellationToken)
        : base(plan.Prompt, cancellationToken)
    {
        _guesses = guesses;
        (_plan, _config, _tokenizer, _time, _diagnostics) = (plan, config, tokenizer, time, diagnostics);
        _queuedAt = time.GetTimestamp();
        _decoder = tokenizer?.CreateDecoder();
        _matcher = new(plan.Options.StopSequences ?? []);
        _scores = plan.Options.LogProbabilities is null ? null : [];
        _promptScores = plan.Options.PromptLogProbabilities is true ? [] : null;
        _promptText = string.Concat(plan.Prompt.Select(Decode));  // so that the answer's text is what it adds to the prompt's
        if (plan.Constraint is not null)
        {
            _constraint = new(plan.Constraint, plan.EndIds);
            _decoder = tokenizer!.CreateDecoder();                // a constrained answer is a text of its own
        }

        diagnostics.Report(static (diagnostics, _) => diagnostics.Queued(), this);
    }

    public ChannelReader<GenerationUpdate> Updates => _updates.Reader;

    public override bool IsOver =>
        base.IsOver || (_begunAt is { } begun && _plan.Options.MaxTime is { } most && _time.GetElapsedTime(begun) >= most);

    protected override int ReusableTokens => _promptScores is null ? Prompt.Length - 1 : 0;

    private int Generated => Tokens.Length - Prompt.Length;

    public override (int Count, LogitRows Rows) NextChunk(int start, int most, int mostRows, int guesses)
    {
        int count = Math.Min(most, Tokens.Length - start);
        _guessed = IsDecoding && start + 1 == Tokens.Length ? Guess(start, Math.Min(guesses, Math.Min(most, mostRows) - 1)) : 0;
        if (_guessed > 0)
        {
            return (1 + _guessed, LogitRows.All);
        }

        return _promptScores is not null && start < Prompt.Length
            ? (Math.Min(count, mostRows), LogitRows.All)
            : (count, start + count == Tokens.Length ? LogitRows.Last : LogitRows.None);
    }

    public override ReadOnlySpan<int> Chunk(int start, int count) => _guessed > 0 ? _chunk.AsSpan(0, count) : base.Chunk(start, count);

    public override bool Accept(int start, int count, ReadOnlySpan<float> rows)
    {
        int vocabulary = _config.VocabularySize;
        if (_guessed > 0)
        {
            return AcceptGuess(rows);
        }

        if (_promptScores is not null)
        {
            for (int i = 0; i < count && start + i + 1 < Prompt.Length; i++)
            {
                ReadOnlySpan<float> row = rows.Slice(i * vocabulary, vocabulary);
                _promptScores.Add(Sampler.Score(row, Prompt[start + i + 1], _plan.Options.LogProbabilities ?? 0));
            }
        }

        return start + count == Tokens.Length && AcceptTokens(rows[^vocabulary..]);
    }

    /// <summary>Ends the stream: with the summary, or for a cancelled request with the exception that holds it.</summary>
    protected override void OnComplete()
    {
        string rest = _matcher.Append(_decoder?.Flush() ?? "") + _matcher.Flush();
        _text.Append(rest);
        GenerationResult result = Summarize(_finishReason ?? (CancelRequested ? GenerationFinishReason.Cancelled : GenerationFinishReason.Length));
        _diagnostics.Report(static (diagnostics, end) => diagnostics.Completed(end.Result, end.Started), (Result: result, Started: _begunAt is not null));
        if (result.FinishReason == GenerationFinishReason.Cancelled)
        {
            _updates.Writer.TryComplete(new GenerationCanceledException(result, CancellationToken));
            return;
        }

        _updates.Writer.TryWrite(new() { Text = rest, Result = result });
        _updates.Writer.TryComplete();
    }

    protected override void OnFail(Exception error)
    {
        _diagnostics.Report(static (diagnostics, end) => diagnostics.Failed(end.Error, end.Started), (Error: error, Started: _begunAt is not null));
        _updates.Writer.TryComplete(error);
    }

    protected override void OnBegun()
    {
        _sampler = new(_plan.Options, _tokenizer, _config.VocabularySize, _plan.EndIds, Prompt, _constraint);
        _lookup = _guesses ? new(Prompt.Length + _plan.MaxNewTokens) : null;
        _begunAt = _time.GetTimestamp();
        _diagnostics.Report(static (diagnostics, _) => diagnostics.Started(), this);
        if (_plan.Options.ReturnFullText is true)
        {
            _text.Append(_promptText);
            _updates.Writer.TryWrite(new() { Text = _promptText });
        }
    }

    /// <summary>Chooses a token, and takes those that a constraint leaves no choice about at once: they are forwarded together with it.</summary>
    private bool AcceptTokens(ReadOnlySpan<float> logits)
    {
        _promptReadAt ??= _time.GetTimestamp();
        AcceptToken(_sampler!.Next(logits), logits);
        while (_finishReason is null && _scores is null && _sampler.TryForce(out int forced))
        {
            AcceptToken(forced, logits);
        }

        return _finishReason is not null;
    }

    /// <summary>Guesses what follows the one token that is to be forwarded, where that can be of use.</summary>
    private int Guess(int start, int most)
    {
        // Beyond the trained context, dynamic rope scaling turns by the length of the sequence, which a wrong guess must not change.
        int longest = _config.RopeScaling is { Kind: RopeScalingKind.Dynamic } ? Math.Min(_config.ContextLength, Cache!.Capacity) : Cache!.Capacity;
        most = Math.Min(most, Math.Min(_plan.MaxNewTokens - Generated - 1, longest - start - 1));
        if (_lookup is null || most <= 0)
        {
            return 0;
        }

        ReadOnlySpan<int> guess = _lookup.Guess(Tokens, most);
        _chunk[0] = Tokens[^1];
        guess.CopyTo(_chunk.AsSpan(1));
        return guess.Length;
    }

    /// <summary>Chooses tokens from one row after another, as long as the guess has what was chosen, so that its successor's row is there.</summary>
    private bool AcceptGuess(ReadOnlySpan<float> rows)
    {
        int first = Tokens.Length, right = 0;
        bool ended;
        do
        {
            ended = AcceptTokens(rows.Slice((Tokens.Length - first) * _config.VocabularySize, _config.VocabularySize));
            while (right < _guessed && first + right < Tokens.Length && Tokens[first + right] == _chunk[1 + right])
            {
                right++;
            }
        }
        while (!ended && Tokens.Length - first == right);

        _lookup!.Learn(_guessed, right);
        Cache!.Rewind(first + right);
        return ended;
    }

    private void AcceptToken(int token, ReadOnlySpan<float> logits)
    {
        Append(token);
        _firstTokenAt ??= _time.GetTimestamp();
        string text = "";
        bool ends = _plan.EndIds.Contains(token);
        if (!ends && !IsPassedOver(token))
        {
            text = _matcher.Append(Decode(token));
            _text.Append(text);
        }

        _finishReason = ends || _constraint?.IsComplete is true ? GenerationFinishReason.Stop
            : _matcher.Matched is not null ? GenerationFinishReason.StopSequence
            : Generated == _plan.MaxNewTokens ? GenerationFinishReason.Length
            : null;
        ScoredToken? score = _scores is null ? null : Sampler.Score(logits, token, _plan.Options.LogProbabilities!.Value);
        if (score is not null)
        {
            _scores!.Add(score);
        }

        _updates.Writer.TryWrite(new() { Text = text, TokenIds = [token], LogProbabilities = score is null ? null : [score] });
    }

    // An end of text that does not end it adds no text, however the vocabulary spells it.
    private bool IsPassedOver(int token) => _plan.Options.IgnoreEos is true && _config.EndOfTextIds.Contains(token);

    // A head padded to a round number of rows has ids that the tokenizer does not know.
    private string Decode(int token) => _decoder is not null && token < _tokenizer!.VocabularySize ? _decoder.Append(token) : "";

    private GenerationResult Summarize(GenerationFinishReason reason) => new()
    {
        Text = _text.ToString(),
        PromptTokenIds = Prompt,
        TokenIds = Tokens[Prompt.Length..].ToArray(),
        FinishReason = _matcher.Matched is null ? reason : GenerationFinishReason.StopSequence,
        StopSequence = _matcher.Matched,
        Usage = new(Prompt.Length, CachedTokens, Generated),
        Timings = Times(),
        EffectiveOptions = _plan.Options.Snapshot(),
        LogProbabilities = _scores,
        PromptLogProbabilities = _promptScores,
        DroppedPromptTokens = _plan.DroppedTokens,
    };

    private GenerationTimings Times()
    {
        long now = _time.GetTimestamp();
        return new(
            Between(_queuedAt, _begunAt ?? now),
            Between(_begunAt, _promptReadAt ?? now),
            Between(_queuedAt, _firstTokenAt),
            Between(_firstTokenAt, now),
            _lookup?.Drafted ?? 0,
            _lookup?.Accepted ?? 0);

        TimeSpan Between(long? from, long? to) => from is null || to is null ? TimeSpan.Zero : _time.GetElapsedTime(from.Value, to.Value);
    }
}
