namespace Llama2;

/// <summary>A name under which callers set a property of <see cref="GenerationOptions"/>, outside the typed options.</summary>
/// <param name="Name">The field's name, matched without case.</param>
/// <param name="Property">The property that it sets.</param>
/// <param name="Form">What a value looks like, for messages and documentation.</param>
/// <param name="Read">Turns a plain value into the property's type; null where it has another form.</param>
/// <param name="Get">Reads the property.</param>
/// <param name="Set">Assigns a value that <paramref name="Read"/> returned.</param>
internal sealed record GenerationSetting(
    string Name, string Property, string Form, Func<object, object?> Read, Func<GenerationOptions, object?> Get, Action<GenerationOptions, object> Set)
{
    /// <summary>Every name. The first one of a property is its own; further ones are what other systems call it.</summary>
    public static IReadOnlyList<GenerationSetting> All { get; } =
    [
        Flag("do_sample", nameof(GenerationOptions.DoSample), o => o.DoSample, (o, v) => o.DoSample = v),
        Single("temperature", nameof(GenerationOptions.Temperature), o => o.Temperature, (o, v) => o.Temperature = v),
        Int32("top_k", nameof(GenerationOptions.TopK), o => o.TopK, (o, v) => o.TopK = v),
        Single("top_p", nameof(GenerationOptions.TopP), o => o.TopP, (o, v) => o.TopP = v),
        Single("min_p", nameof(GenerationOptions.MinP), o => o.MinP, (o, v) => o.MinP = v),
        Single("typical_p", nameof(GenerationOptions.TypicalP), o => o.TypicalP, (o, v) => o.TypicalP = v),
        Single("repetition_penalty", nameof(GenerationOptions.RepetitionPenalty), o => o.RepetitionPenalty, (o, v) => o.RepetitionPenalty = v),
        Int32("repetition_window", nameof(GenerationOptions.RepetitionWindow), o => o.RepetitionWindow, (o, v) => o.RepetitionWindow = v),
        Single("presence_penalty", nameof(GenerationOptions.PresencePenalty), o => o.PresencePenalty, (o, v) => o.PresencePenalty = v),
        Single("frequency_penalty", nameof(GenerationOptions.FrequencyPenalty), o => o.FrequencyPenalty, (o, v) => o.FrequencyPenalty = v),
        Int32("no_repeat_ngram_size", nameof(GenerationOptions.NoRepeatNgramSize), o => o.NoRepeatNgramSize, (o, v) => o.NoRepeatNgramSize = v),
        new("logit_bias", nameof(GenerationOptions.LogitBias), "a map from token ids to numbers", SettingValue.Bias,
            o => o.LogitBias, (o, v) => o.LogitBias = (IReadOnlyDictionary<int, float>)v),
        Texts("bad_words", nameof(GenerationOptions.BadWords), o => o.BadWords, (o, v) => o.BadWords = v),
        new("seed", nameof(GenerationOptions.Seed), "an integer", SettingValue.Integer, o => o.Seed, (o, v) => o.Seed = (long)v),
        new("adapter", nameof(GenerationOptions.Adapter), "the name of a loaded adapter", SettingValue.Text, o => o.Adapter, (o, v) => o.Adapter = (string)v),
        Int32("max_new_tokens", nameof(GenerationOptions.MaxNewTokens), o => o.MaxNewTokens, (o, v) => o.MaxNewTokens = v),
        Int32("max_tokens", nameof(GenerationOptions.MaxNewTokens), o => o.MaxNewTokens, (o, v) => o.MaxNewTokens = v),
        Int32("min_new_tokens", nameof(GenerationOptions.MinNewTokens), o => o.MinNewTokens, (o, v) => o.MinNewTokens = v),
        new("max_time", nameof(GenerationOptions.MaxTime), "a number of seconds", SettingValue.Time, o => o.MaxTime, (o, v) => o.MaxTime = (TimeSpan)v),
        Texts("stop_sequences", nameof(GenerationOptions.StopSequences), o => o.StopSequences, (o, v) => o.StopSequences = v),
        Texts("stop", nameof(GenerationOptions.StopSequences), o => o.StopSequences, (o, v) => o.StopSequences = v),
        new("stop_token_ids", nameof(GenerationOptions.StopTokenIds), "a token id or a list of them", SettingValue.Int32s,
            o => o.StopTokenIds, (o, v) => o.StopTokenIds = (int[])v),
        Flag("ignore_eos", nameof(GenerationOptions.IgnoreEos), o => o.IgnoreEos, (o, v) => o.IgnoreEos = v),
        Constraint("choice", "a text or a list of texts", value => SettingValue.Texts(value) is string[] texts ? GenerationConstraint.Choice(texts) : null),
        Constraint("regex", "a regular expression", value => value is string pattern ? GenerationConstraint.Regex(pattern) : null),
        Constraint("response_format", "json_object, or a JSON schema as text", SettingValue.ResponseFormat),
        Flag("return_full_text", nameof(GenerationOptions.ReturnFullText), o => o.ReturnFullText, (o, v) => o.ReturnFullText = v),
        Int32("top_logprobs", nameof(GenerationOptions.LogProbabilities), o => o.LogProbabilities, (o, v) => o.LogProbabilities = v),
        Int32("logprobs", nameof(GenerationOptions.LogProbabilities), o => o.LogProbabilities, (o, v) => o.LogProbabilities = v),
        Flag("prompt_logprobs", nameof(GenerationOptions.PromptLogProbabilities), o => o.PromptLogProbabilities, (o, v) => o.PromptLogProbabilities = v),
        new("context_overflow", nameof(GenerationOptions.ContextOverflow), "throw, drop_oldest_turns or truncate_left", SettingValue.Overflow,
            o => o.ContextOverflow, (o, v) => o.ContextOverflow = (ContextOverflow)v),
    ];

    private static readonly Dictionary<string, GenerationSetting> _byName = All.ToDictionary(setting => setting.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Finds a setting; null where nobody knows the name.</summary>
    public static GenerationSetting? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The name that was probably meant; null where none is near.</summary>
    public static string? Nearest(string name)
    {
        string meant = Plain(name);
        (string? nearest, int distance) = All
            .Select(setting => (setting.Name, Distance: Distance(meant, Plain(setting.Name))))
            .MinBy(candidate => candidate.Distance);
        return distance <= Math.Max(1, meant.Length / 4) ? nearest : null;
    }

    /// <summary>Settings by name, in forms that the same names read back; what is not set is left out.</summary>
    public static IEnumerable<KeyValuePair<string, object?>> Describe(GenerationOptions options) =>
        from setting in All.DistinctBy(setting => setting.Property)
        let value = setting.Get(options) is GenerationConstraint { Kind: GenerationConstraintKind.Tools } tools ? tools.Answer : setting.Get(options)
        where value is not null
        select KeyValuePair.Create(NameOf(setting, value), value switch
        {
            TimeSpan time => time.TotalSeconds,
            ContextOverflow.Throw => "throw",
            ContextOverflow.DropOldestTurns => "drop_oldest_turns",
            ContextOverflow.TruncateLeft => "truncate_left",
            GenerationConstraint { Kind: GenerationConstraintKind.Choice } choice => choice.Texts,
            GenerationConstraint { Kind: GenerationConstraintKind.Json } => SettingValue.JsonObject,
            GenerationConstraint constraint => constraint.Texts[0],
            _ => value,
        });

    private static GenerationSetting Flag(string name, string property, Func<GenerationOptions, bool?> get, Action<GenerationOptions, bool> set) =>
        new(name, property, "true or false", SettingValue.Flag, o => get(o), (o, v) => set(o, (bool)v));

    private static GenerationSetting Int32(string name, string property, Func<GenerationOptions, int?> get, Action<GenerationOptions, int> set) =>
        new(name, property, "a 32-bit integer", SettingValue.Int32, o => get(o), (o, v) => set(o, (int)v));

    private static GenerationSetting Single(string name, string property, Func<GenerationOptions, float?> get, Action<GenerationOptions, float> set) =>
        new(name, property, "a finite number", SettingValue.Single, o => get(o), (o, v) => set(o, (float)v));

    private static GenerationSetting Texts(
        string name, string property, Func<GenerationOptions, IReadOnlyList<string>?> get, Action<GenerationOptions, IReadOnlyList<string>> set) =>
        new(name, property, "a text or a list of texts", SettingValue.Texts, o => get(o), (o, v) => set(o, (string[])v));

    private static string NameOf(GenerationSetting setting, object value) => (value as GenerationConstraint)?.Kind switch
    {
        null => setting.Name,
        GenerationConstraintKind.Choice => "choice",
        GenerationConstraintKind.Regex => "regex",
        _ => "response_format",
    };

    private static GenerationSetting Constraint(string name, string form, Func<object, GenerationConstraint?> read) =>
        new(name, nameof(GenerationOptions.Constraint), form, value => value as GenerationConstraint ?? read(value), o => o.Constraint,
            (o, v) => o.Constraint = (GenerationConstraint)v);

    private static string Plain(string name) =>
        string.Concat(name.Where(char.IsAsciiLetterOrDigit).Take(64)).ToUpperInvariant();

    /// <summary>The edits (insert, delete, replace) between two short names.</summary>
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];        // edits from a[..i] to b[..j]
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
            }
        }

        return row[^1];
    }
}
