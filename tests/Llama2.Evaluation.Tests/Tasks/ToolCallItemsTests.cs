using System.Text.Json;
using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Evaluation.Tests;

public sealed class ToolCallItemsTests : IDisposable
{
    private const string Tools = """[{"name": "add", "description": "Adds.", "parameters": {"type": "object"}}]""";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ReadJsonLines_Cases_HaveToolsAndTheExpectedCall()
    {
        EvaluationItem[] items = await ReadAsync($$$"""
            {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "1+2"}], "tools": {{{Tools}}}, "expected": {"name": "add", "arguments": {"a": 1} } }

            {"messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function", "function": {"name": "now", "parameters": {} } }], "expected": null}
            """);

        Assert.Equal(2, items.Length);
        Assert.Equal(("1+2", """add({"a": 1})"""), (items[0].Input, items[0].Reference));
        Assert.Equal([ChatRole.System, ChatRole.User], items[0].Conversation!.Select(message => message.Role));
        AIFunctionDeclaration add = Assert.Single(items[0].Tools!);
        Assert.Equal(("add", "Adds.", """{"type": "object"}"""), (add.Name, add.Description, add.JsonSchema.GetRawText()));
        Assert.Equal(new ToolCall("add", JsonElement.Parse("""{"a":1.0}""")), items[0].ExpectedCall);
        Assert.NotEqual(new ToolCall("add", JsonElement.Parse("""{"a":2}""")), items[0].ExpectedCall);
        Assert.Equal(("now", ""), (Assert.Single(items[1].Tools!).Name, items[1].Tools![0].Description));
        Assert.Null(items[1].ExpectedCall);
    }

    [Theory]
    [InlineData("expected an object", "[]")]
    [InlineData("line 1", "{")]
    [InlineData("'messages' is missing", "{}")]
    [InlineData("no message of the user", """{"messages": [{"role": "assistant", "content": "x"}], "tools": [], "expected": null}""")]
    [InlineData("'tools' is missing", """{"messages": [{"role": "user", "content": "x"}], "expected": null}""")]
    [InlineData("'tools' holds Number", """{"messages": [{"role": "user", "content": "x"}], "tools": [1], "expected": null}""")]
    [InlineData("'parameters' is missing", """{"messages": [{"role": "user", "content": "x"}], "tools": [{"name": "a"}], "expected": null}""")]
    [InlineData("'expected' is missing", """{"messages": [{"role": "user", "content": "x"}], "tools": []}""")]
    [InlineData("'expected' is String", """{"messages": [{"role": "user", "content": "x"}], "tools": [], "expected": "add"}""")]
    [InlineData("'arguments' is missing", """{"messages": [{"role": "user", "content": "x"}], "tools": [], "expected": {"name": "add"}}""")]
    [InlineData("none of the tools", """{"messages": [{"role": "user", "content": "x"}], "tools": [], "expected": {"name": "add", "arguments": {}}}""")]
    public async Task ReadJsonLines_NoCase_FailsAndNamesTheLine(string message, string line)
    {
        InvalidDataException exception = await Assert.ThrowsAsync<InvalidDataException>(() => ReadAsync(line));

        Assert.Contains(message, exception.Message, StringComparison.Ordinal);
        Assert.Contains("line 1", exception.Message, StringComparison.Ordinal);
    }

    private async Task<EvaluationItem[]> ReadAsync(string text)
    {
        await File.WriteAllTextAsync(_folder["cases.jsonl"], text);
        return await ToolCallItems.ReadJsonLinesAsync(_folder["cases.jsonl"]).ToArrayAsync();
    }
}
