using System.ComponentModel;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;
using FunctionCallContent = Microsoft.SemanticKernel.FunctionCallContent;
using FunctionResultContent = Microsoft.SemanticKernel.FunctionResultContent;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Checks 54 to 66: functions, with a script in the place of the model.</summary>
public sealed class FunctionCallingTests
{
    private static readonly string _call = "Weather_temperature";

    private static ChatHistory Question => new("How warm is it in Oslo?", AuthorRole.User);

    [Fact]
    public async Task Check54_NoBehavior_ShowsNoFunctions()
    {
        var client = new ScriptedChatClient([ScriptedChatClient.Text("I cannot know.")]);

        await Ask(client, new Llama2PromptExecutionSettings(), Question, new Weather());

        Assert.Null(client.Requests[0].Options!.Tools);
    }

    [Fact]
    public async Task Check55_Auto_ShowsNamesDescriptionsAndSchemas()
    {
        var client = new ScriptedChatClient([ScriptedChatClient.Text("Cold.")]);

        await Ask(client, Auto(), Question, new Weather());

        ChatOptions options = client.Requests[0].Options!;
        Assert.IsType<AutoChatToolMode>(options.ToolMode);
        AIFunctionDeclaration tool = Assert.IsAssignableFrom<AIFunctionDeclaration>(options.Tools!.Single(tool => tool.Name == _call));
        Assert.Equal("Tells the temperature.", tool.Description);
        Assert.Equal(["type", "properties", "required"], tool.JsonSchema.EnumerateObject().Select(keyword => keyword.Name));
        JsonElement properties = tool.JsonSchema.GetProperty("properties");
        Assert.Equal("The city's name.", properties.GetProperty("city").GetProperty("description").GetString());
        Assert.Equal("string", properties.GetProperty("city").GetProperty("type").GetString());
        Assert.Equal(["city"], tool.JsonSchema.GetProperty("required").EnumerateArray().Select(name => name.GetString()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Check56And57_Call_RunsTheFunctionOnceAndItsResultGoesBack(bool isStreaming)
    {
        var client = new ScriptedChatClient([ScriptedChatClient.Call("c1", _call, """{"city": "Oslo"}""")], [ScriptedChatClient.Text("It is 7 degrees.")]);
        var weather = new Weather();
        ChatHistory history = Question;

        string answer = await Ask(client, Auto(), history, isStreaming, weather);

        Assert.Equal("It is 7 degrees.", answer);
        Assert.Equal(["Oslo"], weather.Asked);
        ChatMessage[] second = client.Requests[1].Messages;
        Assert.Equal("c1", Assert.Single(second[1].Contents.OfType<Microsoft.Extensions.AI.FunctionCallContent>()).CallId);
        Assert.Equal(("c1", "7"), (Result(second[2]).CallId, Result(second[2]).Result?.ToString()));
        Assert.Equal([AuthorRole.User, AuthorRole.Assistant, AuthorRole.Tool], history.Select(message => message.Role));
        Assert.Equal("c1", Assert.Single(history[1].Items.OfType<FunctionCallContent>()).Id);
        Assert.Equal("c1", Assert.Single(history[2].Items.OfType<FunctionResultContent>()).CallId);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Check58_WithoutAutoInvocation_TheCallerRunsTheCalls(bool isStreaming)
    {
        var client = new ScriptedChatClient([ScriptedChatClient.Call("c1", _call, """{"city": "Oslo"}""")], [ScriptedChatClient.Text("It is 7 degrees.")]);
        var weather = new Weather();
        Kernel kernel = client.CreateKernel(weather);
        IChatCompletionService chat = kernel.GetRequiredService<IChatCompletionService>();
        var settings = new Llama2PromptExecutionSettings { FunctionChoiceBehavior = FunctionChoiceBehavior.Auto(autoInvoke: false) };
        ChatHistory history = Question;
        ChatMessageContent message;
        if (isStreaming)
        {
            var builder = new FunctionCallContentBuilder();
            await foreach (StreamingChatMessageContent chunk in chat.GetStreamingChatMessageContentsAsync(Question, settings, kernel))
            {
                builder.Append(chunk);
            }

            message = new(AuthorRole.Assistant, [.. builder.Build()]);
        }
        else
        {
            message = await chat.GetChatMessageContentAsync(history, settings, kernel);
        }

        FunctionCallContent call = Assert.Single(FunctionCallContent.GetFunctionCalls(message));
        Assert.Equal(("c1", "Oslo"), (call.Id, call.Arguments!["city"]?.ToString()));
        Assert.Empty(weather.Asked);
        history.Add(message);
        history.Add((await call.InvokeAsync(kernel)).ToChatMessage());
        Assert.Equal("It is 7 degrees.", (await chat.GetChatMessageContentAsync(history, settings, kernel)).Content);
        Assert.Equal(["Oslo"], weather.Asked);
        Assert.Equal(("c1", "7"), (Result(client.Requests[1].Messages[2]).CallId, Result(client.Requests[1].Messages[2]).Result?.ToString()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Check59_SeveralCalls_RunInOrderWithAResultEach(bool isStreaming)
    {
        var client = new ScriptedChatClient(
            [ScriptedChatClient.Call("c1", _call, """{"city": "Oslo"}"""), ScriptedChatClient.Call("c2", _call, """{"city": "Rome"}""")],
            [ScriptedChatClient.Text("Both are fine.")]);
        var weather = new Weather();

        Assert.Equal("Both are fine.", await Ask(client, Auto(), Question, isStreaming, weather));

        Assert.Equal(["Oslo", "Rome"], weather.Asked);
        Assert.Equal(["c1", "c2"], Results(client.Requests[1]).Select(result => result.CallId));
    }

    [Fact]
    public async Task Check59_ResultsInOneMessageOrInMany_ReachTheModel()
    {
        foreach (bool inOne in new[] { true, false })
        {
            var client = new ScriptedChatClient([ScriptedChatClient.Text("Fine.")]);
            ChatHistory history = Question;
            history.Add(new(AuthorRole.Assistant, [new FunctionCallContent("temperature", "Weather", "c1"), new FunctionCallContent("temperature", "Weather", "c2")]));
            KernelContent[] results = [new FunctionResultContent("temperature", "Weather", "c1", "1"), new FunctionResultContent("temperature", "Weather", "c2", "2")];
            if (inOne)
            {
                history.Add(new(AuthorRole.Tool, [.. results]));
            }
            else
            {
                history.AddRange(results.Select(result => new ChatMessageContent(AuthorRole.Tool, [result])));
            }

            await Ask(client, Auto(), history, new Weather());

            Assert.Equal(["c1", "c2"], Results(client.Requests[0]).Select(result => result.CallId));
        }
    }

    [Theory]
    [InlineData("Weather_fail", "{}", "Function failed")]
    [InlineData("Weather_unknown", "{}", "not found")]
    [InlineData("Weather_temperature", "{}", "failed")]
    public async Task Check60_CallThatCannotRun_GoesBackAsAnError(string name, string arguments, string error)
    {
        var client = new ScriptedChatClient([ScriptedChatClient.Call("c1", name, arguments)], [ScriptedChatClient.Text("Sorry.")]);

        Assert.Equal("Sorry.", await Ask(client, Auto(), Question, new Weather()));

        Assert.Contains(error, Assert.Single(Results(client.Requests[1])).Result!.ToString()!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check61_Required_IsAskedForOnceAndNoneNever()
    {
        var required = new ScriptedChatClient([ScriptedChatClient.Call("c1", _call, """{"city": "Oslo"}""")], [ScriptedChatClient.Text("7.")]);
        await Ask(required, new Llama2PromptExecutionSettings { FunctionChoiceBehavior = FunctionChoiceBehavior.Required() }, Question, new Weather());
        Assert.IsType<RequiredChatToolMode>(required.Requests[0].Options!.ToolMode);
        Assert.IsNotType<RequiredChatToolMode>(required.Requests[1].Options!.ToolMode);

        var none = new ScriptedChatClient([ScriptedChatClient.Text("I cannot call.")]);
        await Ask(none, new Llama2PromptExecutionSettings { FunctionChoiceBehavior = FunctionChoiceBehavior.None() }, Question, new Weather());
        Assert.IsType<NoneChatToolMode>(none.Requests[0].Options!.ToolMode);
        Assert.NotEmpty(none.Requests[0].Options!.Tools!);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Check62_Filters_SeeAndChangeCalls(bool isStreaming)
    {
        var client = new ScriptedChatClient(
            [ScriptedChatClient.Call("c1", _call, """{"city": "Oslo"}"""), ScriptedChatClient.Call("c2", _call, """{"city": "Rome"}""")],
            [ScriptedChatClient.Text("Done.")]);
        var weather = new Weather();
        var seen = new List<string>();
        Kernel kernel = client.CreateKernel(weather);
        kernel.AutoFunctionInvocationFilters.Add(new Filter(async (context, next) =>
        {
            seen.Add($"outer {context.RequestSequenceIndex} {context.FunctionSequenceIndex} of {context.FunctionCount} {context.ToolCallId} {context.IsStreaming}");
            await next(context);
            seen.Add("outer ends");
        }));
        kernel.AutoFunctionInvocationFilters.Add(new Filter(async (context, next) =>
        {
            seen.Add("inner");
            if (context.FunctionSequenceIndex == 0)
            {
                context.Arguments!["city"] = "Bergen";
                await next(context);
                context.Result = new FunctionResult(context.Result, "changed");
            }
            else
            {
                context.Result = new FunctionResult(context.Result, "skipped");
            }
        }));

        Assert.Equal("Done.", await Ask(kernel, Auto(), Question, isStreaming));

        Assert.Equal(
            [$"outer 0 0 of 2 c1 {isStreaming}", "inner", "outer ends", $"outer 0 1 of 2 c2 {isStreaming}", "inner", "outer ends"],
            seen);
        Assert.Equal(["Bergen"], weather.Asked);
        Assert.Equal(["changed", "skipped"], Results(client.Requests[1]).Select(result => result.Result?.ToString()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Check62_FilterThatTerminates_EndsTheRequests(bool before)
    {
        var client = new ScriptedChatClient([ScriptedChatClient.Call("c1", _call, """{"city": "Oslo"}""")]);
        var weather = new Weather();
        Kernel kernel = client.CreateKernel(weather);
        kernel.AutoFunctionInvocationFilters.Add(new Filter(async (context, next) =>
        {
            context.Terminate = before;
            await next(context);
            context.Terminate = true;
        }));
        ChatHistory history = Question;

        await kernel.GetRequiredService<IChatCompletionService>().GetChatMessageContentsAsync(history, Auto(), kernel);

        Assert.Single(client.Requests);
        Assert.Equal(before ? 0 : 1, weather.Asked.Count);
    }

    [Fact]
    public async Task Check63_EndlessCalls_AreStopped()
    {
        var client = new ScriptedChatClient([ScriptedChatClient.Call("c", _call, """{"city": "Oslo"}""")]);
        var weather = new Weather();

        await Ask(client, Auto(), Question, weather);

        Assert.Equal(128, weather.Asked.Count);
        Assert.Equal(129, client.Requests.Count);
        Assert.True(client.Requests[^1].Options!.Tools is null or { Count: 0 });
    }

    [Fact]
    public async Task Check64_AutoInvocationWithoutKernel_IsRefused()
    {
        var client = new ScriptedChatClient([ScriptedChatClient.Text("never")]);
        IChatCompletionService chat = client.CreateKernel().GetRequiredService<IChatCompletionService>();

        await Assert.ThrowsAsync<KernelException>(() => chat.GetChatMessageContentsAsync(Question, Auto()));
        Assert.Empty(client.Requests);
    }

    [Fact]
    public async Task Check65_CallsThatTheCallerMadeUp_ReachTheModel()
    {
        var client = new ScriptedChatClient([ScriptedChatClient.Text("As you know, 7.")]);
        ChatHistory history = Question;
        history.Add(new(AuthorRole.Assistant, [new FunctionCallContent("user", "Context", "0001", new() { ["name"] = "Ann" })]));
        history.Add(new(AuthorRole.Tool, [new FunctionResultContent("user", "Context", "0001", "{ \"age\": 30 }")]));

        Assert.Equal("As you know, 7.", await Ask(client, Auto(), history, new Weather()));

        ChatMessage[] messages = client.Requests[0].Messages;
        Assert.Equal("Ann", Assert.Single(messages[1].Contents.OfType<Microsoft.Extensions.AI.FunctionCallContent>()).Arguments!["name"]);
        Assert.Equal("{ \"age\": 30 }", Result(messages[2]).Result);
    }

    [Fact]
    public async Task Check66_Arguments_BindToTheirTypes()
    {
        var client = new ScriptedChatClient(
            [ScriptedChatClient.Call("c1", "Typed_take", """{"number": 3, "ratio": 0.5, "flag": true, "unit": "Fahrenheit", "place": {"City": "Oslo", "Code": 47}}""")],
            [ScriptedChatClient.Text("Done.")]);
        var typed = new Typed();

        await Ask(client, Auto(), Question, typed);

        Assert.Equal((3, 0.5, true, Unit.Fahrenheit, new Place("Oslo", 47)), typed.Taken);
    }

    private static Llama2PromptExecutionSettings Auto() => new() { FunctionChoiceBehavior = FunctionChoiceBehavior.Auto() };

    private static Task<string> Ask(ScriptedChatClient client, PromptExecutionSettings settings, ChatHistory history, object plugin) =>
        Ask(client, settings, history, isStreaming: false, plugin);

    private static Task<string> Ask(ScriptedChatClient client, PromptExecutionSettings settings, ChatHistory history, bool isStreaming, object plugin) =>
        Ask(client.CreateKernel(plugin), settings, history, isStreaming);

    private static async Task<string> Ask(Kernel kernel, PromptExecutionSettings settings, ChatHistory history, bool isStreaming)
    {
        IChatCompletionService chat = kernel.GetRequiredService<IChatCompletionService>();
        return isStreaming
            ? string.Concat(await chat.GetStreamingChatMessageContentsAsync(history, settings, kernel).Select(chunk => chunk.Content).ToListAsync())
            : (await chat.GetChatMessageContentAsync(history, settings, kernel)).Content ?? "";
    }

    private static Microsoft.Extensions.AI.FunctionResultContent Result(ChatMessage message) =>
        Assert.Single(message.Contents.OfType<Microsoft.Extensions.AI.FunctionResultContent>());

    private static List<Microsoft.Extensions.AI.FunctionResultContent> Results((ChatMessage[] Messages, ChatOptions? Options) request) =>
        [.. request.Messages.SelectMany(message => message.Contents).OfType<Microsoft.Extensions.AI.FunctionResultContent>()];

    public enum Unit
    {
        Celsius,
        Fahrenheit,
    }

    public sealed record Place(string City, int Code);

    private sealed class Weather
    {
        public List<string> Asked { get; } = [];

        [KernelFunction("temperature"), Description("Tells the temperature.")]
        public string Temperature([Description("The city's name.")] string city, Unit unit = Unit.Celsius)
        {
            Asked.Add(city);
            return unit == Unit.Celsius ? "7" : "45";
        }

        [KernelFunction("fail")]
        public string Fail() => throw new InvalidOperationException($"a secret of {Asked.Count}");
    }

    private sealed class Typed
    {
        public (int, double, bool, Unit, Place) Taken { get; private set; }

        [KernelFunction("take")]
        public void Take(int number, double ratio, bool flag, Unit unit, Place place) => Taken = (number, ratio, flag, unit, place);
    }

    private sealed class Filter(Func<AutoFunctionInvocationContext, Func<AutoFunctionInvocationContext, Task>, Task> act) : IAutoFunctionInvocationFilter
    {
        public Task OnAutoFunctionInvocationAsync(AutoFunctionInvocationContext context, Func<AutoFunctionInvocationContext, Task> next) => act(context, next);
    }
}
