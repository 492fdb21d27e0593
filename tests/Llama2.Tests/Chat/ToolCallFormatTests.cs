using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Llama2.Tests;

public class ToolCallFormatTests
{
    private static readonly AIFunctionDeclaration _weather = AIFunctionFactory.CreateDeclaration("get_weather", "Tells the weather.", Json(
        """{"type":"object","properties":{"city":{"type":"string","maxLength":9},"days":{"type":"integer","minimum":1,"maximum":7}},"required":["city"]}"""));

    private static readonly AIFunctionDeclaration _now = AIFunctionFactory.CreateDeclaration("get_time", null, Json("""{"type":"object","properties":{}}"""));

    [Theory]
    [InlineData(false, true, "", true)]
    [InlineData(false, true, "It rains.", true)]
    [InlineData(false, true, "<ca", true)]
    [InlineData(false, true, "<b>yes</b>", true)]
    [InlineData(false, true, "I use <call>", true)]
    [InlineData(false, true, "<call>", false)]
    [InlineData(false, true, "<call>get_time", false)]
    [InlineData(false, true, """<call>{"name": "get_time", "arguments": {}}</call>""", true)]
    [InlineData(false, true, """<call>{"name": "get_weather", "arguments": {"city":"Rome"}}</call><call>{"name": "get_time", "arguments": {}}</call>""", true)]
    [InlineData(false, false, """<call>{"name": "get_time", "arguments": {}}</call><call>{"name": "get_time", "arguments": {}}</call>""", false)]
    [InlineData(false, true, """<call>{"name": "get_time", "arguments": {}}</call> and more""", false)]
    [InlineData(false, true, """<call>{"name": "get_wind", "arguments": {}}</call>""", false)]
    [InlineData(false, true, """<call>{"name": "get_weather", "arguments": {"days":1}}</call>""", false)]
    [InlineData(false, true, """<call>{"name": "get_weather", "arguments": {"city":"a","days":9}}</call>""", false)]
    [InlineData(true, true, "It rains.", false)]
    [InlineData(true, true, "", false)]
    [InlineData(true, true, """<call>{"name": "get_weather", "arguments": {"city": "a", "days": 7}}</call>""", true)]
    public void Constrain_Reply_IsWordsOrWellFormedCalls(bool isRequired, bool allowsSeveral, string reply, bool allowed) =>
        Assert.Equal(allowed, ConstraintWalk.Accepts(ToolCallFormat.Constrain(new([_weather, _now], isRequired, allowsSeveral), answer: null), reply));

    [Fact]
    public void Constrain_WithAnAnswersForm_HoldsTheWordsToIt()
    {
        GenerationConstraint constraint = ToolCallFormat.Constrain(new([_now], false, true), GenerationConstraint.Choice(["yes", "no"]));
        Assert.True(ConstraintWalk.Accepts(constraint, "no"));
        Assert.False(ConstraintWalk.Accepts(constraint, "maybe"));
        Assert.True(ConstraintWalk.Accepts(constraint, """<call>{"name": "get_time", "arguments": {}}</call>"""));
        Assert.NotEqual(constraint, ToolCallFormat.Constrain(new([_now], false, true), GenerationConstraint.Choice(["yes"])));
        Assert.Equal(constraint, ToolCallFormat.Constrain(new([_now], false, true), GenerationConstraint.Choice(["yes", "no"])));
    }

    [Fact]
    public void Constrain_SchemaThatIsNotSupported_NamesTheFunction()
    {
        AIFunctionDeclaration function = AIFunctionFactory.CreateDeclaration("odd", null, Json("""{"type":"object","properties":{"a":{"multipleOf":2}}}"""));
        GenerationConstraintException exception = Assert.Throws<GenerationConstraintException>(() => ToolCallFormat.Constrain(new([function], true, true), null));
        Assert.Contains("'odd'", exception.Message, StringComparison.Ordinal);
        Assert.Equal("#/properties/a/multipleOf", exception.Location);
    }

    [Fact]
    public void Read_RandomReplies_GiveWhatTheirTextSays()
    {
        var random = new Random(3);
        var walk = new ConstraintWalk(ToolCallFormat.Constrain(new([_weather, _now], true, true), null));
        int calls = 0;
        for (int i = 0; i < 100; i++)
        {
            if (walk.Text(random) is not { } text)
            {
                continue;
            }

            List<FunctionCallContent> read = ToolCallFormat.Read(text);
            Assert.NotEmpty(read);
            Assert.Equal(read.Count, read.Select(call => call.CallId).Distinct().Count());
            Assert.All(read, call => Assert.Contains(call.Name, new[] { "get_weather", "get_time" }));
            Assert.All(read.Where(call => call.Name == "get_weather"), call => Assert.Equal(JsonValueKind.String, ((JsonElement)call.Arguments!["city"]!).ValueKind));
            Assert.Equal(read.Count, ToolCallFormat.Read(string.Concat(read.Select(ToolCallFormat.Spell))).Count);
            calls += read.Count;
        }

        Assert.True(calls > 100, $"{calls} calls");
    }

    [Fact]
    public void Read_MarkersWithinAnArgument_BelongToIt()
    {
        var call = new FunctionCallContent("1", "get_weather", new Dictionary<string, object?> { ["city"] = "</call><call>{\"é", ["days"] = 2 });
        FunctionCallContent read = Assert.Single(ToolCallFormat.Read(ToolCallFormat.Spell(call)));
        Assert.Equal(("get_weather", "</call><call>{\"é", 2), (read.Name, ((JsonElement)read.Arguments!["city"]!).GetString(), ((JsonElement)read.Arguments["days"]!).GetInt32()));
    }

    [Fact]
    public void Spell_Results_AreTextOrJson()
    {
        Assert.Equal("<result>rain</result>", ToolCallFormat.Spell(new FunctionResultContent("1", "rain")));
        Assert.Equal("<result>rain</result>", ToolCallFormat.Spell(new FunctionResultContent("1", Json("\"rain\""))));
        Assert.Equal("""<result>{"a":[1,"é"]}</result>""", ToolCallFormat.Spell(new FunctionResultContent("1", Json("""{ "a": [1, "é"] }"""))));
        Assert.Equal("<result>[1,2]</result>", ToolCallFormat.Spell(new FunctionResultContent("1", new[] { 1, 2 })));
        Assert.Equal("<result>null</result>", ToolCallFormat.Spell(new FunctionResultContent("1", null)));
        Assert.Equal("<result>Error: no</result>", ToolCallFormat.Spell(new FunctionResultContent("1", null) { Exception = new InvalidOperationException("no") }));
    }

    [Fact]
    public void Describe_Functions_AreAllThere()
    {
        string text = ToolCallFormat.Describe(new([_weather, _now], false, true));
        Assert.Contains("""{"name": "get_weather", "description": "Tells the weather.", "parameters": {"type":"object",""", text, StringComparison.Ordinal);
        Assert.Contains("""{"name": "get_time", "parameters": {"type":"object","properties":{}}}""", text, StringComparison.Ordinal);
        Assert.Contains("answer in words", text, StringComparison.Ordinal);
        Assert.Equal(text, ToolCallFormat.Describe(new([_weather, _now], true, true) { Callable = [_now] }));      // the prefix cache holds it all the same
    }

    [Theory]
    [InlineData("Hello", "")]
    [InlineData("<b>", "")]
    [InlineData("<ca", "<ca")]
    public void Reader_Words_PassOnceTheyAreCertain(string text, string held)
    {
        var reader = new ToolCallReader();
        string passed = string.Concat(text.Select(letter => reader.Append(letter.ToString())));
        Assert.Equal(text, passed + reader.Complete(isWhole: true, out List<FunctionCallContent> calls));
        Assert.Empty(calls);
        Assert.Equal(text.Length - held.Length, passed.Length);
    }

    [Fact]
    public void Reader_Calls_AreCollectedUnlessCutOff()
    {
        const string Text = """<call>{"name": "get_time", "arguments": {}}</call>""";
        foreach (bool isWhole in new[] { true, false })
        {
            var reader = new ToolCallReader();
            Assert.Equal("", string.Concat(Text.Chunk(3).Select(part => reader.Append(new string(part)))));
            Assert.Equal("", reader.Complete(isWhole, out List<FunctionCallContent> calls));
            Assert.Equal(isWhole ? 1 : 0, calls.Count);
        }
    }

    private static JsonElement Json(string json) => JsonSerializer.Deserialize<JsonElement>(json);
}
