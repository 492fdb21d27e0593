using System.Text.Json;

namespace Llama2;

/// <summary>A place in a JSON schema: reads its keywords and names the place in errors.</summary>
internal sealed class JsonSchemaNode
{
    private static readonly HashSet<string> _annotations =
    [
        "$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "title", "description", "default", "examples", "deprecated", "readOnly",
        "writeOnly", "contentEncoding", "contentMediaType",
    ];

    // The types of values that a keyword says something about.
    private static readonly Dictionary<string, JsonTypes> _keywords = new()
    {
        ["type"] = JsonTypes.All,
        ["enum"] = JsonTypes.All,
        ["const"] = JsonTypes.All,
        ["$ref"] = JsonTypes.All,
        ["anyOf"] = JsonTypes.All,
        ["oneOf"] = JsonTypes.All,
        ["allOf"] = JsonTypes.All,
        ["properties"] = JsonTypes.Object,
        ["required"] = JsonTypes.Object,
        ["additionalProperties"] = JsonTypes.Object,
        ["prefixItems"] = JsonTypes.Array,
        ["items"] = JsonTypes.Array,
        ["minItems"] = JsonTypes.Array,
        ["maxItems"] = JsonTypes.Array,
        ["minLength"] = JsonTypes.String,
        ["maxLength"] = JsonTypes.String,
        ["pattern"] = JsonTypes.String,
        ["format"] = JsonTypes.String,
        ["minimum"] = JsonTypes.Number,
        ["maximum"] = JsonTypes.Number,
        ["exclusiveMinimum"] = JsonTypes.Number,
        ["exclusiveMaximum"] = JsonTypes.Number,
    };

    private readonly JsonElement _element;

    public JsonSchemaNode(JsonElement element, string pointer) => (_element, Pointer) = (element, pointer);

    /// <summary>The place as a URI fragment: <c>#/properties/age</c>.</summary>
    public string Pointer { get; }

    public JsonElement Element => _element;

    public JsonValueKind Kind => _element.ValueKind;

    /// <summary>Refuses keywords that constraints do not know. Those that only describe are passed over, and so are private ones: <c>x-…</c>.</summary>
    /// <returns>The keywords that say something about values.</returns>
    public List<string> Keywords()
    {
        if (Kind is JsonValueKind.True or JsonValueKind.False)
        {
            return [];
        }

        if (Kind != JsonValueKind.Object)
        {
            throw Error("a schema is an object, true or false");
        }

        var keywords = new List<string>();
        foreach (JsonProperty member in _element.EnumerateObject())
        {
            string name = Read(() => member.Name);
            if (_keywords.ContainsKey(name))
            {
                keywords.Add(name);
            }
            else if (!_annotations.Contains(name) && !name.StartsWith("x-", StringComparison.Ordinal) &&
                (name != "uniqueItems" || member.Value.ValueKind != JsonValueKind.False))
            {
                throw this[name].Error($"the keyword '{name}' is not supported");
            }
        }

        return keywords;
    }

    /// <summary>The types of values that keywords are about; all where there is none.</summary>
    public static JsonTypes TypesOf(IEnumerable<string> keywords)
    {
        JsonTypes types = keywords.Aggregate(JsonTypes.None, (all, keyword) => all | _keywords[keyword]);
        return types == JsonTypes.None ? JsonTypes.All : types;
    }

    /// <summary>The place of a keyword's value or of a member; its kind is Undefined where there is none.</summary>
    public JsonSchemaNode this[string name] =>
        new(_element.ValueKind == JsonValueKind.Object && _element.TryGetProperty(name, out JsonElement value) ? value : default, Below(name));

    public bool Exists => Kind != JsonValueKind.Undefined;

    /// <summary>The members of an object by name, in their order; of several with one name the last.</summary>
    public List<(string Name, JsonSchemaNode Value)> Members()
    {
        Expect(JsonValueKind.Object, "an object");
        var members = new OrderedDictionary<string, JsonSchemaNode>();
        foreach (JsonProperty member in _element.EnumerateObject())
        {
            string name = Read(() => member.Name);
            members[name] = new(member.Value, Below(name));
        }

        return [.. members.Select(pair => (pair.Key, pair.Value))];
    }

    /// <summary>The items of an array.</summary>
    public List<JsonSchemaNode> Items()
    {
        Expect(JsonValueKind.Array, "an array");
        return [.. _element.EnumerateArray().Select((item, index) => new JsonSchemaNode(item, $"{Pointer}/{index}"))];
    }

    public string Text()
    {
        Expect(JsonValueKind.String, "a string");
        return Read(_element.GetString)!;
    }

    /// <summary>The value as constraints spell it.</summary>
    public string Json() => Read(() => JsonText.Of(_element));

    /// <summary>A count; the default where there is none.</summary>
    public int? Count(int? missing)
    {
        if (!Exists)
        {
            return missing;
        }

        // 3.0 is a whole number as well.
        return Kind == JsonValueKind.Number && _element.TryGetDouble(out double value) && value >= 0 && value == Math.Floor(value)
            ? (int)Math.Min(value, int.MaxValue)
            : throw Error("a whole number of at least 0 is expected");
    }

    /// <summary>A bound in units of 10⁻ⁿ, rounded inwards; null where there is none.</summary>
    /// <param name="fractionDigits">n.</param>
    /// <param name="isLower">Whether it bounds from below.</param>
    /// <param name="isExclusive">Whether it is itself out of bounds.</param>
    public Int128? Bound(int fractionDigits, bool isLower, bool isExclusive)
    {
        if (!Exists)
        {
            return null;
        }

        const decimal Limit = 1_000_000_000_000_000_000;
        Expect(JsonValueKind.Number, "a number");
        double approximate = _element.GetDouble();
        decimal value = Math.Clamp(_element.TryGetDecimal(out decimal exact) ? exact : approximate > 0 ? Limit : -Limit, -Limit, Limit);
        decimal whole = Math.Floor(value);
        Int128 unit = 1;
        for (int i = 0; i < fractionDigits; i++)
        {
            unit *= 10;
        }

        decimal part = (value - whole) * (decimal)unit;
        Int128 floor = ((Int128)whole * unit) + (Int128)Math.Floor(part);
        bool isTiny = value == 0 && approximate != 0;     // too small for a decimal
        floor -= isTiny && approximate < 0 ? 1 : 0;
        bool isBetween = isTiny || part != Math.Floor(part);
        return isLower ? floor + (isBetween || isExclusive ? 1 : 0) : floor - (isExclusive && !isBetween ? 1 : 0);
    }

    /// <summary>The types that <c>type</c> names; all where it is missing.</summary>
    public JsonTypes Types()
    {
        JsonSchemaNode type = this["type"];
        return !type.Exists ? JsonTypes.All
            : type.Kind == JsonValueKind.Array ? type.Items().Aggregate(JsonTypes.None, (all, item) => all | TypeOf(item))
            : TypeOf(type);
    }

    /// <summary>The type of a value.</summary>
    public JsonTypes TypeOfValue() => Kind switch
    {
        JsonValueKind.Null => JsonTypes.Null,
        JsonValueKind.True or JsonValueKind.False => JsonTypes.Boolean,
        JsonValueKind.Number => _element.TryGetDecimal(out decimal value) && value == Math.Floor(value) ? JsonTypes.Integer : JsonTypes.Number & ~JsonTypes.Integer,
        JsonValueKind.String => JsonTypes.String,
        JsonValueKind.Array => JsonTypes.Array,
        _ => JsonTypes.Object,
    };

    /// <summary>The place that a reference names, within the document whose root is <paramref name="root"/>.</summary>
    public JsonSchemaNode Resolve(JsonSchemaNode root)
    {
        string reference = Text();
        if (reference.Length > 0 && (reference[0] != '#' || (reference.Length > 1 && reference[1] != '/')))
        {
            throw Error("a reference leads to a place in the same document only, such as #/$defs/name");
        }

        JsonSchemaNode place = root;
        foreach (string step in reference.Split('/').Skip(1))
        {
            string name = Uri.UnescapeDataString(step).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            place = place.Kind == JsonValueKind.Array && int.TryParse(name, out int index) && index >= 0 && index < place._element.GetArrayLength()
                ? new(place._element[index], place.Below(name))
                : place[name];
            if (!place.Exists)
            {
                throw Error($"the reference {reference} leads nowhere");
            }
        }

        return place;
    }

    public GenerationConstraintException Error(string problem, Exception? cause = null) => new($"The JSON schema at {Pointer}: {problem}.", Pointer, cause);

    private static JsonTypes TypeOf(JsonSchemaNode type) => type.Text() switch
    {
        "null" => JsonTypes.Null,
        "boolean" => JsonTypes.Boolean,
        "integer" => JsonTypes.Integer,
        "number" => JsonTypes.Number,
        "string" => JsonTypes.String,
        "array" => JsonTypes.Array,
        "object" => JsonTypes.Object,
        string name => throw type.Error($"'{name}' is no type"),
    };

    private string Below(string name) =>
        $"{Pointer}/{name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";

    private void Expect(JsonValueKind kind, string expected)
    {
        if (Kind != kind)
        {
            throw Error($"{expected} is expected");
        }
    }

    /// <summary>An escaped lone surrogate is well-formed JSON and no text.</summary>
    private T Read<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException exception)
        {
            throw Error("half of a surrogate pair is no text", exception);
        }
    }
}
