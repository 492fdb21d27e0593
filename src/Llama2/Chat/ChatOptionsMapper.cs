using System.Collections;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;

namespace Llama2;

/// <summary>Turns <see cref="ChatOptions"/> into <see cref="GenerationOptions"/>: everything in them acts or is refused. Thread-safe.</summary>
/// <remarks>
/// A <see cref="GenerationOptions"/> from <see cref="ChatOptions.RawRepresentationFactory"/> is what the others override. One setting under two
/// names must have one value.
/// </remarks>
internal sealed class ChatOptionsMapper(string modelId, SettingsValidation validation, ILogger logger, GenerationConstraint? ownConstraint = null)
{
    /// <param name="options">The caller's options; they are neither kept nor changed.</param>
    /// <param name="client">What <see cref="ChatOptions.RawRepresentationFactory"/> is called with.</param>
    /// <exception cref="ArgumentException">
    /// A value has a wrong form or range, two values contradict, or, under <see cref="SettingsValidation.Strict"/>, a setting is unknown.
    /// </exception>
    /// <exception cref="NotSupportedException">Something is asked for that this client cannot do.</exception>
    public GenerationOptions Map(ChatOptions? options, IChatClient client)
    {
        if (options is null)
        {
            return new();
        }

        RefuseUnsupported(options);
        CheckModelId(options.ModelId);
        var settings = new Assignment(Base(options, client));
        settings.Set("temperature", nameof(ChatOptions.Temperature), options.Temperature);
        settings.Set("top_p", nameof(ChatOptions.TopP), options.TopP);
        settings.Set("top_k", nameof(ChatOptions.TopK), options.TopK);
        settings.Set("seed", nameof(ChatOptions.Seed), options.Seed);
        settings.Set("max_new_tokens", nameof(ChatOptions.MaxOutputTokens), options.MaxOutputTokens);
        settings.Set("stop_sequences", nameof(ChatOptions.StopSequences), options.StopSequences);
        settings.Set("frequency_penalty", nameof(ChatOptions.FrequencyPenalty), options.FrequencyPenalty);
        settings.Set("presence_penalty", nameof(ChatOptions.PresencePenalty), options.PresencePenalty);
        settings.Set("response_format", nameof(ChatOptions.ResponseFormat), Constraint(options.ResponseFormat));

        object? scored = null;
        foreach ((string name, object? value) in options.AdditionalProperties ?? [])
        {
            if (Unwrap(name, value) is not { } plain)
            {
                continue;                                           // null means not set
            }

            if (name.Equals("logprobs", StringComparison.OrdinalIgnoreCase) && (plain is bool || bool.TryParse(plain as string, out _)))
            {
                scored = SettingValue.Flag(plain);                  // the chat form of the field; its number is top_logprobs
            }
            else if (GenerationSetting.Find(name) is { } setting)
            {
                settings.Set(setting.Name, name, plain);
            }
            else
            {
                ReportUnknown(name);
            }
        }

        if (scored is bool flag)
        {
            settings.SetScored(flag);
        }

        if (ToolSet.From(options) is { } tools)
        {
            settings.Options.Constraint = ToolCallFormat.Constrain(tools, settings.Options.Constraint ?? ownConstraint);
        }

        settings.Options.Validate();
        return settings.Options;
    }

    /// <summary>The plain value of a setting; null means not set.</summary>
    internal static object? Unwrap(string name, object? value)
    {
        try
        {
            return SettingValue.Unwrap(value);
        }
        catch (InvalidOperationException error) when (error is not ObjectDisposedException)
        {
            throw new ArgumentException($"The setting '{name}' holds text with a lone surrogate.", error);      // valid JSON, but no text
        }
    }

    private static void RefuseUnsupported(ChatOptions options)
    {
        if (options.ConversationId is not null)
        {
            throw new NotSupportedException(
                "ChatOptions.ConversationId is set, but this client keeps no conversations: send all messages each time; the prefix cache makes that cheap.");
        }

        if (options.ContinuationToken is not null)
        {
            throw new NotSupportedException("ChatOptions.ContinuationToken is set, but this client has no background responses to continue.");
        }

        if (options.ResponseFormat is not (null or ChatResponseFormatText or ChatResponseFormatJson))
        {
            throw new NotSupportedException(
                $"ChatOptions.ResponseFormat asks for {options.ResponseFormat.GetType().Name}; this client answers in plain text or JSON only.");
        }

        if (options.Reasoning is { } reasoning &&
            (reasoning.Effort is not (null or ReasoningEffort.None) || reasoning.Output is not (null or ReasoningOutput.None)))
        {
            throw new NotSupportedException("ChatOptions.Reasoning is set, but the model has no reasoning of its own.");
        }
    }

    private static GenerationConstraint? Constraint(ChatResponseFormat? format) => format is not ChatResponseFormatJson json ? null
        : json.Schema is { } schema ? GenerationConstraint.JsonSchema(schema)
        : GenerationConstraint.Json;

    private void CheckModelId(string? requested)
    {
        if (!string.IsNullOrEmpty(requested) && !requested.Equals(modelId, StringComparison.OrdinalIgnoreCase))
        {
            Report($"ChatOptions.ModelId is '{requested}', but this client has the model '{modelId}' only.");
        }
    }

    private GenerationOptions Base(ChatOptions options, IChatClient client)
    {
        object? raw = options.RawRepresentationFactory?.Invoke(client);
        if (raw is not (null or GenerationOptions))
        {
            Report($"ChatOptions.RawRepresentationFactory returned a {raw.GetType()}; this client takes a {nameof(GenerationOptions)}.");
        }

        return raw is GenerationOptions settings ? settings with { } : new();
    }

    private void ReportUnknown(string name) =>
        Report($"ChatOptions.AdditionalProperties has the setting '{name}', which nobody knows" +
            (GenerationSetting.Nearest(name) is { } nearest ? $"; '{nearest}' was probably meant." : "."));

    private void Report(string problem)
    {
        switch (validation)
        {
            case SettingsValidation.Strict:
                throw new ArgumentException($"{problem} (SettingsValidation says what happens with such settings.)");
            case SettingsValidation.Warn:
                logger.SettingIgnored(problem);
                break;
        }
    }

    /// <summary>Settings under way, with the name that each was given under.</summary>
    private sealed class Assignment(GenerationOptions options)
    {
        private readonly Dictionary<string, string> _sources = [];     // property → the caller's name for it

        public GenerationOptions Options { get; } = options;

        public void Set(string name, string source, object? given)
        {
            if (given is null)
            {
                return;
            }

            GenerationSetting setting = GenerationSetting.Find(name)!;
            object value = setting.Read(given) ?? throw new ArgumentException($"The setting '{source}' is {Show(given)}; it must be {setting.Form}.");
            if (_sources.TryGetValue(setting.Property, out string? other) && !Same(setting.Get(Options), value))
            {
                throw new ArgumentException(
                    $"The settings '{other}' and '{source}' mean the same, but differ: {Show(setting.Get(Options))} and {Show(value)}.");
            }

            setting.Set(Options, value);
            _sources[setting.Property] = source;
        }

        /// <summary><c>logprobs: true</c> asks for scores; how many, <c>top_logprobs</c> says.</summary>
        public void SetScored(bool scored)
        {
            bool counted = _sources.ContainsKey(nameof(GenerationOptions.LogProbabilities));
            if (!scored && counted)
            {
                throw new ArgumentException("The settings 'logprobs' and 'top_logprobs' contradict each other: false and a number.");
            }

            if (!counted)
            {
                Options.LogProbabilities = scored ? Options.LogProbabilities ?? 0 : null;
            }
        }

        private static bool Same(object? a, object? b) => (a, b) switch
        {
            (IDictionary x, IDictionary y) => x.Count == y.Count && x.Keys.Cast<object>().All(key => y.Contains(key) && Equals(x[key], y[key])),
            (IEnumerable x, IEnumerable y) => x.Cast<object>().SequenceEqual(y.Cast<object>()),
            _ => Equals(a, b),
        };

        private static string Show(object? value) => value switch
        {
            string text => $"'{(text.Length <= 80 ? text : text[..80] + "…")}'",
            IDictionary => "a map",
            IEnumerable items => $"[{string.Join(", ", items.Cast<object?>().Take(8).Select(Show))}]",
            IFormattable number => number.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
            _ => value?.ToString() ?? "null",
        };
    }
}
