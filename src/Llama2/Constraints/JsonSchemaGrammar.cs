using System.Text.Json;

namespace Llama2;

/// <summary>Writes a JSON schema (draft 2020-12) into a grammar, every text of which validates. What the schema allows beyond that is not generated.</summary>
/// <remarks>
/// Members come in the order of <c>properties</c>. Members that the schema does not name come only where <c>additionalProperties</c> asks for
/// them, or where it says nothing about members at all. A schema without <c>type</c> is about the types that its keywords are about.
/// </remarks>
internal sealed class JsonSchemaGrammar
{
    private static readonly string[] _constants = ["const", "enum"];
    private static readonly string[] _alternatives = ["$ref", "anyOf", "oneOf", "allOf"];

    private readonly GrammarBuilder _builder;
    private readonly JsonGrammar _json;
    private readonly JsonSchemaNode _root;
    private readonly Dictionary<(string Pointer, JsonTypes Types), int> _rules = [];
    private readonly Queue<(int Rule, JsonSchemaNode Schema, JsonTypes Types)> _pending = [];

    private JsonSchemaGrammar(GrammarBuilder builder, JsonElement schema) => (_builder, _json, _root) = (builder, new(builder), new(schema, "#"));

    /// <summary>Writes a value of some types that a schema allows.</summary>
    /// <exception cref="GenerationConstraintException">The schema is malformed or uses an unsupported keyword.</exception>
    public static int Write(GrammarBuilder builder, JsonElement schema, JsonTypes types, int next) =>
        new JsonSchemaGrammar(builder, schema).Write(types, next);

    private int Write(JsonTypes types, int next)
    {
        int start = Value(_root, types, next);
        while (_pending.TryDequeue(out (int Rule, JsonSchemaNode Schema, JsonTypes Types) rule))
        {
            _builder.DefineRule(rule.Rule, Define(rule.Schema, rule.Types));
        }

        return start;
    }

    /// <summary>A value of some types that a schema allows; the schema is read later, so that it may refer to itself.</summary>
    private int Value(JsonSchemaNode schema, JsonTypes types, int next)
    {
        if (!_rules.TryGetValue((schema.Pointer, types), out int rule))
        {
            _rules.Add((schema.Pointer, types), rule = _builder.DeclareRule());
            _pending.Enqueue((rule, schema, types));
        }

        return _builder.Call(rule, next);
    }

    private int Define(JsonSchemaNode schema, JsonTypes types)
    {
        List<string> keywords = schema.Keywords();
        if (schema.Kind == JsonValueKind.False)
        {
            return _builder.Any();
        }

        types &= schema.Types();
        keywords.Remove("type");
        if (keywords.Find(_alternatives.Contains) is { } alternative)
        {
            RequireAlone(schema, keywords, alternative);
            return Alternatives(schema[alternative], alternative, types);
        }

        if (keywords.Find(_constants.Contains) is { } constant)
        {
            RequireAlone(schema, keywords, constant);
            List<JsonSchemaNode> values = constant == "const" ? [schema[constant]] : schema[constant].Items();
            return _builder.Any([.. values.Where(value => (types & value.TypeOfValue()) != 0).Select(value => _json.Literal(value.Json(), Grammar.End))]);
        }

        if (!schema["type"].Exists && (JsonSchemaNode.TypesOf(keywords) & types) is not JsonTypes.None and JsonTypes meant)
        {
            types = meant;
        }

        if (types == JsonTypes.All && keywords.Count == 0)
        {
            return _json.Value(Grammar.End);
        }

        return _builder.Any([.. Ways(schema, types)]);
    }

    private IEnumerable<int> Ways(JsonSchemaNode schema, JsonTypes types)
    {
        if (types.HasFlag(JsonTypes.Null))
        {
            yield return _json.Literal("null", Grammar.End);
        }

        if (types.HasFlag(JsonTypes.Boolean))
        {
            yield return _json.Literal("true", Grammar.End);
            yield return _json.Literal("false", Grammar.End);
        }

        if ((types & JsonTypes.Number) != 0)
        {
            yield return Number(schema, types.HasFlag(JsonTypes.Number));
        }

        if (types.HasFlag(JsonTypes.String))
        {
            yield return String(schema);
        }

        if (types.HasFlag(JsonTypes.Array))
        {
            yield return Array(schema);
        }

        if (types.HasFlag(JsonTypes.Object))
        {
            yield return Object(schema);
        }
    }

    private int Alternatives(JsonSchemaNode value, string keyword, JsonTypes types)
    {
        if (keyword == "$ref")
        {
            return Value(value.Resolve(_root), types, Grammar.End);
        }

        List<JsonSchemaNode> schemas = value.Items();
        if (keyword == "allOf" && schemas.Count != 1)
        {
            throw value.Error("the keyword 'allOf' is supported with a single schema only");
        }

        if (keyword == "oneOf")
        {
            JsonSchemaExclusion.Require(schemas, _root);
        }

        return _builder.Any([.. schemas.Select(schema => Value(schema, types, Grammar.End))]);
    }

    private int Number(JsonSchemaNode schema, bool hasFraction)
    {
        int digits = hasFraction ? JsonGrammar.FractionDigits : 0;
        Int128? low = Tighter(Int128.Max, schema["minimum"].Bound(digits, isLower: true, isExclusive: false), schema["exclusiveMinimum"].Bound(digits, isLower: true, isExclusive: true));
        Int128? high = Tighter(Int128.Min, schema["maximum"].Bound(digits, isLower: false, isExclusive: false), schema["exclusiveMaximum"].Bound(digits, isLower: false, isExclusive: true));
        return (hasFraction, low, high) switch
        {
            (true, null, null) => _json.Number(Grammar.End),
            (true, _, _) => _json.Number(low, high, Grammar.End),
            (false, null, null) => _json.Integer(Grammar.End),
            (false, _, _) => _json.Integer(low, high, Grammar.End),
        };

        static Int128? Tighter(Func<Int128, Int128, Int128> choose, Int128? a, Int128? b) => a is null ? b : b is null ? a : choose(a.Value, b.Value);
    }

    private int String(JsonSchemaNode schema)
    {
        JsonSchemaNode pattern = schema["pattern"], format = schema["format"];
        int least = schema["minLength"].Count(0)!.Value;
        int? most = schema["maxLength"].Count(null);
        if (most < least)
        {
            return _builder.Any();
        }

        if ((pattern.Exists ? 1 : 0) + (format.Exists ? 1 : 0) + (least > 0 || most is not null ? 1 : 0) > 1)
        {
            throw schema.Error("of pattern, format and a length only one is supported at a time");
        }

        if (pattern.Exists)
        {
            return _json.String(RegexParser.Parse(pattern.Text(), RegexCharacters.EcmaDot, pattern.Pointer), Grammar.End);
        }

        if (format.Exists)
        {
            string expression = JsonFormats.Find(format.Text()) ?? throw format.Error($"the format '{format.Text()}' is not supported ({JsonFormats.Names} are)");
            return _json.String(RegexParser.Parse(expression, RegexCharacters.EcmaDot), Grammar.End);
        }

        return least == 0 && most is null ? _json.String(Grammar.End) : _json.String(least, most, Grammar.End);
    }

    private int Array(JsonSchemaNode schema)
    {
        int least = schema["minItems"].Count(0)!.Value;
        int? most = schema["maxItems"].Count(null);
        JsonSchemaNode items = schema["items"], prefix = schema["prefixItems"];
        List<Func<int, int>> first = prefix.Exists ? [.. prefix.Items().Select(Item)] : [];
        Func<int, int>? rest = items.Kind == JsonValueKind.False ? null
            : items.Exists ? Item(items)
            : prefix.Exists && least <= first.Count ? null       // none are made up
            : _json.Value;
        if (first.Count == 0 && rest is not null)
        {
            first.Add(rest);
        }

        if (most < first.Count || rest is null)
        {
            most = Math.Min(most ?? int.MaxValue, first.Count);
            first = first[..most.Value];
        }

        if (most < least)
        {
            return _builder.Any();
        }

        int close = _json.Byte(']', Grammar.End);
        int node = rest is null || most == first.Count ? close
            : _builder.Repeat(after => _json.Comma(rest(after)), Math.Max(0, least - first.Count), most - first.Count, close);
        for (int i = first.Count - 1; i >= 0; i--)
        {
            int taken = i == 0 ? first[i](node) : _json.Comma(first[i](node));
            node = i >= least ? _builder.Any(taken, close) : taken;
        }

        return _json.Byte('[', node);

        Func<int, int> Item(JsonSchemaNode item) => next => Value(item, JsonTypes.All, next);
    }

    private int Object(JsonSchemaNode schema)
    {
        JsonSchemaNode properties = schema["properties"], additional = schema["additionalProperties"], required = schema["required"];
        var values = new OrderedDictionary<string, Func<int, int>>();
        foreach ((string name, JsonSchemaNode value) in properties.Exists ? properties.Members() : [])
        {
            values.Add(name, next => Value(value, JsonTypes.All, next));
        }

        HashSet<string> needed = required.Exists ? [.. required.Items().Select(item => item.Text())] : [];
        foreach (string name in needed.Where(name => !values.ContainsKey(name)))
        {
            values.Add(name, Other);
        }

        if (values.Count == 0 && !properties.Exists && !additional.Exists)
        {
            return _json.Object(Grammar.End);
        }

        // From the last property to the first: "more" goes on where a member was written, "none" where none was.
        int close = _json.Byte('}', Grammar.End), more = close, none = close;
        if (additional.Exists && additional.Kind != JsonValueKind.False)
        {
            more = _builder.Reserve();
            int other = _json.OtherKey(values.Keys, Other(more));
            _builder.Define(more, close, _json.Comma(other));
            none = _builder.Any(close, other);
        }

        for (int i = values.Count - 1; i >= 0; i--)
        {
            (string name, Func<int, int> value) = values.GetAt(i);
            int member = _json.Key(name, value(more));
            bool isNeeded = needed.Contains(name);
            more = isNeeded ? _json.Comma(member) : _builder.Any(_json.Comma(member), more);
            none = isNeeded ? member : _builder.Any(member, none);
        }

        return _json.Byte('{', none);

        int Other(int next) => additional.Exists ? Value(additional, JsonTypes.All, next) : _json.Value(next);
    }

    private static void RequireAlone(JsonSchemaNode schema, List<string> keywords, string keyword)
    {
        if (keywords.Count > 1)
        {
            throw schema.Error($"beside '{keyword}' stands '{keywords.First(other => other != keyword)}'; only 'type' and descriptions may stand there");
        }
    }
}
