using System.Collections;
using System.CommandLine;
using System.Globalization;

namespace Llama2.Cli;

/// <summary>A setting with two spellings: the option <c>--learning-rate</c>, and <c>learning_rate</c> in a file of settings.</summary>
internal abstract class Setting(string key, Option option)
{
    /// <summary>The name in a file.</summary>
    public string Key { get; } = key;

    public Option Option { get; } = option;

    /// <summary>The member of a library's options that it sets, which that library's messages name.</summary>
    public string? Property { get; init; }

    /// <summary>What it is in this run, as a text that means the same on the command line; null where it is not set.</summary>
    public abstract string? Describe(SettingSource source);

    /// <summary>Whether it is given and something else than its default.</summary>
    public abstract bool IsChanged(SettingSource source);

    /// <summary>Refuses a setting that would have no effect, rather than dropping it; its default may be given.</summary>
    /// <param name="what">What it needs.</param>
    /// <param name="source">Where settings come from.</param>
    /// <param name="settings">The settings.</param>
    /// <exception cref="UsageException">One of them is changed.</exception>
    public static void RequireUnchanged(string what, SettingSource source, params ReadOnlySpan<Setting> settings)
    {
        foreach (Setting setting in settings)
        {
            if (setting.IsChanged(source))
            {
                throw new UsageException($"{source.NameOf(setting)} needs {what}.");
            }
        }
    }

    public static Setting<bool> Flag(string key, string help, bool initial, string? property = null) =>
        Create(
            key, "true|false", help, initial, initial ? "true" : "false", property,
            text => bool.TryParse(text, out bool value) ? value : null, "true or false");

    public static Setting<int> Whole(string key, string help, int initial, string? property = null) => Create(
        key, "N", help, initial, initial.ToString(CultureInfo.InvariantCulture), property,
        text => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) ? value : null, "a whole number");

    public static Setting<double> Number(string key, string help, double initial, string? property = null) => Create(
        key, "X", help, initial, initial.ToString("R", CultureInfo.InvariantCulture).ToLowerInvariant(), property,
        text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) ? value : null, "a number");

    /// <summary>One of a few names.</summary>
    /// <param name="key">The name in a file.</param>
    /// <param name="help">What it is.</param>
    /// <param name="initial">The default.</param>
    /// <param name="choices">The names and what they stand for.</param>
    /// <param name="refused">Names that others know, and why they are not supported here.</param>
    public static Setting<T> Choice<T>(string key, string help, T initial, (string Name, T Value)[] choices, params (string Name, string Reason)[] refused)
        where T : struct, Enum
    {
        string[] names = [.. choices.Select(choice => choice.Name)];
        Setting<T> setting = Create(
            key, string.Join('|', names), help, initial, choices.First(choice => choice.Value.Equals(initial)).Name, property: null, Parse,
            $"one of {string.Join(", ", names)}");
        setting.Option.CompletionSources.Add(names);
        return setting;

        T? Parse(string text)
        {
            foreach ((string name, T value) in choices)
            {
                if (string.Equals(name, text, StringComparison.OrdinalIgnoreCase))
                {
                    return value;
                }
            }

            return refused.FirstOrDefault(choice => string.Equals(choice.Name, text, StringComparison.OrdinalIgnoreCase)) is { Reason: { } reason }
                ? throw new FormatException($"'{text}' is not supported: {reason}")
                : null;
        }
    }

    /// <summary>A text that may be left out.</summary>
    public static Setting<string?> Text(string key, string value, string help) =>
        new(key, new Option<string?>(NameOf(key)) { HelpName = value, Description = help }, null, null, texts => Single(texts));

    /// <summary>Texts, each with an option of its own; a file has a list.</summary>
    public static Setting<string[]> Texts(string key, string value, string help) =>
        new(key, new Option<string[]>(NameOf(key)) { HelpName = value, Description = help }, [], null, texts => [.. texts]);

    /// <summary>Texts with commas between them; a file may have a list too.</summary>
    public static Setting<string[]> List(string key, string value, string help, string[] initial, string? property = null) => new(
        key,
        new Option<string?>(NameOf(key)) { HelpName = value, Description = $"{help} (default: {string.Join(',', initial)})" },
        initial,
        string.Join(',', initial),
        texts => [.. texts.SelectMany(text => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))])
    {
        Property = property,
    };

    /// <summary><c>learning_rate</c> → <c>--learning-rate</c>.</summary>
    public static string NameOf(string key) => "--" + key.Replace('_', '-');

    /// <summary>A number that is not set where it is -1, as the Azure ML pipelines have it.</summary>
    public static int? Optional(Setting<int> setting, SettingSource source) => setting.Get(source) is int value and not -1 ? value : null;

    protected static string Single(IReadOnlyList<string> texts) => texts is [string one] ? one : throw new FormatException("one value is expected, not a list");

    private static Setting<T> Create<T>(
        string key, string value, string help, T initial, string initialText, string? property, Func<string, T?> parse, string expected)
        where T : struct
    {
        string name = NameOf(key), description = $"{help} (default: {initialText})";
        Option option = typeof(T) == typeof(bool)               // the parser knows that a truth value may stand alone
            ? new Option<bool?>(name) { HelpName = value, Description = description }
            : new Option<string?>(name) { HelpName = value, Description = description };
        return new(key, option, initial, initialText, Parse) { Property = property };

        T Parse(IReadOnlyList<string> texts)
        {
            string text = Single(texts);
            return parse(text) ?? throw new FormatException($"{expected} is expected, not '{text}'");
        }
    }
}

/// <summary>A setting of a type.</summary>
internal sealed class Setting<T>(string key, Option option, T initial, string? initialText, Func<IReadOnlyList<string>, T> parse) : Setting(key, option)
{
    public T Initial { get; } = initial;

    /// <summary>The value that the command line gives, else the file, else the default.</summary>
    /// <exception cref="UsageException">The value is of another kind.</exception>
    public T Get(SettingSource source)
    {
        if (source.Find(this) is not { } texts)
        {
            return Initial;
        }

        try
        {
            return parse(texts);
        }
        catch (FormatException exception)
        {
            throw new UsageException($"{source.NameOf(this)}: {exception.Message}.");
        }
    }

    public override bool IsChanged(SettingSource source) =>
        source.Find(this) is not null && !StructuralComparisons.StructuralEqualityComparer.Equals(Get(source), Initial);     // lists too

    public override string? Describe(SettingSource source) => source.Find(this) is { Count: > 0 } texts ? string.Join(',', texts) : initialText;
}
