using System.Collections;
using System.Globalization;
using System.Text.Json;

namespace Llama2;

/// <summary>Reads a setting in whatever form JSON or code gives it: numbers of any type, text, flags, lists, <see cref="JsonElement"/>s.</summary>
/// <remarks>Each reader returns null where the value has another form; <see cref="Unwrap"/> comes first.</remarks>
internal static class SettingValue
{
    /// <summary>What the field calls an answer that is any JSON object.</summary>
    public const string JsonObject = "json_object";

    /// <summary>Turns a <see cref="JsonElement"/> into plain values; other values stay.</summary>
    public static object? Unwrap(object? value) => value is not JsonElement json ? value : json.ValueKind switch
    {
        JsonValueKind.String => json.GetString(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number => json.TryGetInt64(out long integer) ? (object)integer : json.GetDouble(),
        JsonValueKind.Array => json.EnumerateArray().Select(item => Unwrap(item)).ToArray(),
        JsonValueKind.Object => Members(json),
        _ => null,
    };

    public static object? Flag(object value) => value switch
    {
        bool flag => flag,
        string text when bool.TryParse(text, out bool flag) => flag,
        string => null,
        _ => Integer(value) switch { 0L => false, 1L => true, _ => null },
    };

    public static object? Integer(object value) => value switch
    {
        sbyte or byte or short or ushort or int or uint or long => Convert.ToInt64(value, CultureInfo.InvariantCulture),
        ulong number => number <= long.MaxValue ? (long)number : null,
        string text when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) => number,
        _ => Number(value) is double number && number == Math.Floor(number) && Math.Abs(number) < 9.2e18 ? (long)number : null,
    };

    public static object? Int32(object value) => Integer(value) is long number and >= int.MinValue and <= int.MaxValue ? (int)number : null;

    public static object? Single(object value) => value is float single ? Finite(single) : Number(value) is double number ? Finite((float)number) : null;

    public static object? Text(object value) => value as string;

    /// <summary>One text, or a list of them.</summary>
    public static object? Texts(object value) => value is string text ? new[] { text } : List<string>(value, item => item as string);

    /// <summary>One id, or a list of them.</summary>
    public static object? Int32s(object value) => Int32(value) is int id ? new[] { id } : List<int>(value, Int32);

    /// <summary>A map from ids, as numbers or text, to numbers; −∞ is allowed.</summary>
    public static object? Bias(object value)
    {
        var bias = new Dictionary<int, float>();
        return value switch
        {
            IDictionary map => map.Keys.Cast<object>().All(key => Add(key, map[key])) ? bias : null,
            IEnumerable<KeyValuePair<int, float>> pairs => pairs.All(pair => Add(pair.Key, pair.Value)) ? bias : null,
            IEnumerable<KeyValuePair<string, object?>> pairs => pairs.All(pair => Add(pair.Key, pair.Value)) ? bias : null,
            _ => null,
        };

        bool Add(object id, object? amount) =>
            Int32(id) is int key && Unwrap(amount) is { } plain && Number(plain) is double number && !double.IsNaN(number) &&
            (double.IsNegativeInfinity(number) || Finite((float)number) is not null) && bias.TryAdd(key, (float)number);
    }

    /// <summary>A <see cref="TimeSpan"/>, a number of seconds, or text with either.</summary>
    public static object? Time(object value)
    {
        if (value is TimeSpan time)
        {
            return time;
        }

        if (Number(value) is double seconds)
        {
            return Math.Abs(seconds) < TimeSpan.MaxValue.TotalSeconds ? TimeSpan.FromSeconds(seconds) : null;
        }

        return value is string text && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out TimeSpan parsed) ? parsed : null;
    }

    /// <summary><see cref="JsonObject"/>, or a JSON schema as text.</summary>
    public static GenerationConstraint? ResponseFormat(object value) => value is not string text ? null
        : text.Equals(JsonObject, StringComparison.OrdinalIgnoreCase) ? GenerationConstraint.Json
        : text.AsSpan().TrimStart() is ['{', ..] ? GenerationConstraint.JsonSchema(text)
        : null;

    /// <summary>A <see cref="ContextOverflow"/> or its name, with or without underscores.</summary>
    public static object? Overflow(object value) => value switch
    {
        ContextOverflow policy => Enum.IsDefined(policy) ? policy : null,
        string text => text.Replace("_", "", StringComparison.Ordinal).ToUpperInvariant() switch
        {
            "THROW" => ContextOverflow.Throw,
            "DROPOLDESTTURNS" => ContextOverflow.DropOldestTurns,
            "TRUNCATELEFT" => ContextOverflow.TruncateLeft,
            _ => null,
        },
        _ => null,
    };

    private static object? Number(object value) => value switch
    {
        double number => number,
        float or decimal or sbyte or byte or short or ushort or int or uint or long or ulong => Convert.ToDouble(value, CultureInfo.InvariantCulture),
        Half half => (double)half,
        string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) => number,
        _ => null,
    };

    private static float? Finite(float value) => float.IsFinite(value) ? value : null;

    private static T[]? List<T>(object value, Func<object, object?> read)
    {
        if (value is string or IDictionary || value is not IEnumerable items)
        {
            return null;
        }

        var list = new List<T>();
        foreach (object? item in items)
        {
            if (Unwrap(item) is not { } plain || read(plain) is not T member)
            {
                return null;
            }

            list.Add(member);
        }

        return [.. list];
    }

    private static Dictionary<string, object?> Members(JsonElement json)
    {
        var members = new Dictionary<string, object?>();
        foreach (JsonProperty member in json.EnumerateObject())
        {
            members[member.Name] = Unwrap(member.Value);
        }

        return members;
    }
}
