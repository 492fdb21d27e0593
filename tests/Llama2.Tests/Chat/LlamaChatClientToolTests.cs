using System.Text.Json;
using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Tests;

/// <summary>Calling functions, with random weights: the form holds whatever the model would rather say.</summary>
public sealed class LlamaChatClientToolTests : IDisposable
{
    private static readonly ChatMessage[] _hello = [new(ChatRole.User, "hi")];
    private static readonly AIFunction _add = AIFunctionFactory.Create(
        (long a, Sign sign) => sign == Sign.Minus ? -a : a, "signed", "Gives a number a sign.");

    private static readonly AIFunction _ping = AIFunctionFactory.Create(() => "pong", "ping");

    private readonly LlamaModel _model = LlamaModel.Load(TinyModels.Create(config: TinyModels.Config with { ContextLength = 4096 }));
    private readonly IChatClient _client;

    public LlamaChatClientToolTests() => _client = _model.AsIChatClient(leaveOpen: true);

    private enum Sign
    {
        Plus,
        Minus,
    }

    public void Dispose()
    {
        _client.Dispose();
        _model.Dispose();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task GetResponse_RequiredCall_IsACall(int seed)
    {
        var options = new ChatOptions { Tools = [_add, _ping], ToolMode = ChatToolMode.RequireAny, AllowMultipleToolCalls = false, Seed = seed };
        ChatResponse response = await _client.GetResponseAsync(_hello, options);
        FunctionCallContent call = Assert.Single(response.Messages[^1].Contents.OfType<FunctionCallContent>());
        Assert.Equal(("", ChatFinishReason.ToolCalls), (response.Text, response.FinishReason));
        Assert.Equal("tool_calls", response.AdditionalProperties!["FinishReason"]);
        Assert.Contains(call.Name, new[] { "signed", "ping" });
        Assert.NotEmpty(call.CallId);
        Assert.True(response.Usage!.OutputTokenCount > 0);

        options.ToolMode = ChatToolMode.RequireSpecific("signed");
        call = Assert.Single((await _client.GetResponseAsync(_hello, options)).Messages[^1].Contents.OfType<FunctionCallContent>());
        Assert.Equal("signed", call.Name);
        Assert.NotNull(await _add.InvokeAsync(new(call.Arguments)));

        var updates = new List<ChatResponseUpdate>();
        await foreach (ChatResponseUpdate update in _client.GetStreamingResponseAsync(_hello, options))
        {
            updates.Add(update);
        }

        FunctionCallContent streamed = Assert.Single(updates.SelectMany(update => update.Contents).OfType<FunctionCallContent>());
        Assert.Equal(JsonSerializer.Serialize(call.Arguments), JsonSerializer.Serialize(streamed.Arguments));
        Assert.Equal(ChatFinishReason.ToolCalls, updates[^1].FinishReason);
    }

    [Fact]
    public async Task GetResponse_AutoAndNone_AnswerInWords()
    {
        var options = new ChatOptions { Tools = [_ping], MaxOutputTokens = 20, Seed = 1, AdditionalProperties = new() { ["logit_bias"] = new Dictionary<int, float> { [2] = -100 } } };
        ChatResponse response = await _client.GetResponseAsync(_hello, options);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
        Assert.NotEmpty(response.Text);
        options.ToolMode = ChatToolMode.None;
        Assert.Equal(_model.Explain(_hello).Prompt.TokenIds, _model.Explain(_hello, options).Prompt.TokenIds);
        Assert.NotEmpty((await _client.GetResponseAsync(_hello, options)).Text);
    }

    [Fact]
    public async Task GetResponse_CallIsCutOff_CallsNothing()
    {
        ChatResponse response = await _client.GetResponseAsync(
            _hello, new() { Tools = [_ping], ToolMode = ChatToolMode.RequireAny, MaxOutputTokens = 12, Seed = 1 });
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
        Assert.Empty(response.Messages[^1].Contents.OfType<FunctionCallContent>());
    }

    [Fact]
    public async Task FunctionInvocation_OverTheClient_RunsTheFunctionAndGoesOn()
    {
        int asked = 0;
        AIFunction count = AIFunctionFactory.Create(() => ++asked, "count");
        using IChatClient client = new ChatClientBuilder(_model.AsIChatClient(leaveOpen: true)).UseFunctionInvocation().Build();
        ChatResponse response = await client.GetResponseAsync(
            _hello, new() { Tools = [count], ToolMode = ChatToolMode.RequireAny, AllowMultipleToolCalls = false, Seed = 5, MaxOutputTokens = 120 });
        Assert.True(asked >= 1);
        Assert.Equal([ChatRole.Assistant, ChatRole.Tool, ChatRole.Assistant], response.Messages.Take(3).Select(message => message.Role));
    }

    [Fact]
    public void Explain_CallsAndResults_AreWrittenInTurn()
    {
        ChatMessage[] conversation =
        [
            new(ChatRole.System, "Be brief."),
            new(ChatRole.User, "ping twice"),
            new(ChatRole.Assistant, [new FunctionCallContent("1", "ping"), new FunctionCallContent("2", "ping", new Dictionary<string, object?>())]),
            new(ChatRole.Tool, [new FunctionResultContent("1", "pong")]),
            new(ChatRole.Tool, [new FunctionResultContent("2", new { Said = "pong" })]),
        ];
        ChatExplanation explanation = _model.Explain(conversation, new() { Tools = [_ping], Instructions = "Help." });
        const string Call = """<call>{"name": "ping", "arguments": {}}</call>""";
        Assert.EndsWith(
            $$"""ping twice [/INST] {{Call}}{{Call}} </s><s>[INST] <result>pong</result>{{"\n"}}<result>{"said":"pong"}</result> [/INST]""",
            explanation.Prompt.Text, StringComparison.Ordinal);
        Assert.StartsWith("<s>[INST] <<SYS>>\nHelp.\n\nYou can call functions.", explanation.Prompt.Text, StringComparison.Ordinal);
        Assert.Contains("\n\nBe brief.\n<</SYS>>", explanation.Prompt.Text, StringComparison.Ordinal);
        Assert.Contains(2, explanation.Prompt.Spans.Select(span => span.MessageIndex));
        Assert.Contains(3, explanation.Prompt.Spans.Select(span => span.MessageIndex));
    }

    [Fact]
    public async Task GetResponse_ToolsThatCannotBe_AreRefused()
    {
        await Refused<ArgumentException>("'ping'", new() { Tools = [_ping, _ping] });
        await Refused<ArgumentException>("'pong'", new() { Tools = [_ping], ToolMode = ChatToolMode.RequireSpecific("pong") });
        await Refused<ArgumentException>("ToolMode", new() { ToolMode = ChatToolMode.RequireAny });
        await Refused<NotSupportedException>("HostedWebSearchTool", new() { Tools = [new HostedWebSearchTool()] });
        await Refused<ArgumentException>("beside tools", new() { Tools = [_ping], StopSequences = ["x"] });

        async Task Refused<T>(string message, ChatOptions options)
            where T : Exception =>
            Assert.Contains(message, (await Assert.ThrowsAnyAsync<T>(() => _client.GetResponseAsync(_hello, options))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void UseToolPrompt_ReplacesTheText()
    {
        using LlamaModel model = LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions().UseToolPrompt(functions => $"Tools: {functions[0].Name}"));
        Assert.Contains("<<SYS>>\nTools: ping\n<</SYS>>", model.Explain(_hello, new() { Tools = [_ping] }).Prompt.Text, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => new LlamaModelOptions().UseToolPrompt(null!));
    }
}
