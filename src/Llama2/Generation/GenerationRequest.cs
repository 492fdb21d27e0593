using System.Text;
using System.Threading.Channels;

namespace Llama2;

/// <summary>What a generation is to do: everything checked, filled in and copied from the caller's objects.</summary>
/// <param name="Prompt">The ids to forward.</param>
/// <param name="DroppedTokens">How many the caller's prompt had more.</param>
/// <param name="MaxNewTokens">The most tokens to generate, the room in the context considered.</param>
/// <param name="EndIds">The ids that end it.</param>
/// <param name="Options">The settings in force.</param>
internal sealed record GenerationPlan(int[] Prompt, int DroppedTokens, int MaxNewTokens, int[] EndIds, GenerationOptions Options);

/// <summary>A generation under way: owns its sampler, decoder and matcher, and writes updates to a channel that its caller reads at leisure.</summary>
internal sealed class GenerationRequest : EngineRequest
{
    private readonly GenerationPlan _plan;
    private readonly LlamaConfig _config;
    private readonly LlamaTokenizer? _tokenizer;
    private readonly TimeProvider _time;
    private readonly LlamaDiagnostics? _diagnostics;

    private readonly StreamingDecoder? _decoder;
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
    private Sampler? _sampler;
    private GenerationFinishReason? _finishReason;

    public GenerationRequest(
        GenerationPlan plan,
        LlamaConfig config,
        LlamaTokenizer? tokenizer,
        TimeProvider time,
        LlamaDiagnostics? diagnostics,
        CancellationToken cancellationToken)
        : base(plan.Prompt, cancellationToken)
    {
        (_plan, _config, _tokenizer, _time, _diagnostics) = (plan, config, tokenizer, time, diagnostics);
        _queuedAt = time.GetTimestamp();
        _decoder = tokenizer?.CreateDecoder();
        _matcher = new(plan.Options.StopSequences ?? []);
        _scores = plan.Options.LogProbabilities is null ? null : [];
        _promptScores = plan.Options.PromptLogProbabilities is true ? [] : null;
        _promptText = string.Concat(plan.Prompt.Select(Decode));  // so that the answer's text is what it adds to the prompt's
        diagnostics.Report(static (diagnostics, _) => diagnostics.Queued(), this);
    }

    public ChannelReader<GenerationUpdate> Updates => _updates.Reader;

    public override bool IsOver =>
        base.IsOver || (_begunAt is { } begun && _plan.Options.MaxTime is { } most && _time.GetElapsedTime(begun) >= most);

    protected override int ReusableTokens => _promptScores is null ? Prompt.Length - 1 : 0;

    private int Generated => Tokens.Length - Prompt.Length;

    public override (int Count, LogitRows Rows) NextChunk(int start, int most, int mostRows)
    {
        int count = Math.Min(most, Tokens.Length - start);
        return _promptScores is not null && start < Prompt.Length
            ? (Math.Min(count, mostRows), LogitRows.All)
            : (count, start + count == Tokens.Length ? LogitRows.Last : LogitRows.None);
    }

    public override bool Accept(int start, int count, ReadOnlySpan<float> rows)
    {
        int vocabulary = _config.VocabularySize;
        if (_promptScores is not null)
        {
            for (int i = 0; i < count && start + i + 1 < Prompt.Length; i++)
            {
                ReadOnlySpan<float> row = rows.Slice(i * vocabulary, vocabulary);
                _promptScores.Add(Sampler.Score(row, Prompt[start + i + 1], _plan.Options.LogProbabilities ?? 0));
            }
        }

        return start + count == Tokens.Length && AcceptToken(rows[^vocabulary..]);
    }

    /// <summary>Ends the stream: with the summary, or for a cancelled request with the exception that holds it.</summary>
    public override void Complete()
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

    public override void Fail(Exception error)
    {
        _diagnostics.Report(static (diagnostics, end) => diagnostics.Failed(end.Error, end.Started), (Error: error, Started: _begunAt is not null));
        _updates.Writer.TryComplete(error);
    }

    protected override void OnBegun()
    {
        _sampler = new(_plan.Options, _tokenizer, _config.VocabularySize, _plan.EndIds, Prompt);
        _begunAt = _time.GetTimestamp();
        _diagnostics.Report(static (diagnostics, _) => diagnostics.Started(), this);
        if (_plan.Options.ReturnFullText is true)
        {
            _text.Append(_promptText);
            _updates.Writer.TryWrite(new() { Text = _promptText });
        }
    }

    private bool AcceptToken(ReadOnlySpan<float> logits)
    {
        _promptReadAt ??= _time.GetTimestamp();
        int token = _sampler!.Next(logits);
        Append(token);
        _firstTokenAt ??= _time.GetTimestamp();
        string text = "";
        bool ends = _plan.EndIds.Contains(token);
        if (!ends && !IsPassedOver(token))
        {
            text = _matcher.Append(Decode(token));
            _text.Append(text);
        }

        _finishReason = ends ? GenerationFinishReason.Stop
            : _matcher.Matched is not null ? GenerationFinishReason.StopSequence
            : Generated == _plan.MaxNewTokens ? GenerationFinishReason.Length
            : null;
        ScoredToken? score = _scores is null ? null : Sampler.Score(logits, token, _plan.Options.LogProbabilities!.Value);
        if (score is not null)
        {
            _scores!.Add(score);
        }

        _updates.Writer.TryWrite(new() { Text = text, TokenIds = [token], LogProbabilities = score is null ? null : [score] });
        return _finishReason is not null;
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
            Between(_firstTokenAt, now));

        TimeSpan Between(long? from, long? to) => from is null || to is null ? TimeSpan.Zero : _time.GetElapsedTime(from.Value, to.Value);
    }
}
