using System.Globalization;
using System.Text;

namespace Llama2;

/// <summary>Everything that a caller can set about generating a text; <see langword="null"/> means not set.</summary>
/// <remarks>
/// What is not set comes from <see cref="LlamaModelOptions.Generation"/>, then from the model's <c>generation_config.json</c>, then from the
/// default documented here. Validate with <see cref="Validate"/>; the engine does so before any work. A copy made by <c>with</c> shares the lists
/// of the original; the engine copies them when a request begins, so later changes touch no running request. Not thread-safe.
/// <para>
/// The settings act on the logits in the order of transformers' <c>GenerationMixin._get_logits_processor</c>: <see cref="LogitBias"/>,
/// <see cref="RepetitionPenalty"/>, <see cref="PresencePenalty"/> and <see cref="FrequencyPenalty"/>, <see cref="NoRepeatNgramSize"/>,
/// <see cref="BadWords"/>, <see cref="MinNewTokens"/>, <see cref="Constraint"/>; and where tokens are drawn at random, then <see cref="Temperature"/>, <see cref="TopK"/>,
/// <see cref="TopP"/>, <see cref="MinP"/>, <see cref="TypicalP"/>, each on what the one before it left.
/// </para>
/// </remarks>
public sealed record GenerationOptions
{
    /// <summary>Gets or sets whether tokens are drawn at random; otherwise the likeliest is taken.</summary>
    /// <value>
    /// The default is <see langword="true"/>. A <see cref="Temperature"/> of 0 makes it <see langword="false"/>. Whoever sets a temperature above
    /// 0, top_k, top_p, min_p or typical_p, but not this, gets random draws also where the settings fallen back on say otherwise.
    /// </value>
    public bool? DoSample { get; set; }

    /// <summary>Gets or sets the divisor of the logits; lower is more predictable.</summary>
    /// <value>Finite, at least 0; 0 takes the likeliest token. The default is 0.6.</value>
    public float? Temperature { get; set; }

    /// <summary>Gets or sets how many of the likeliest tokens are kept.</summary>
    /// <value>At least 0; 0 keeps all. Of equally likely tokens the lower ids are kept. The default is 0.</value>
    public int? TopK { get; set; }

    /// <summary>Gets or sets the share of probability mass that is kept: the fewest likeliest tokens that reach it.</summary>
    /// <value>Above 0, at most 1. The default is 0.9.</value>
    public float? TopP { get; set; }

    /// <summary>Gets or sets the least probability of a token, as a share of the likeliest token's.</summary>
    /// <value>From 0 to 1; 0 keeps all. The default is 0.</value>
    public float? MinP { get; set; }

    /// <summary>Gets or sets the mass of locally typical tokens that is kept (Meister et al. 2022).</summary>
    /// <value>Above 0, at most 1; 1 keeps all. The default is 1.</value>
    public float? TypicalP { get; set; }

    /// <summary>Gets or sets the factor against tokens that have occurred (Keskar et al. 2019): it divides positive logits, multiplies negative ones.</summary>
    /// <value>Finite, above 0; 1 does nothing, less than 1 favours repetition. The default is 1.</value>
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

    /// <summary>Gets or sets the length of token runs that may not occur twice, prompt included.</summary>
    /// <value>At least 0; 0 allows all. The default is 0.</value>
    public int? NoRepeatNgramSize { get; set; }

    /// <summary>Gets or sets what is added to the logits of tokens, by id.</summary>
    /// <value>Ids from 0 to below the vocabulary's size; finite values, or −∞, which forbids a token. The default is none.</value>
    public IReadOnlyDictionary<int, float>? LogitBias { get; set; }

    /// <summary>Gets or sets words that may not be generated, at the beginning of a word or inside one.</summary>
    /// <value>
    /// Texts of at least one character, without lone surrogates. The default is none. As in transformers, the token that would complete a word's
    /// usual encoding is forbidden; a spelling in unusual pieces is another sequence of tokens and gets through.
    /// </value>
    public IReadOnlyList<string>? BadWords { get; set; }

    /// <summary>Gets or sets the seed of the random draws; the same seed and settings give the same text.</summary>
    /// <value>The default, <see langword="null"/>, takes a new seed for each request, which the effective settings report.</value>
    public long? Seed { get; set; }

    /// <summary>Gets or sets the adapter that stands beside the model's weights for this request, by the name it was loaded under.</summary>
    /// <value>
    /// A name of <see cref="LlamaModel.Adapters"/>, upper and lower case told apart, or the empty text for the bare model. The default,
    /// <see langword="null"/>, is the one that the settings fallen back on name, else the bare model.
    /// </value>
    public string? Adapter { get; set; }

    /// <summary>Gets or sets the most tokens to generate.</summary>
    /// <value>At least 1, and at least <see cref="MinNewTokens"/>. The default is the rest of the context.</value>
    public int? MaxNewTokens { get; set; }

    /// <summary>Gets or sets how many tokens are generated before the end of text may come.</summary>
    /// <value>At least 0. The default is 0.</value>
    public int? MinNewTokens { get; set; }

    /// <summary>
    /// Gets or sets the longest time to generate, from the moment that the request starts; then it ends with
    /// <see cref="GenerationFinishReason.Length"/>.
    /// </summary>
    /// <value>Above zero. The default is no limit.</value>
    public TimeSpan? MaxTime { get; set; }

    /// <summary>Gets or sets texts that end the generation; they are matched across token borders and never part of the answer.</summary>
    /// <value>Texts of at least one character, without lone surrogates. The one that is complete first ends the generation. The default is none.</value>
    public IReadOnlyList<string>? StopSequences { get; set; }

    /// <summary>Gets or sets ids that end the generation besides the model's own end of text.</summary>
    /// <value>Ids from 0 to below the vocabulary's size. The default is none.</value>
    public IReadOnlyList<int>? StopTokenIds { get; set; }

    /// <summary>Gets or sets whether the end of text is passed over: it neither stops nor adds text.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool? IgnoreEos { get; set; }

    /// <summary>Gets or sets what the answer has to look like: a choice, a regular expression, JSON or a JSON schema.</summary>
    /// <value>
    /// The default is none. A constraint says itself where the text ends, so that <see cref="StopSequences"/>, <see cref="IgnoreEos"/> and
    /// <see cref="MinNewTokens"/> are refused beside it, and so is <see cref="NoRepeatNgramSize"/>, which would forbid its punctuation. What ends the text by
    /// id may come where the constraint is satisfied. Where <see cref="BadWords"/> and <see cref="LogitBias"/> forbid every token that it allows, the
    /// generation fails with an <see cref="InvalidOperationException"/>.
    /// </value>
    public GenerationConstraint? Constraint { get; set; }

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

    /// <summary>Gets the defaults documented here; what has none stays <see langword="null"/>. A new object each time.</summary>
    internal static GenerationOptions Defaults => new()
    {
        DoSample = true,
        Temperature = 0.6f,
        TopK = 0,
        TopP = 0.9f,
        MinP = 0,
        TypicalP = 1,
        RepetitionPenalty = 1,
        RepetitionWindow = 0,
        PresencePenalty = 0,
        FrequencyPenalty = 0,
        NoRepeatNgramSize = 0,
        MinNewTokens = 0,
        IgnoreEos = false,
        ReturnFullText = false,
        PromptLogProbabilities = false,
        ContextOverflow = Llama2.ContextOverflow.Throw,
    };

    /// <summary>Checks every value against its range.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it, its value and the range.</exception>
    public void Validate()
    {
        // Patterns are false for NaN, and "≤ MaxValue" is false for ∞.
        Require(Temperature is null or (>= 0 and <= float.MaxValue), "temperature", Temperature, "a finite number of at least 0");
        Require(TopK is null or >= 0, "top_k", TopK, "at least 0");
        Require(TopP is null or (> 0 and <= 1), "top_p", TopP, "above 0 and at most 1");
        Require(MinP is null or (>= 0 and <= 1), "min_p", MinP, "from 0 to 1");
        Require(TypicalP is null or (> 0 and <= 1), "typical_p", TypicalP, "above 0 and at most 1");
        Require(RepetitionPenalty is null or (> 0 and <= float.MaxValue), "repetition_penalty", RepetitionPenalty, "a finite number above 0");
        Require(RepetitionWindow is null or >= 0, "repetition_window", RepetitionWindow, "at least 0");
        Require(PresencePenalty is null or (>= -2 and <= 2), "presence_penalty", PresencePenalty, "from -2 to 2");
        Require(FrequencyPenalty is null or (>= -2 and <= 2), "frequency_penalty", FrequencyPenalty, "from -2 to 2");
        Require(NoRepeatNgramSize is null or >= 0, "no_repeat_ngram_size", NoRepeatNgramSize, "at least 0");
        Require(MaxNewTokens is null or >= 1, "max_new_tokens", MaxNewTokens, "at least 1");
        Require(MinNewTokens is null or >= 0, "min_new_tokens", MinNewTokens, "at least 0");
        Require(!(MinNewTokens > MaxNewTokens), "min_new_tokens", MinNewTokens, $"at most max_new_tokens, {MaxNewTokens}");
        Require(MaxTime is null || MaxTime > TimeSpan.Zero, "max_time", MaxTime, "above zero");
        Require(LogProbabilities is null or (>= 0 and <= 20), "logprobs", LogProbabilities, "from 0 to 20");
        bool overflowKnown = ContextOverflow is null || Enum.IsDefined(ContextOverflow.Value);
        Require(overflowKnown, "context_overflow", ContextOverflow, "Throw, DropOldestTurns or TruncateLeft");
        RequireFree(StopSequences is { Count: > 0 }, "stop_sequences", "would cut the text off");
        RequireFree(IgnoreEos is true, "ignore_eos", "would go on after the end of the text");
        RequireFree(MinNewTokens > 0, "min_new_tokens", "may ask for more than the constraint allows");
        RequireFree(NoRepeatNgramSize > 0, "no_repeat_ngram_size", "would forbid punctuation that has to repeat");
        RequireTexts(BadWords, "bad_words");
        RequireTexts(StopSequences, "stop_sequences");
        foreach ((int id, float bias) in LogitBias ?? new Dictionary<int, float>())
        {
            Require(id >= 0, "an id of logit_bias", id, "at least 0");
            Require(bias < float.PositiveInfinity, $"logit_bias[{id}]", bias, "a finite number, or -Infinity to forbid the token");
        }

        foreach (int id in StopTokenIds ?? [])
        {
            Require(id >= 0, "an id of stop_token_ids", id, "at least 0");
        }

        void RequireFree(bool isSet, string name, string reason)
        {
            if (Constraint is not null && isSet)
            {
                throw new ArgumentException($"{name} is set beside {(Constraint.Kind == GenerationConstraintKind.Tools ? "tools" : "a constraint")}, and {reason}.");
            }
        }
    }

    /// <summary>Whoever sets how to draw wants to draw, also on a model whose own settings do not.</summary>
    private bool SaysHowToDraw => Temperature > 0 || TopK is not null || TopP is not null || MinP is not null || TypicalP is not null;

    /// <summary>Fills what is not set here from <paramref name="fallback"/>; both stay as they are.</summary>
    /// <param name="fallback">The settings to fall back on.</param>
    /// <returns>New settings, which share the lists that they took over.</returns>
    public GenerationOptions Or(GenerationOptions fallback)
    {
        ArgumentNullException.ThrowIfNull(fallback);
        return new()
        {
            DoSample = DoSample ?? (SaysHowToDraw ? true : fallback.DoSample),
            Temperature = Temperature ?? fallback.Temperature,
            TopK = TopK ?? fallback.TopK,
            TopP = TopP ?? fallback.TopP,
            MinP = MinP ?? fallback.MinP,
            TypicalP = TypicalP ?? fallback.TypicalP,
            RepetitionPenalty = RepetitionPenalty ?? fallback.RepetitionPenalty,
            RepetitionWindow = RepetitionWindow ?? fallback.RepetitionWindow,
            PresencePenalty = PresencePenalty ?? fallback.PresencePenalty,
            FrequencyPenalty = FrequencyPenalty ?? fallback.FrequencyPenalty,
            NoRepeatNgramSize = NoRepeatNgramSize ?? fallback.NoRepeatNgramSize,
            LogitBias = LogitBias ?? fallback.LogitBias,
            BadWords = BadWords ?? fallback.BadWords,
            Seed = Seed ?? fallback.Seed,
            Adapter = Adapter ?? fallback.Adapter,
            MaxNewTokens = MaxNewTokens ?? fallback.MaxNewTokens,
            MinNewTokens = MinNewTokens ?? fallback.MinNewTokens,
            MaxTime = MaxTime ?? fallback.MaxTime,
            StopSequences = StopSequences ?? fallback.StopSequences,
            StopTokenIds = StopTokenIds ?? fallback.StopTokenIds,
            IgnoreEos = IgnoreEos ?? fallback.IgnoreEos,
            Constraint = Constraint ?? fallback.Constraint,
            ReturnFullText = ReturnFullText ?? fallback.ReturnFullText,
            LogProbabilities = LogProbabilities ?? fallback.LogProbabilities,
            PromptLogProbabilities = PromptLogProbabilities ?? fallback.PromptLogProbabilities,
            ContextOverflow = ContextOverflow ?? fallback.ContextOverflow,
        };
    }

    /// <summary>Copies the settings with lists of their own, which no caller can change any more. Validate the copy, not the original.</summary>
    internal GenerationOptions Snapshot() => this with
    {
        LogitBias = LogitBias is null ? null : new Dictionary<int, float>(LogitBias),
        BadWords = BadWords is null ? null : [.. BadWords],
        StopSequences = StopSequences is null ? null : [.. StopSequences],
        StopTokenIds = StopTokenIds is null ? null : [.. StopTokenIds],
    };

    /// <summary>The settings in force: the defaults filled in, and no sampling where the temperature is 0. Seed and token limit are the engine's.</summary>
    internal GenerationOptions Effective()
    {
        GenerationOptions effective = Or(Defaults);
        effective.DoSample = effective.DoSample == true && effective.Temperature != 0;
        return effective;
    }

    private static void RequireTexts(IReadOnlyList<string>? texts, string name)
    {
        for (int i = 0; i < (texts?.Count ?? 0); i++)
        {
            string? fault = texts![i] is null ? "null" : texts[i].Length == 0 ? "empty" : HasLoneSurrogate(texts[i]) ? "not well-formed" : null;
            Require(fault is null, $"{name}[{i}]", fault, "text of at least one character, without lone surrogates");
        }
    }

    private static bool HasLoneSurrogate(ReadOnlySpan<char> text)
    {
        while (Rune.DecodeFromUtf16(text, out _, out int length) == System.Buffers.OperationStatus.Done)
        {
            text = text[length..];
        }

        return !text.IsEmpty;
    }

    private static void Require(bool holds, string name, object? value, string range)
    {
        if (!holds)
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}; it must be {range}."));
        }
    }
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
