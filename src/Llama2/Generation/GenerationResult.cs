namespace Llama2;

/// <summary>Why a generation ended.</summary>
public enum GenerationFinishReason
{
    /// <summary>The model ended the text, or a stop token id came.</summary>
    Stop,

    /// <summary>A stop sequence came.</summary>
    StopSequence,

    /// <summary>The limit of tokens, of the context or of time was reached.</summary>
    Length,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}

/// <summary>Tokens of a request.</summary>
/// <param name="PromptTokens">Tokens of the prompt, those from the cache included.</param>
/// <param name="CachedPromptTokens">Prompt tokens that an earlier sequence's cache supplied.</param>
/// <param name="CompletionTokens">Tokens generated, an ending one included.</param>
public readonly record struct GenerationUsage(int PromptTokens, int CachedPromptTokens, int CompletionTokens);

/// <summary>Times of a request.</summary>
/// <param name="Queue">From the request to its first forward pass.</param>
/// <param name="Prefill">From then until the prompt was read.</param>
/// <param name="FirstToken">From the request to the first token.</param>
/// <param name="Decode">From the first token to the end.</param>
/// <param name="DraftedTokens">Tokens that prompt lookup guessed, see <see cref="LlamaModelOptions.PromptLookup"/>.</param>
/// <param name="AcceptedTokens">Tokens of those that were right and so took no forward pass of their own.</param>
public readonly record struct GenerationTimings(
    TimeSpan Queue, TimeSpan Prefill, TimeSpan FirstToken, TimeSpan Decode, int DraftedTokens = 0, int AcceptedTokens = 0);

/// <summary>The natural logarithm of a token's probability under the model, before any setting acts on it.</summary>
/// <param name="TokenId">The token.</param>
/// <param name="LogProbability">ln p, at most 0.</param>
public readonly record struct TokenLogProbability(int TokenId, float LogProbability);

/// <summary>A scored token.</summary>
/// <param name="Token">The token with its log-probability.</param>
/// <param name="Top">The likeliest tokens, likeliest first.</param>
public sealed record ScoredToken(TokenLogProbability Token, IReadOnlyList<TokenLogProbability> Top);

/// <summary>One step of a generation.</summary>
public sealed class GenerationUpdate
{
    /// <summary>Gets the text that became certain with this step; empty while a character or a stop sequence may still be coming.</summary>
    public string Text { get; init; } = "";

    /// <summary>Gets the ids of this step; none in the last update.</summary>
    public IReadOnlyList<int> TokenIds { get; init; } = [];

    /// <summary>Gets the scores of the ids, if they were asked for.</summary>
    public IReadOnlyList<ScoredToken>? LogProbabilities { get; init; }

    /// <summary>Gets the summary, in the last update only.</summary>
    public GenerationResult? Result { get; init; }
}

/// <summary>What a generation was.</summary>
public sealed class GenerationResult
{
    /// <summary>Gets the whole text.</summary>
    public required string Text { get; init; }

    /// <summary>Gets the prompt's ids as they were forwarded.</summary>
    public required IReadOnlyList<int> PromptTokenIds { get; init; }

    /// <summary>Gets the ids generated, an ending one included.</summary>
    public required IReadOnlyList<int> TokenIds { get; init; }

    /// <summary>Gets why it ended.</summary>
    public required GenerationFinishReason FinishReason { get; init; }

    /// <summary>Gets the stop sequence that ended it, if one did.</summary>
    public string? StopSequence { get; init; }

    /// <summary>Gets the counts.</summary>
    public required GenerationUsage Usage { get; init; }

    /// <summary>Gets the times.</summary>
    public required GenerationTimings Timings { get; init; }

    /// <summary>Gets the settings that were in force, every one filled in, the seed included.</summary>
    public required GenerationOptions EffectiveOptions { get; init; }

    /// <summary>Gets the scores of <see cref="TokenIds"/>, if they were asked for.</summary>
    public IReadOnlyList<ScoredToken>? LogProbabilities { get; init; }

    /// <summary>Gets the scores of the prompt from its second token on, if they were asked for.</summary>
    public IReadOnlyList<ScoredToken>? PromptLogProbabilities { get; init; }

    /// <summary>Gets how many tokens of the prompt were dropped to make it fit.</summary>
    public int DroppedPromptTokens { get; init; }
}

/// <summary>A generation was cancelled by its caller.</summary>
public sealed class GenerationCanceledException : OperationCanceledException
{
    /// <summary>Initializes a new instance of the <see cref="GenerationCanceledException"/> class.</summary>
    /// <param name="result">What there was by then.</param>
    /// <param name="cancellationToken">The token that was cancelled.</param>
    public GenerationCanceledException(GenerationResult result, CancellationToken cancellationToken)
        : base("The generation was cancelled.", cancellationToken) => Result = result;

    /// <summary>Gets what there was by then.</summary>
    public GenerationResult Result { get; }
}
