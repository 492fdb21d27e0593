namespace Llama2;

/// <summary>Everything that a caller can set about generating a text; <see langword="null"/> means not set.</summary>
/// <remarks>
/// What is not set comes from <see cref="LlamaModelOptions.Generation"/>, then from the model's <c>generation_config.json</c>, then from the
/// default documented here. Validate with <see cref="Validate"/>; the engine does so before any work.
/// </remarks>
public sealed record GenerationOptions
{
    /// <summary>Gets or sets whether tokens are drawn at random; otherwise the likeliest is taken.</summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool? DoSample { get; set; }

    /// <summary>Gets or sets the divisor of the logits; lower is more predictable.</summary>
    /// <value>At least 0; 0 takes the likeliest token. The default is 0.6.</value>
    public float? Temperature { get; set; }

    /// <summary>Gets or sets how many of the likeliest tokens are kept.</summary>
    /// <value>At least 0; 0 keeps all. The default is 0.</value>
    public int? TopK { get; set; }

    /// <summary>Gets or sets the share of probability mass that is kept.</summary>
    /// <value>Above 0, at most 1. The default is 0.9.</value>
    public float? TopP { get; set; }

    /// <summary>Gets or sets the least probability of a token, as a share of the likeliest token's.</summary>
    /// <value>From 0 to 1. The default is 0.</value>
    public float? MinP { get; set; }

    /// <summary>Gets or sets the mass of locally typical tokens that is kept (Meister et al. 2022).</summary>
    /// <value>Above 0, at most 1. The default is 1.</value>
    public float? TypicalP { get; set; }

    /// <summary>Gets or sets the factor against tokens that have occurred (Keskar et al. 2019).</summary>
    /// <value>Above 0; 1 does nothing. The default is 1.</value>
    public float? RepetitionPenalty { get; set; }

    /// <summary>Gets or sets how many of the last tokens, prompt included, the repetition penalty looks at.</summary>
    /// <value>At least 0; 0 looks at all. The default is 0.</value>
    public int? RepetitionWindow { get; set; }

    /// <summary>Gets or sets what is subtracted from the logit of every token that the answer has used.</summary>
    /// <value>From −2 to 2. The default is 0.</value>
    public float? PresencePenalty { get; set; }

    /// <summary>Gets or sets what is subtracted from a token's logit for each time that the answer has used it.</summary>
    /// <value>From −2 to 2. The default is 0.</value>
    public float? FrequencyPenalty { get; set; }

    /// <summary>Gets or sets the length of token runs that may not occur twice.</summary>
    /// <value>At least 0; 0 allows all. The default is 0.</value>
    public int? NoRepeatNgramSize { get; set; }

    /// <summary>Gets or sets what is added to the logits of tokens, by id; −∞ forbids one.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; set; }

    /// <summary>Gets or sets words that may not be generated.</summary>
    public IReadOnlyList<string>? BadWords { get; set; }

    /// <summary>Gets or sets the seed of the random draws; the same seed and settings give the same text.</summary>
    /// <value>The default, <see langword="null"/>, takes a new seed for each request, which the effective settings report.</value>
    public long? Seed { get; set; }

    /// <summary>Gets or sets the most tokens to generate.</summary>
    /// <value>At least 1. The default is the rest of the context.</value>
    public int? MaxNewTokens { get; set; }

    /// <summary>Gets or sets how many tokens are generated before the end of text may come.</summary>
    /// <value>At least 0. The default is 0.</value>
    public int? MinNewTokens { get; set; }

    /// <summary>Gets or sets the longest time to generate, from the moment that the request starts; then it ends with <see cref="GenerationFinishReason.Length"/>.</summary>
    public TimeSpan? MaxTime { get; set; }

    /// <summary>Gets or sets texts that end the generation; they are matched across token borders and never part of the answer.</summary>
    public IReadOnlyList<string>? StopSequences { get; set; }

    /// <summary>Gets or sets ids that end the generation besides the model's own end of text.</summary>
    public IReadOnlyList<int>? StopTokenIds { get; set; }

    /// <summary>Gets or sets whether the end of text is passed over: it neither stops nor adds text.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool? IgnoreEos { get; set; }

    /// <summary>Gets or sets whether the answer begins with the prompt.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool? ReturnFullText { get; set; }

    /// <summary>Gets or sets how many of the likeliest tokens are reported with each generated one.</summary>
    /// <value>From 0 to 20; 0 reports the generated token alone. The default, <see langword="null"/>, reports nothing.</value>
    public int? LogProbabilities { get; set; }

    /// <summary>Gets or sets whether the prompt's own tokens are scored.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool? PromptLogProbabilities { get; set; }

    /// <summary>Gets or sets what happens when the prompt does not fit the context.</summary>
    /// <value>The default is <see cref="ContextOverflow.Throw"/>.</value>
    public ContextOverflow? ContextOverflow { get; set; }

    /// <summary>Checks every value against its range.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it, its value and the range.</exception>
    public void Validate() => throw new NotImplementedException();

    /// <summary>Fills what is not set here from <paramref name="fallback"/>.</summary>
    /// <param name="fallback">The settings to fall back on.</param>
    public GenerationOptions Or(GenerationOptions fallback) => throw new NotImplementedException();
}

/// <summary>What happens when a prompt does not fit the context.</summary>
public enum ContextOverflow
{
    /// <summary>The request is refused with a <see cref="ContextOverflowException"/> that holds the counts.</summary>
    Throw,

    /// <summary>The oldest turns of a chat are dropped; the system message and the last user turn stay. A bare prompt cannot be cut so and throws.</summary>
    DropOldestTurns,

    /// <summary>The oldest tokens are dropped, the begin of text kept.</summary>
    TruncateLeft,
}
