using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace Samples.Tests;

/// <summary>A random model chooses at random, but what it is held to holds, and what it says is what it says to the conversation that it should have read.</summary>
public sealed partial class AgentWithoutSemanticKernelTests(RandomModelFixture model) : IClassFixture<RandomModelFixture>
{
    [Fact]
    public async Task Run_Script_CallsUsesTheResultAndReturnsAnObject()
    {
        SampleResult result = await SampleRunner.RunAsync("AgentWithoutSemanticKernel", "", "--model", model.Path);

        Assert.Equal((0, ""), (result.Code, result.Error));
        Match script = Script().Match(result.Output);
        Assert.True(script.Success, result.Output);
        string from = script.Groups["from"].Value, message = script.Groups["message"].Value;
        Assert.Equal(from == "Anna" ? "I passed the exam and I am so happy!" : "I am furious that they lied to me again.", message);
        using IChatClient client = model.Model.AsIChatClient(leaveOpen: true);
        List<ChatMessage> conversation =
        [
            new(ChatRole.User, "What did Tom write?"),
            new(ChatRole.Assistant, [new FunctionCallContent("1", "read_message", new Dictionary<string, object?> { ["from"] = from })]),
            new(ChatRole.Tool, [new FunctionResultContent("1", message)]),
        ];
        Assert.Equal((await client.GetResponseAsync(conversation, new() { Temperature = 0, MaxOutputTokens = 100 })).Text.ReplaceLineEndings("\n"), script.Groups["answer"].Value);
        using JsonDocument note = JsonDocument.Parse(script.Groups["note"].Value);
        Assert.Equal(script.Groups["emotion"].Value, note.RootElement.GetProperty("emotion").GetString());
        Assert.Equal(script.Groups["urgency"].Value, note.RootElement.GetProperty("urgency").GetRawText());
    }

    [Fact]
    public async Task Run_Question_IsAskedInPlaceOfTheSample()
    {
        SampleResult result = await SampleRunner.RunAsync("AgentWithoutSemanticKernel", "", "--model", model.Path, "And", "Anna?");

        Assert.Equal((0, ""), (result.Code, result.Error));
        Assert.StartsWith("You       And Anna?\nModel     read_message({\"from\":", result.Output, StringComparison.Ordinal);
    }

    [GeneratedRegex("""
        ^You       What did Tom write\?
        Model     read_message\(\{"from":"(?<from>Anna|Tom)"\}\)
        Function  (?<message>[^\n]+)
        Model     (?<answer>.*)
        You       Classify [^\n]+
        Model     (?<note>\{.*\})

        Emotion (?<emotion>sadness|joy|love|anger|fear|surprise), urgency (?<urgency>[1-5]) of 5\.
        The form is certain[^\n]*
        $
        """, RegexOptions.Singleline)]
    private static partial Regex Script();
}
