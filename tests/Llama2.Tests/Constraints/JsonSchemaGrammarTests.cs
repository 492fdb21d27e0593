using System.Text;
using System.Text.Json;
using Json.Schema;

namespace Llama2.Tests;

public class JsonSchemaGrammarTests
{
    private static readonly EvaluationOptions _strict = new() { RequireFormatValidation = true };

    /// <summary>The heart of the matter: whatever is drawn from whatever schema validates.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Compile_ManyRandomSchemas_EveryTextValidates(int seed)
    {
        var random = new Random(seed);
        int schemas = 0, texts = 0, impossible = 0;
        for (; schemas < 500; schemas++)
        {
            string schema = new RandomSchemas(random).Create().ToJsonString();
            ConstraintWalk walk;
            try
            {
                walk = new(GenerationConstraint.JsonSchema(schema));
            }
            catch (GenerationConstraintException exception) when (exception.Location is null && exception.Message.StartsWith("No text", StringComparison.Ordinal))
            {
                impossible++;                              // a range without numbers, say, among what is required
                continue;
            }

            JsonSchema validator = JsonSchema.FromText(schema);
            for (int i = 0; i < 3; i++)
            {
                if (walk.Text(random) is { } text)
                {
                    Validate(validator, schema, text);
                    texts++;
                }
            }
        }

        Assert.True(impossible < schemas / 10, $"{impossible} of {schemas} schemas");
        Assert.True(texts > 2 * schemas, $"{texts} texts of {schemas} schemas");
    }

    [Theory]
    [InlineData("""{"type":"integer"}""", "0 1 -1 42 999999999999999", "-0 01 1.0 1e3 +1 1000000000000000")]
    [InlineData("""{"type":"number"}""", "0 -1 0.5 -0.25 12.000000000001", "-0 .5 1. 01.5 1e3 0.0000000000001")]
    [InlineData("""{"type":"integer","minimum":-12,"maximum":105}""", "-12 -9 -1 0 9 10 99 100 105", "-13 -100 106 110 200 1000")]
    [InlineData("""{"type":"integer","exclusiveMinimum":7,"exclusiveMaximum":10}""", "8 9", "7 10 80")]
    [InlineData("""{"type":"integer","minimum":0.5,"maximum":2.5}""", "1 2", "0 3")]
    [InlineData("""{"type":"integer","minimum":1000000000000000}""", "1000000000000000 999999999999999999", "999999999999999 0")]
    [InlineData("""{"type":"integer","maximum":1.7976931348623157E+308}""", "0 -5", "x")]
    [InlineData("""{"type":"number","minimum":0.5,"exclusiveMaximum":1.25}""", "0.5 0.50 0.501 1 1.0 1.2 1.24999", "0.4 0.49 0 1.25 1.250 1.3 2 -1")]
    [InlineData("""{"type":"number","exclusiveMinimum":0,"maximum":10}""", "0.1 0.000000000001 10 10.000 9.99", "0 0.0 10.01 11 -1")]
    [InlineData("""{"type":"number","minimum":-2.5,"maximum":-1}""", "-2.5 -1 -1.5 -2.49 -1.0", "-2.51 -0.9 0 1 -3")]
    [InlineData("""{"type":"boolean"}""", "true false", "True 1 null")]
    [InlineData("""{"type":["integer","null"],"minimum":3}""", "3 null", "2 nul")]
    [InlineData("""{"type":["string","integer"],"pattern":"^-?(?:0|[1-9]\\d*)$"}""", "5 \"5\" \"-17\"", "\"05\" \"x\"")]
    [InlineData("""{"const":{"a":[1,"é\n"]}}""", """{"a":[1,"é\n"]}""", """{"a":[]}""")]
    [InlineData("""{"enum":["a",1,null,1.50],"type":["string","number"]}""", "\"a\" 1 1.50", "null 1.5 \"b\"")]
    [InlineData("""{"type":"string","minLength":2,"maxLength":3}""", """ "ab" "éé字" "🙂🙂" "\n\u00e9" """, """ "a" "abcd" "" """)]
    [InlineData("""{"type":"string"}""", """ "" "a\"\\\/\b\f\n\r\t" "\u00E9\ud7ff\uE000" """, """ "\ud83d" "\x" "\u12g4" a "a """)]
    [InlineData("""{"type":"string","pattern":"b"}""", """ "b" "abc" "b\n" """, """ "a" "" """)]
    [InlineData("""{"type":"string","pattern":"^a|b$"}""", """ "a" "ax" "xb" """, """ "xa" "bx" """)]
    [InlineData("""{"type":"string","pattern":"^[\"\\n\\u0001x]$"}""", """ "\"" "\n" "\u0001" "x" """, """ "a" "n" "\\" """)]
    [InlineData("""{"type":"array"}""", """[] [1,2] [[],{}]""", "[1,] [")]
    [InlineData("""{"type":"array","items":{"type":"null"},"minItems":2,"maxItems":3}""", "[null,null] [null,null,null]", "[] [null] [null,null,null,null]")]
    [InlineData("""{"type":"array","items":{"type":"null"},"maxItems":0}""", "[]", "[null]")]
    [InlineData("""{"type":"array","prefixItems":[{"const":1},{"const":2}]}""", "[] [1] [1,2]", "[2] [1,2,3]")]
    [InlineData("""{"type":"array","prefixItems":[{"const":1}],"items":{"const":2},"minItems":2}""", "[1,2] [1,2,2]", "[1] [] [2]")]
    [InlineData("""{"type":"array","prefixItems":[{"const":1},{"const":2}],"maxItems":1}""", "[] [1]", "[1,2]")]
    [InlineData("""{"properties":{"a":{"const":1},"b":{"const":2}},"required":["b"]}""", """{"a":1,"b":2} {"b":2}""", """{} {"a":1} {"b":2,"a":1} {"b":2,"c":3} 1""")]
    [InlineData("""{"type":"object"}""", """{} {"x":{"y":[1]}}""", "[] {x:1}")]
    [InlineData("""{"type":"object","properties":{},"additionalProperties":false}""", "{}", """{"a":1}""")]
    [InlineData("""{"type":"object","properties":{"ab":{"const":1}},"additionalProperties":{"const":2}}""", """{} {"ab":1} {"ab":1,"a":2} {"abc":2,"b":2} {"é":2}""", """{"ab":2} {"a":2,"ab":1} {"a\u0062":2}""")]
    [InlineData("""{"required":["x"]}""", """{"x":1} {"x":{}}""", "{}")]
    [InlineData("""{"anyOf":[{"const":"ab"},{"const":"ac"},false]}""", "\"ab\" \"ac\"", "\"ad\"")]
    [InlineData("""{"type":"string","anyOf":[{"enum":["a",1]},{"type":"integer"}]}""", "\"a\"", "1 2")]
    [InlineData("""{"allOf":[{"$ref":"#/$defs/a~1b%20c"}],"$defs":{"a/b c":{"const":1}}}""", "1", "2")]
    [InlineData("true", """1 "a" [] {"a":null}""", "{]")]
    [InlineData("{}", """1 "a" [] {"a":null}""", "{]")]
    [InlineData("""{"minLength":1}""", "\"a\"", "\"\" 1")]
    public void Compile_Schema_AllowsAndRefuses(string schema, string allowed, string refused)
    {
        GenerationConstraint constraint = GenerationConstraint.JsonSchema(schema);
        Assert.All(allowed.Split(' ', StringSplitOptions.RemoveEmptyEntries), text => Assert.True(ConstraintWalk.Accepts(constraint, text), text));
        Assert.All(refused.Split(' ', StringSplitOptions.RemoveEmptyEntries), text => Assert.False(ConstraintWalk.Accepts(constraint, text), text));
        JsonSchema validator = JsonSchema.FromText(schema);
        Assert.All(allowed.Split(' ', StringSplitOptions.RemoveEmptyEntries), text => Validate(validator, schema, text));
    }

    [Theory]
    [InlineData("""{"a": [1, {"b": 2}]}""", true)]
    [InlineData("""{"a":[1,{"b":2}]}""", true)]
    [InlineData("""{"a":  1}""", false)]
    [InlineData("""{ "a":1}""", false)]
    [InlineData("""{"a" :1}""", false)]
    [InlineData("""{"a":1} """, false)]
    [InlineData(""" {"a":1}""", false)]
    [InlineData("""{"a":1,}""", false)]
    [InlineData("[]", false)]
    public void Json_WhiteSpace_IsOneSpaceAfterColonsAndCommas(string text, bool allowed) =>
        Assert.Equal(allowed, ConstraintWalk.Accepts(GenerationConstraint.Json, text));

    [Fact]
    public void Compile_Recursion_EndsInTime()
    {
        GenerationConstraint list = GenerationConstraint.JsonSchema(
            """{"type":"object","properties":{"next":{"anyOf":[{"type":"null"},{"$ref":"#"}]}},"required":["next"]}""");
        Assert.True(ConstraintWalk.Accepts(list, """{"next":{"next":null}}"""));
        string Nested(int depth) => string.Concat(Enumerable.Repeat("""{"next":""", depth)) + "null" + new string('}', depth);
        Assert.True(ConstraintWalk.Accepts(list, Nested(40)));
        Assert.False(ConstraintWalk.Accepts(list, Nested(60)));

        // However deep it is at any time, it can always be closed; JsonDocument reads 64 levels.
        var automaton = new Automaton(list.Grammar);
        AutomatonState state = automaton.Start;
        foreach (byte value in Encoding.UTF8.GetBytes(Nested(60)))
        {
            AutomatonState next = automaton.Step(state, value);
            if (next.IsDead)
            {
                Assert.False(automaton.Step(state, (byte)'n').IsDead);
                break;
            }

            state = next;
        }

        var random = new Random(1);
        var any = new ConstraintWalk(GenerationConstraint.Json);
        for (int i = 0; i < 20; i++)
        {
            if (any.Text(random, 2000) is { } text)
            {
                JsonDocument.Parse(text).Dispose();
            }
        }
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"a":{"multipleOf":3}}}""", "#/properties/a/multipleOf")]
    [InlineData("""{"type":"object","patternProperties":{}}""", "#/patternProperties")]
    [InlineData("""{"items":{"not":{}}}""", "#/items/not")]
    [InlineData("""{"allOf":[{},{}]}""", "#/allOf")]
    [InlineData("""{"uniqueItems":true}""", "#/uniqueItems")]
    [InlineData("""{"minProperties":1}""", "#/minProperties")]
    [InlineData("""{"requird":[]}""", "#/requird")]
    [InlineData("""{"format":"hostname"}""", "#/format")]
    [InlineData("""{"type":"strin"}""", "#/type")]
    [InlineData("""{"type":["string","strin"]}""", "#/type/1")]
    [InlineData("""{"type":3}""", "#/type")]
    [InlineData("""{"properties":[]}""", "#/properties")]
    [InlineData("""{"required":[1]}""", "#/required/0")]
    [InlineData("""{"enum":{}}""", "#/enum")]
    [InlineData("""{"enum":["\ud83d"]}""", "#/enum/0")]
    [InlineData("""{"minLength":-1}""", "#/minLength")]
    [InlineData("""{"minLength":1.5}""", "#/minLength")]
    [InlineData("""{"minimum":"1"}""", "#/minimum")]
    [InlineData("""{"pattern":"(?=a)"}""", "#/pattern")]
    [InlineData("""{"pattern":"a","minLength":1}""", "#")]
    [InlineData("""{"enum":["a"],"minLength":1}""", "#")]
    [InlineData("""{"$ref":"#/$defs/x"}""", "#/$ref")]
    [InlineData("""{"$ref":"http://example.org/x"}""", "#/$ref")]
    [InlineData("""{"$ref":"#name"}""", "#/$ref")]
    [InlineData("""{"properties":{"a/b":5}}""", "#/properties/a~1b")]
    [InlineData("""{"oneOf":[{"type":"integer"},{"type":"number"}]}""", "#/oneOf/1")]
    [InlineData("""{"oneOf":[{"const":1},{"const":1.0}]}""", "#/oneOf/1")]
    [InlineData("""{"oneOf":[{"type":"object"},{"required":["a"]}]}""", "#/oneOf/1")]
    [InlineData("3", "#")]
    [InlineData("{", "#")]
    public void Compile_MalformedOrUnsupported_NamesThePlace(string schema, string location)
    {
        GenerationConstraintException exception = Assert.Throws<GenerationConstraintException>(() => GenerationConstraint.JsonSchema(schema));
        Assert.Equal(location, exception.Location);
    }

    [Theory]
    [InlineData("false")]
    [InlineData("""{"$ref":"#"}""")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}""")]
    [InlineData("""{"type":"integer","minimum":2,"maximum":1}""")]
    [InlineData("""{"type":"string","minLength":2,"maxLength":1}""")]
    [InlineData("""{"enum":[]}""")]
    [InlineData("""{"type":"string","enum":[1]}""")]
    [InlineData("""{"type":"array","items":false,"minItems":1}""")]
    [InlineData("""{"type":"object","required":["a"],"additionalProperties":false}""")]
    [InlineData("""{"anyOf":[]}""")]
    public void Compile_NothingSatisfiesIt_Throws(string schema) =>
        Assert.Null(Assert.Throws<GenerationConstraintException>(() => GenerationConstraint.JsonSchema(schema)).Location);

    [Theory]
    [InlineData("""{"type":"string","minLength":2000000000}""")]
    [InlineData("""{"type":"array","items":{"type":"array","minItems":200000},"minItems":200000}""")]
    public void Compile_TooLarge_Throws(string schema) =>
        Assert.Contains("too large", Assert.Throws<GenerationConstraintException>(() => GenerationConstraint.JsonSchema(schema)).Message, StringComparison.Ordinal);

    [Fact]
    public void Compile_VeryLongName_IsFineUnlessOthersHaveToDiffer()
    {
        string schema = """{"properties":{"name":{"type":"null"}}""".Replace("name", new string('n', 100_000), StringComparison.Ordinal);
        Assert.NotNull(GenerationConstraint.JsonSchema(schema + "}"));
        Assert.Contains(
            "100000", Assert.Throws<GenerationConstraintException>(() => GenerationConstraint.JsonSchema(schema + ",\"additionalProperties\":true}")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_OneOfThatExcludes_IsAllowed()
    {
        string[] schemas =
        [
            """{"oneOf":[{"type":"string"},{"type":["integer","null"]}]}""",
            """{"oneOf":[{"const":1},{"const":"1"},{"enum":[2,3]}]}""",
            """{"oneOf":[{"$ref":"#/$defs/a"},{"type":"object","properties":{"t":{"const":"b"}},"required":["t"]},false],"$defs":{"a":{"properties":{"t":{"const":"a"}},"required":["t"]}}}""",
        ];
        Assert.All(schemas, schema => Assert.NotNull(GenerationConstraint.JsonSchema(schema)));
    }

    private static void Validate(JsonSchema validator, string schema, string text)
    {
        using JsonDocument document = JsonDocument.Parse(text);
        Assert.True(validator.Evaluate(document.RootElement, _strict).IsValid, $"{text} against {schema}");
    }
}
