using System.Text.Json.Nodes;

namespace Llama2.Tests;

/// <summary>Random JSON schemas of everything that constraints support.</summary>
internal sealed class RandomSchemas(Random random)
{
    private static readonly string[] _names = ["a", "b", "key", "naïve", "字", "a\"b", "x\\y", "", "ab", "abc"];
    private static readonly string[] _patterns = ["^a+$", "b", "^[a-c]{2,4}", "x|y$", "\\d{2}", "^(?:é|\\n|\")+$", "^\\S+@\\w+$", "[^a-z]"];
    private readonly List<string> _references = ["#"];
    private readonly JsonObject _definitions = [];

    /// <summary>A schema whose texts are not endless: what it is made of grows shallower.</summary>
    public JsonObject Create()
    {
        _references.Clear();
        for (int i = random.Next(3); i > 0; i--)
        {
            // A definition may refer to those before it, and to itself by an optional member.
            string reference = $"#/$defs/d{i}";
            JsonObject definition = random.Next(3) == 0
                ? new JsonObject
                {
                    ["type"] = "object",
                    ["properties"] = new JsonObject { ["value"] = Schema(1), ["next"] = new JsonObject { ["$ref"] = reference } },
                    ["required"] = new JsonArray("value"),
                }
                : Schema(1);
            _definitions[$"d{i}"] = definition;
            _references.Add(reference);
        }

        JsonObject schema = Schema(3);
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
        schema["description"] = "random";
        schema["$defs"] = _definitions;
        return schema;
    }

    private JsonObject Schema(int depth) => random.Next(depth > 0 ? 13 : 8) switch
    {
        0 => new JsonObject { ["type"] = "null" },
        1 => new JsonObject { ["type"] = "boolean" },
        2 => Number("integer", _ => random.Next(-30, 30)),
        3 => Number("number", _ => Math.Round(random.NextDouble() * 40 - 20, random.Next(4))),
        4 => String(),
        5 => new JsonObject { ["enum"] = new JsonArray([.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => Constant())]) },
        6 => new JsonObject { ["const"] = Constant(), ["title"] = "a constant" },
        7 when _references.Count > 0 => new JsonObject { ["$ref"] = _references[random.Next(_references.Count)] },
        7 => new JsonObject { ["type"] = new JsonArray("integer", "null"), ["minimum"] = 3 },
        8 or 9 => Object(depth),
        10 => Array(depth),
        11 => new JsonObject { ["anyOf"] = new JsonArray([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Schema(depth - 1))]) },
        _ => OneOf(depth),
    };

    private JsonObject Number(string type, Func<int, double> draw)
    {
        var schema = new JsonObject { ["type"] = type };
        double[] bounds = [draw(0), draw(1)];
        System.Array.Sort(bounds);
        if (random.Next(2) == 0)
        {
            schema[random.Next(3) == 0 ? "exclusiveMinimum" : "minimum"] = bounds[0];
        }

        if (random.Next(2) == 0)
        {
            schema[random.Next(3) == 0 ? "exclusiveMaximum" : "maximum"] = bounds[1];
        }

        return schema;
    }

    private JsonObject String()
    {
        var schema = new JsonObject { ["type"] = "string" };
        switch (random.Next(4))
        {
            case 0:
                schema["minLength"] = random.Next(4);
                schema["maxLength"] = random.Next(4, 7);
                break;
            case 1:
                schema["pattern"] = _patterns[random.Next(_patterns.Length)];
                break;
            case 2:
                schema["format"] = new[] { "date-time", "date", "time", "uuid", "email", "uri", "ipv4" }[random.Next(7)];
                break;
        }

        return schema;
    }

    private JsonNode Constant() => random.Next(6) switch
    {
        0 => JsonValue.Create(random.Next(-5, 5)),
        1 => JsonValue.Create(random.Next(9) / 4.0),
        2 => JsonValue.Create(random.Next(2) == 0),
        3 => new JsonArray(1, "b", new JsonObject { ["c"] = null }),
        _ => JsonValue.Create(_names[random.Next(_names.Length)]),
    };

    private JsonObject Object(int depth)
    {
        var properties = new JsonObject();
        var required = new JsonArray();
        foreach (string name in _names.Where(_ => random.Next(3) == 0))
        {
            properties[name] = Schema(depth - 1);
            if (random.Next(2) == 0)
            {
                required.Add(name);
            }
        }

        if (random.Next(8) == 0)
        {
            required.Add("unnamed");
        }

        var schema = new JsonObject { ["type"] = "object", ["properties"] = properties, ["required"] = required };
        switch (random.Next(4))
        {
            case 0 when !required.Any(name => (string?)name == "unnamed"):
                schema["additionalProperties"] = false;
                break;
            case 1:
                schema["additionalProperties"] = random.Next(2) == 0 ? true : Schema(depth - 1);
                break;
        }

        return schema;
    }

    private JsonObject Array(int depth)
    {
        var schema = new JsonObject { ["type"] = "array", ["minItems"] = random.Next(3), ["maxItems"] = random.Next(3, 6) };
        if (random.Next(3) > 0)
        {
            schema["items"] = Schema(depth - 1);
        }

        if (random.Next(3) == 0)
        {
            schema["prefixItems"] = new JsonArray(Schema(depth - 1), Schema(0));
        }

        return schema;
    }

    /// <summary>Alternatives that exclude each other by type or by a constant member.</summary>
    private JsonObject OneOf(int depth) => new()
    {
        ["oneOf"] = random.Next(2) == 0
            ? new JsonArray(new JsonObject { ["type"] = "string" }, Object(depth), Number("number", _ => random.Next(10)))
            : new JsonArray(Tagged("a", depth), Tagged("b", depth)),
    };

    private JsonObject Tagged(string tag, int depth)
    {
        JsonObject schema = Object(depth);
        schema["properties"]!["tag"] = new JsonObject { ["const"] = tag };
        schema["required"]!.AsArray().Add("tag");
        return schema;
    }
}
