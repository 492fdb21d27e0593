using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.AI;
using Microsoft.SemanticKernel;

namespace Llama2.SemanticKernel;

/// <summary>The settings of a request to a Llama model: those of <see cref="GenerationOptions"/>, in the shape that Semantic Kernel knows.</summary>
/// <remarks>
/// <para>
/// <see langword="null"/> means not set; then the model's own setting holds. In JSON and YAML each property has the name that <c>ChatOptions</c> and
/// the command line know it by (<c>top_p</c>, <c>max_new_tokens</c>, <c>stop_sequences</c>, …), numbers and flags may be text, and what is not set
/// is left out. Further names go through <see cref="PromptExecutionSettings.ExtensionData"/>: synonyms (<c>stop</c>, <c>logprobs</c>), a
/// <c>chat_system_prompt</c>; a name that nobody knows is refused by the request. Values are checked by the request, before any work.
/// </para>
/// <para>Not thread-safe until frozen; requests read settings and never change them.</para>
/// </remarks>
/// <example>
/// <code>
/// var settings = new Llama2PromptExecutionSettings { Temperature = 0.2f, MaxNewTokens = 200, FunctionChoiceBehavior = FunctionChoiceBehavior.Auto() };
/// FunctionResult answer = await kernel.InvokePromptAsync("Summarise: {{$input}}", new(settings) { ["input"] = text });
/// </code>
/// </example>
[JsonConverter(typeof(Llama2PromptExecutionSettingsJsonConverter))]
public sealed class Llama2PromptExecutionSettings : PromptExecutionSettings
{
    private GenerationOptions _generation = new();
    private int? _maxTokens;
    private IReadOnlyList<string>? _choice;
    private string? _regex;
    private ChatResponseFormat? _responseFormat;

    /// <inheritdoc cref="GenerationOptions.DoSample"/>
    public bool? DoSample { get => _generation.DoSample; set => Writable.DoSample = value; }

    /// <inheritdoc cref="GenerationOptions.Temperature"/>
    public float? Temperature { get => _generation.Temperature; set => Writable.Temperature = value; }

    /// <inheritdoc cref="GenerationOptions.TopK"/>
    public int? TopK { get => _generation.TopK; set => Writable.TopK = value; }

    /// <inheritdoc cref="GenerationOptions.TopP"/>
    public float? TopP { get => _generation.TopP; set => Writable.TopP = value; }

    /// <inheritdoc cref="GenerationOptions.MinP"/>
    public float? MinP { get => _generation.MinP; set => Writable.MinP = value; }

    /// <inheritdoc cref="GenerationOptions.TypicalP"/>
    public float? TypicalP { get => _generation.TypicalP; set => Writable.TypicalP = value; }

    /// <inheritdoc cref="GenerationOptions.RepetitionPenalty"/>
    public float? RepetitionPenalty { get => _generation.RepetitionPenalty; set => Writable.RepetitionPenalty = value; }

    /// <inheritdoc cref="GenerationOptions.RepetitionWindow"/>
    public int? RepetitionWindow { get => _generation.RepetitionWindow; set => Writable.RepetitionWindow = value; }

    /// <inheritdoc cref="GenerationOptions.PresencePenalty"/>
    public float? PresencePenalty { get => _generation.PresencePenalty; set => Writable.PresencePenalty = value; }

    /// <inheritdoc cref="GenerationOptions.FrequencyPenalty"/>
    public float? FrequencyPenalty { get => _generation.FrequencyPenalty; set => Writable.FrequencyPenalty = value; }

    /// <inheritdoc cref="GenerationOptions.NoRepeatNgramSize"/>
    public int? NoRepeatNgramSize { get => _generation.NoRepeatNgramSize; set => Writable.NoRepeatNgramSize = value; }

    /// <inheritdoc cref="GenerationOptions.LogitBias"/>
    public IReadOnlyDictionary<int, float>? LogitBias { get => _generation.LogitBias; set => Writable.LogitBias = value; }

    /// <inheritdoc cref="GenerationOptions.BadWords"/>
    public IReadOnlyList<string>? BadWords { get => _generation.BadWords; set => Writable.BadWords = value; }

    /// <inheritdoc cref="GenerationOptions.Seed"/>
    public long? Seed { get => _generation.Seed; set => Writable.Seed = value; }

    /// <inheritdoc cref="GenerationOptions.Adapter"/>
    public string? Adapter { get => _generation.Adapter; set => Writable.Adapter = value; }

    /// <inheritdoc cref="GenerationOptions.MaxNewTokens"/>
    public int? MaxNewTokens { get => _generation.MaxNewTokens; set => Writable.MaxNewTokens = value; }

    /// <summary>Gets or sets the most tokens to generate, under the name that other connectors use.</summary>
    /// <value>At least 1. The default, <see langword="null"/>, leaves it to <see cref="MaxNewTokens"/>; if both are set, they must be equal.</value>
    public int? MaxTokens
    {
        get => _maxTokens;
        set
        {
            ThrowIfFrozen();
            _maxTokens = value;
        }
    }

    /// <inheritdoc cref="GenerationOptions.MinNewTokens"/>
    public int? MinNewTokens { get => _generation.MinNewTokens; set => Writable.MinNewTokens = value; }

    /// <inheritdoc cref="GenerationOptions.MaxTime"/>
    /// <remarks>In JSON and YAML a number of seconds.</remarks>
    public TimeSpan? MaxTime { get => _generation.MaxTime; set => Writable.MaxTime = value; }

    /// <inheritdoc cref="GenerationOptions.StopSequences"/>
    public IReadOnlyList<string>? StopSequences { get => _generation.StopSequences; set => Writable.StopSequences = value; }

    /// <inheritdoc cref="GenerationOptions.StopTokenIds"/>
    public IReadOnlyList<int>? StopTokenIds { get => _generation.StopTokenIds; set => Writable.StopTokenIds = value; }

    /// <inheritdoc cref="GenerationOptions.IgnoreEos"/>
    public bool? IgnoreEos { get => _generation.IgnoreEos; set => Writable.IgnoreEos = value; }

    /// <inheritdoc cref="GenerationOptions.ReturnFullText"/>
    public bool? ReturnFullText { get => _generation.ReturnFullText; set => Writable.ReturnFullText = value; }

    /// <inheritdoc cref="GenerationOptions.LogProbabilities"/>
    /// <remarks>In JSON and YAML it is called <c>top_logprobs</c>.</remarks>
    public int? LogProbabilities { get => _generation.LogProbabilities; set => Writable.LogProbabilities = value; }

    /// <inheritdoc cref="GenerationOptions.PromptLogProbabilities"/>
    /// <remarks>In JSON and YAML it is called <c>prompt_logprobs</c>.</remarks>
    public bool? PromptLogProbabilities { get => _generation.PromptLogProbabilities; set => Writable.PromptLogProbabilities = value; }

    /// <inheritdoc cref="GenerationOptions.ContextOverflow"/>
    public ContextOverflow? ContextOverflow { get => _generation.ContextOverflow; set => Writable.ContextOverflow = value; }

    /// <summary>Gets or sets the texts of which the answer has to be one.</summary>
    /// <value>
    /// What <see cref="GenerationConstraint.Choice"/> takes. The default, <see langword="null"/>, is any text. At most one of this, <see cref="Regex"/> and a
    /// JSON <see cref="ResponseFormat"/> may be set.
    /// </value>
    public IReadOnlyList<string>? Choice
    {
        get => _choice;
        set
        {
            ThrowIfFrozen();
            _choice = value;
        }
    }

    /// <summary>Gets or sets the regular expression that the answer has to match from beginning to end.</summary>
    /// <value>
    /// What <see cref="GenerationConstraint.Regex"/> takes. The default, <see langword="null"/>, is any text. At most one of <see cref="Choice"/>, this and a
    /// JSON <see cref="ResponseFormat"/> may be set.
    /// </value>
    public string? Regex
    {
        get => _regex;
        set
        {
            ThrowIfFrozen();
            _regex = value;
        }
    }

    /// <summary>Gets or sets the form of the answer.</summary>
    /// <value>
    /// Text, JSON, or JSON under a schema (<c>ChatResponseFormat.ForJsonSchema&lt;T&gt;()</c>), as <see cref="GenerationConstraint.JsonSchema(string)"/> takes it.
    /// The default, <see langword="null"/>, is text. In JSON and YAML <c>text</c>, <c>json_object</c>, a schema (also as text that holds one), or OpenAI's
    /// <c>{"type": "json_schema", …}</c>.
    /// </value>
    public ChatResponseFormat? ResponseFormat
    {
        get => _responseFormat;
        set
        {
            ThrowIfFrozen();
            _responseFormat = value;
        }
    }

    private GenerationOptions Writable
    {
        get
        {
            ThrowIfFrozen();
            return _generation;
        }
    }

    /// <summary>Turns any settings into these, as requests do: what was set under a name that they know becomes the property.</summary>
    /// <param name="executionSettings">The settings; they stay as they are.</param>
    /// <returns>New settings; <paramref name="executionSettings"/> itself where it has this type already.</returns>
    /// <exception cref="ArgumentException">A value has a form that its setting does not take; the message names both.</exception>
    public static Llama2PromptExecutionSettings FromExecutionSettings(PromptExecutionSettings? executionSettings)
    {
        if (executionSettings is null or Llama2PromptExecutionSettings)
        {
            return (Llama2PromptExecutionSettings?)executionSettings ?? new();
        }

        var settings = new Llama2PromptExecutionSettings
        {
            ServiceId = executionSettings.ServiceId,
            ModelId = executionSettings.ModelId,
            FunctionChoiceBehavior = executionSettings.FunctionChoiceBehavior,
        };
        foreach ((string name, object? value) in Named(executionSettings))
        {
            if (ChatOptionsMapper.Unwrap(name, value) is { } plain && !settings.TrySet(name, plain, value))
            {
                (settings.ExtensionData ??= new Dictionary<string, object>())[name] = value;
            }
        }

        return settings;
    }

    /// <inheritdoc/>
    public override void Freeze()
    {
        if (!IsFrozen)
        {
            _generation = _generation.Snapshot();
            _generation.LogitBias = _generation.LogitBias is { } bias ? new Dictionary<int, float>(bias).AsReadOnly() : null;
            _choice = _choice is null ? null : [.. _choice];
            base.Freeze();
        }
    }

    /// <inheritdoc/>
    public override PromptExecutionSettings Clone() => new Llama2PromptExecutionSettings
    {
        ServiceId = ServiceId,
        ModelId = ModelId,
        FunctionChoiceBehavior = FunctionChoiceBehavior,
        ExtensionData = ExtensionData is null ? null : new Dictionary<string, object>(ExtensionData),
        _generation = _generation.Snapshot(),
        _maxTokens = _maxTokens,
        _choice = _choice is null ? null : [.. _choice],
        _regex = _regex,
        _responseFormat = _responseFormat,
    };

    /// <summary>The same settings without types: everything by name, in forms that <see cref="FromExecutionSettings"/> reads back.</summary>
    internal PromptExecutionSettings ToGeneric()
    {
        var named = new Dictionary<string, object>(ExtensionData ?? new Dictionary<string, object>());
        foreach ((string name, object? value) in GenerationSetting.Describe(_generation))
        {
            named[name] = value is IReadOnlyDictionary<int, float> bias ? Texts(bias) : value!;
        }

        Add("max_tokens", MaxTokens);
        Add("choice", Choice);
        Add("regex", Regex);
        Add(ResponseFormatSetting.Name, ResponseFormat is { } format ? ResponseFormatSetting.Describe(format) : null);
        return new()
        {
            ServiceId = ServiceId,
            ModelId = ModelId,
            FunctionChoiceBehavior = FunctionChoiceBehavior,
            ExtensionData = named.Count == 0 ? null : named.ToDictionary(pair => pair.Key, pair => (object)Json(pair.Value)),
        };

        void Add(string name, object? value)
        {
            if (value is not null)
            {
                named[name] = value;
            }
        }
    }

    /// <inheritdoc/>
    protected override void PrepareChatOptionsForRequest(ChatOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.MaxOutputTokens ??= MaxNewTokens;                       // where other middleware looks for it
        options.ResponseFormat = ResponseFormat ?? options.ResponseFormat;
    }

    private bool TrySet(string name, object plain, object? given)
    {
        GenerationSetting? setting = GenerationSetting.Find(name);
        switch (setting?.Name)
        {
            case null:
                return false;                                           // nobody's
            case "max_tokens":
                _maxTokens = (int)Require(setting.Read(plain), setting.Form);
                return true;
            case "choice":
                _choice = (IReadOnlyList<string>)Require(SettingValue.Texts(plain), setting.Form);
                return true;
            case "regex":
                _regex = (string)Require(SettingValue.Text(plain), setting.Form);
                return true;
            case ResponseFormatSetting.Name:
                _responseFormat = (ChatResponseFormat)Require(ResponseFormatSetting.Read(given!), ResponseFormatSetting.Form);
                return true;
            case not null when setting != GenerationSetting.All.First(other => other.Property == setting.Property):
                return false;                                           // a synonym, which the request compares with the setting itself
            default:
                setting.Set(_generation, Require(setting.Read(plain), setting.Form));
                return true;
        }

        object Require(object? value, string form) => value ?? throw Refused(name, plain, form);
    }

    private static IEnumerable<KeyValuePair<string, object>> Named(PromptExecutionSettings settings)
    {
        if (settings.GetType() != typeof(PromptExecutionSettings))
        {
            settings = Json(settings).Deserialize((JsonTypeInfo<PromptExecutionSettings>)AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(PromptExecutionSettings)))!;
        }

        return settings.ExtensionData ?? Enumerable.Empty<KeyValuePair<string, object>>();
    }

    private static JsonElement Json(object value) =>
        value is JsonElement json ? json : JsonSerializer.SerializeToElement(value, AIJsonUtilities.DefaultOptions.GetTypeInfo(value.GetType()));

    /// <summary>JSON has no number for −∞, which forbids a token.</summary>
    private static Dictionary<string, object> Texts(IReadOnlyDictionary<int, float> bias) => bias.ToDictionary(
        pair => pair.Key.ToString(System.Globalization.CultureInfo.InvariantCulture),
        pair => float.IsFinite(pair.Value) ? (object)pair.Value : pair.Value.ToString(System.Globalization.CultureInfo.InvariantCulture));

    private static ArgumentException Refused(string name, object value, string form) =>
        new($"The setting '{name}' is {(value is string text ? $"'{text}'" : value is System.Collections.IEnumerable ? "a list or map" : value)}; it must be {form}.");
}
