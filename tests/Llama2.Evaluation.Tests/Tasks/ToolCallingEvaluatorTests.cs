using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Llama2.Evaluation.Tests;

public sealed class ToolCallingEvaluatorTests
{
    private static readonly BootstrapOptions _few = new() { Resamples = 50 };
    private static readonly AIFunctionDeclaration[] _tools =
    [
        AIFunctionFactory.CreateDeclaration("add", "Adds.", JsonElement.Parse("""{"type": "object"}""")),
        AIFunctionFactory.CreateDeclaration("now", "Tells the time.", JsonElement.Parse("""{"type": "object"}""")),
    ];

    [Fact]
    public async Task Evaluate_EveryKindOfAnswer_IsCounted()
    {
        var answers = new Dictionary<string, AIContent>
        {
            ["right"] = Call("add", """{"b": 2.0, "a": [1, "x"]}"""),
            ["wrong arguments"] = Call("add", """{"a": [1, "y"], "b": 2}"""),
            ["wrong function"] = Call("now", "{}"),
            ["no call"] = new TextContent("Three."),
            ["not offered"] = Call("subtract", "{}"),
            ["words"] = new TextContent("Hello."),
            ["needless"] = Call("now", "{}"),
        };
        var asked = new List<ChatOptions?>();
        using var client = new StubToolClient((text, options) =>
        {
            asked.Add(options);
            return new(new ChatMessage(ChatRole.Assistant, [answers[text]]));
        });
        var evaluator = new ToolCallingEvaluator(client, new() { ChatOptions = new() { Temperature = 0 } });
        EvaluationItem[] items = [.. answers.Keys.Select(text => Item(text, isDue: text is not ("words" or "needless")))];

        ToolCallingEvaluation result = await evaluator.EvaluateAsync("Calls", items.ToAsyncEnumerable(), _few);

        Dictionary<string, double?> figures = result.Report.Metrics.ToDictionary(metric => metric.Name, metric => metric.Value);
        Assert.Equal(ToolCallingEvaluator.Metrics, result.Report.Metrics.Select(metric => metric.Name));
        Assert.Equal(2.0 / 7, figures["right_decision"]!.Value, 12);
        Assert.Equal(2.0 / 5, figures["right_function"]!.Value, 12);
        Assert.Equal(1.0 / 5, figures["right_arguments"]!.Value, 12);
        Assert.Equal(6.0 / 7, figures["well_formed"]!.Value, 12);
        Assert.Equal(1.0 / 2, figures["needless_calls"]!.Value, 12);
        Assert.All(result.Report.Metrics, metric => Assert.True(metric.Interval is { } interval && interval.Lower <= metric.Value && interval.Upper >= metric.Value && metric.Description is not null));
        Assert.Equal(
            ["right", "wrong arguments", "wrong function", "no call", "malformed", "right", "needless call"], result.Report.Examples.Select(example => example.Verdict));
        Assert.Equal(("tool-calling", "stub-model", 7L), (result.Report.Task, result.Report.Model, result.Report.Items!.Value));
        Assert.All(asked, options => Assert.Equal((0f, 2, false), (options!.Temperature, options.Tools!.Count, options.AllowMultipleToolCalls)));
    }

    [Fact]
    public async Task Evaluate_CutOffAndFailures_AreMalformed()
    {
        using var client = new StubToolClient((text, _) => text switch
        {
            "cut" => new(new ChatMessage(ChatRole.Assistant, "")) { FinishReason = ChatFinishReason.Length },
            "fail" => throw new InvalidOperationException("too long"),
            _ => new(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("1", "now") { Exception = new JsonException("no JSON") }])),
        });
        var evaluator = new ToolCallingEvaluator(client, new() { CountFailures = true });

        ToolCallingEvaluation result = await evaluator.EvaluateAsync(
            "Calls", new[] { Item("cut", true), Item("fail", true), Item("bad", false) }.ToAsyncEnumerable(), _few);

        Assert.Equal([0, 0, 0, 0, 0.0], result.Report.Metrics.Select(metric => metric.Value!.Value));
        Assert.Equal(["The call was cut off.", "too long", "no JSON"], result.Items.Select(item => item.Error));
        Assert.Contains("3 of 3 items failed", Assert.Single(result.Report.Notes), StringComparison.Ordinal);
        Assert.All(result.Report.Examples, example => Assert.Equal("malformed", example.Verdict));
    }

    [Fact]
    public async Task Evaluate_NothingToMeasure_IsUndefinedOrRefused()
    {
        using var client = new StubToolClient((_, _) => new(new ChatMessage(ChatRole.Assistant, "Hi.")));
        var evaluator = new ToolCallingEvaluator(client, new() { Intervals = [] });

        ToolCallingEvaluation result = await evaluator.EvaluateAsync("Calls", new[] { Item("a", false) }.ToAsyncEnumerable());

        Assert.Null(result.Report.Metrics.Single(metric => metric.Name == "right_function").Value);
        Assert.All(result.Report.Metrics, metric => Assert.Null(metric.Interval));
        await Assert.ThrowsAsync<InvalidOperationException>(() => evaluator.EvaluateAsync("Calls", AsyncEnumerable.Empty<EvaluationItem>()));
        Assert.Throws<ArgumentException>(() => new ToolCallingEvaluator(client, new() { Intervals = ["rouge1"] }));
        Assert.Throws<ArgumentException>(() => new ToolCallingEvaluator(client, new() { ChatOptions = new() { Tools = [.. _tools] } }));
    }

    private static EvaluationItem Item(string text, bool isDue) => new(text, "")
    {
        Tools = _tools,
        ExpectedCall = isDue ? new("add", JsonElement.Parse("""{"a": [1, "x"], "b": 2}""")) : null,
    };

    private static FunctionCallContent Call(string name, string json) => new("1", name, JsonSerializer.Deserialize<Dictionary<string, object?>>(json));

    private sealed class StubToolClient(Func<string, ChatOptions?, ChatResponse> answer) : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            Task.FromResult(answer(messages.Last().Text, options));

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) =>
            serviceType == typeof(ChatClientMetadata) ? new ChatClientMetadata("stub", null, "stub-model") : null;

        public void Dispose()
        {
        }
    }
}
