using System.Text.Json;

namespace Llama2;

/// <summary>The fields of a JSON object in an untrusted file; a field that is absent or <c>null</c> reads as <see langword="null"/>.</summary>
internal readonly struct ConfigFields(string file, JsonElement element, string prefix = "")
{
    private const int MaxIds = 1024;

    public string File => file;

    /// <summary>Reads a file whose root is an object.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxBytes">The most bytes that the file may have.</param>
    /// <param name="read">Takes what is needed; the fields are gone afterwards.</param>
    public static T ReadFile<T>(string path, int maxBytes, Func<ConfigFields, T> read)
    {
        ReadOnlyMemory<byte> bytes = ReadBytes(path, maxBytes);
        if (bytes.Span.StartsWith("\uFEFF"u8))
        {
            bytes = bytes[3..];                                     // some editors put a byte order mark before the text
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? read(new ConfigFields(path, document.RootElement))
                : throw new CheckpointException(path, "root", Name(document.RootElement.ValueKind), "a JSON object");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)    // the second: text that is not Unicode
        {
            throw new CheckpointException(path, "text", exception.Message.TrimEnd('.'), "well-formed JSON", exception);
        }
    }

    public bool TryGet(string name, out JsonElement value) => element.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;

    public bool Contains(string name) => element.TryGetProperty(name, out _);

    public int RequiredInt32(string name) => Int32(name) ?? throw Error(name, "nothing", "a whole number");

    public int? Int32(string name) => !TryGet(name, out JsonElement value) ? null : WholeNumber(name, value);

    public float? Single(string name)
    {
        if (!TryGet(name, out JsonElement value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float number) && float.IsFinite(number)
            ? number
            : throw Error(name, Text(value), "a number");
    }

    public bool? Boolean(string name) => !TryGet(name, out JsonElement value) ? null : value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Error(name, Text(value), "true or false"),
    };

    public string? String(string name)
    {
        if (!TryGet(name, out JsonElement value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Error(name, Text(value), "a text");
    }

    public ConfigFields? Object(string name)
    {
        if (!TryGet(name, out JsonElement value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Object
            ? new ConfigFields(file, value, $"{prefix}{name}.")
            : throw Error(name, Text(value), "an object");
    }

    /// <summary>The texts of a field that is an object of texts, such as an index.</summary>
    public IEnumerable<KeyValuePair<string, string>> Strings()
    {
        foreach (JsonProperty property in element.EnumerateObject())
        {
            yield return property.Value.ValueKind == JsonValueKind.String
                ? new(property.Name, property.Value.GetString()!)
                : throw Error(property.Name, Text(property.Value), "a text");
        }
    }

    /// <summary>Ids that stand as one number or as a list of them.</summary>
    public int[]? Ids(string name)
    {
        if (!TryGet(name, out JsonElement value))
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            return [WholeNumber(name, value)];
        }

        if (value.GetArrayLength() > MaxIds)
        {
            throw Error(name, $"{value.GetArrayLength():N0} ids", $"at most {MaxIds:N0}");
        }

        var ids = new List<int>();
        foreach (JsonElement id in value.EnumerateArray())
        {
            ids.Add(WholeNumber(name, id));
        }

        return [.. ids];
    }

    public CheckpointException Error(string name, string found, string expected, Exception? innerException = null) =>
        new(file, prefix + name, found, expected, innerException);

    /// <summary>A value as it stands in the file, cut to what fits a message.</summary>
    public static string Text(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= 80 ? text : $"{text.AsSpan(0, 77)}...";
    }

    private static string Name(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        _ => kind.ToString(),
    };

    private static byte[] ReadBytes(string path, int maxBytes)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        if (stream.Length > maxBytes)
        {
            throw new CheckpointException(path, "length", $"{stream.Length:N0} bytes", $"at most {maxBytes:N0}");
        }

        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private int WholeNumber(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : throw Error(name, Text(value), "a whole number");
}
