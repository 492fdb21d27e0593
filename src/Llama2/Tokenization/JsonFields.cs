using System.Text.Json;

namespace Llama2;

/// <summary>Typed access to the fields of a tokenizer's JSON files; an error names the file and the field.</summary>
internal readonly struct JsonFields(string file, string name, JsonElement element)
{
    public JsonValueKind Kind => element.ValueKind;

    public bool IsMissing => element.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null;

    /// <summary>A field of an object; missing where there is none.</summary>
    public JsonFields this[string field]
    {
        get
        {
            Expect(JsonValueKind.Object);
            return new(file, Under(field), element.TryGetProperty(field, out JsonElement value) ? value : default);
        }
    }

    /// <summary>The fields of an object in the file's order; none where it is missing.</summary>
    public IEnumerable<(string Key, JsonFields Value)> Properties()
    {
        if (IsMissing)
        {
            yield break;
        }

        Expect(JsonValueKind.Object);
        foreach (JsonProperty property in element.EnumerateObject())
        {
            string key = Decode(() => property.Name);
            yield return (key, new(file, Under(key), property.Value));
        }
    }

    /// <summary>The items of an array; none where it is missing.</summary>
    public IEnumerable<JsonFields> Items()
    {
        if (IsMissing)
        {
            yield break;
        }

        Expect(JsonValueKind.Array);
        int index = 0;
        foreach (JsonElement item in element.EnumerateArray())
        {
            yield return new(file, $"{name}[{index++}]", item);
        }
    }

    public string Text()
    {
        Expect(JsonValueKind.String);
        return Decode(element.GetString)!;
    }

    /// <summary>A text, or the <c>content</c> of an object, as special tokens are given; null where it is missing.</summary>
    public string? TokenContent() => IsMissing ? null : Kind == JsonValueKind.Object ? this["content"].Text() : Text();

    public int Int32() =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int value) ? value : throw Error(Found(), "a whole number of 32 bits");

    public bool Boolean(bool missing) => element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ when IsMissing => missing,
        _ => throw Error(Found(), "true or false"),
    };

    /// <summary>Throws unless something holds.</summary>
    public void Require(bool holds, string expected)
    {
        if (!holds)
        {
            throw Error(Found(), expected);
        }
    }

    public CheckpointException Error(string found, string expected) => new(file, name, found, expected);

    private string Under(string field) => name.Length == 0 ? field : $"{name}.{field}";

    private string Found()
    {
        if (IsMissing)
        {
            return "nothing";
        }

        string text = element.GetRawText();
        return text.Length <= 60 ? text : $"{text.AsSpan(0, 60)}…";
    }

    private void Expect(JsonValueKind kind)
    {
        if (element.ValueKind != kind)
        {
            throw Error(Found(), kind == JsonValueKind.Object ? "an object" : kind == JsonValueKind.Array ? "an array" : "a string");
        }
    }

    /// <summary>An escaped lone surrogate is well-formed JSON and no text.</summary>
    private string Decode(Func<string?> read)
    {
        try
        {
            return read()!;
        }
        catch (InvalidOperationException exception)
        {
            throw new CheckpointException(file, name, "half of a surrogate pair", "Unicode text", exception);
        }
    }
}
