using System.ComponentModel;
using System.Text.Json.Serialization;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace Llama2.SemanticKernel.Tests;

/// <summary>
/// Checks 18 and 54 to 66 with the engine itself. Random weights are the hardest case: the model would rather say anything else, and the form holds all the same.
/// </summary>
public sealed class ModelFunctionTests(TinyModelFixture tiny) : IClassFixture<TinyModelFixture>
{
    private const string Offer = "You can call functions.";

    [JsonConverter(typeof(JsonStringEnumConverter<City>))]                // Semantic Kernel reads an enum inside an object as the object's own serializer does
    public enum City
    {
        Oslo,
        Rome,
    }

    private static ChatHistory Question => new("How warm is it?", AuthorRole.User);

    [Fact]
    public async Task Check18And65_CallsAndResults_ReachTheModelInTheirTurns()
    {
        ChatHistory history = Question;
        history.Add(new(AuthorRole.Assistant, [new FunctionCallContent("Weather_temperature", id: "c1", arguments: new() { ["city"] = "Oslo" }), new FunctionCallContent("Weather_clock", id: "c2")]));
        history.Add(new(AuthorRole.Tool, [new FunctionResultContent("temperature", "Weather", "c1", new { Degrees = 7 })]));
        history.Add(new(AuthorRole.Tool, [new FunctionResultContent("clock", "Weather", "c2", "noon")]));

        string prompt = tiny.PromptOf(await tiny.Chat.GetChatMessageContentAsync(history, TinyModelFixture.Greedy(1)));

        const string Calls = """<call>{"name": "Weather_temperature", "arguments": {"city":"Oslo"}}</call><call>{"name": "Weather_clock", "arguments": {}}</call>""";
        const string Results = "<result>{\"degrees\":7}</result>\n<result>noon</result>";
        Assert.Equal($"[INST] How warm is it? [/INST] {Calls} [INST] {Results} [/INST]", prompt.Replace("  ", " ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Check54And61_NoBehaviorAndNone_ShowNoFunctions()
    {
        foreach (FunctionChoiceBehavior? behavior in new[] { null, FunctionChoiceBehavior.None() })
        {
            Llama2PromptExecutionSettings settings = TinyModelFixture.Greedy();
            settings.FunctionChoiceBehavior = behavior;
            Kernel kernel = With(new Weather());

            ChatMessageContent answer = await tiny.Chat.GetChatMessageContentAsync(Question, settings, kernel);

            Assert.DoesNotContain(Offer, tiny.PromptOf(answer), StringComparison.Ordinal);
            Assert.NotEmpty(answer.Content!);
            Assert.Empty(FunctionCallContent.GetFunctionCalls(answer));
        }
    }

    [Fact]
    public async Task Check55_Auto_ShowsNamesDescriptionsAndSchemas()
    {
        var settings = new Llama2PromptExecutionSettings { FunctionChoiceBehavior = FunctionChoiceBehavior.Auto(autoInvoke: false), MaxNewTokens = 1 };

        string prompt = tiny.PromptOf(await tiny.Chat.GetChatMessageContentAsync(Question, settings, With(new Weather())));

        Assert.Contains(Offer, prompt, StringComparison.Ordinal);
        Assert.Contains("""{"name": "Weather_temperature", "description": "Tells the temperature.", "parameters": {""", prompt, StringComparison.Ordinal);
        Assert.Contains("The city's name.", prompt, StringComparison.Ordinal);
        Assert.Contains("\"Oslo\"", prompt, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    public async Task Check56And57And61_RequiredCall_RunsAndItsResultGoesBack(int seed, bool isStreaming)
    {
        var weather = new Weather();
        Kernel kernel = With(weather);
        Llama2PromptExecutionSettings settings = Required(seed, new() { AllowParallelCalls = false });
        ChatHistory history = Question;

        string prompt = await AskAsync(kernel, settings, history, isStreaming);

        Assert.NotEmpty(weather.Asked);
        Assert.Equal([AuthorRole.User, AuthorRole.Assistant, AuthorRole.Tool], history.Take(3).Select(message => message.Role));
        FunctionCallContent call = Assert.Single(history[1].Items.OfType<FunctionCallContent>());
        FunctionResultContent result = Assert.Single(history[2].Items.OfType<FunctionResultContent>());
        Assert.NotEmpty(call.Id!);
        Assert.Equal(call.Id, result.CallId);
        Assert.Contains($"{{\"city\":\"{weather.Asked[0]}\"", prompt, StringComparison.Ordinal);
        Assert.Contains("<result>7 degrees</result>", prompt, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Check58_WithoutAutoInvocation_TheCallerRunsTheCalls(bool isStreaming)
    {
        var weather = new Weather();
        Kernel kernel = With(weather);
        Llama2PromptExecutionSettings settings = Required(seed: 3, new() { AllowParallelCalls = false }, autoInvoke: false);
        ChatHistory history = Question;
        ChatMessageContent message;
        if (isStreaming)
        {
            var builder = new FunctionCallContentBuilder();
            StreamingChatMessageContent? last = null;
            await foreach (StreamingChatMessageContent chunk in tiny.Chat.GetStreamingChatMessageContentsAsync(Question, settings, kernel))
            {
                builder.Append(last = chunk);
            }

            Assert.Equal("tool_calls", last!.Metadata!["FinishReason"]);
            message = new(AuthorRole.Assistant, [.. builder.Build()]);
        }
        else
        {
            message = await tiny.Chat.GetChatMessageContentAsync(history, settings, kernel);
            Assert.Equal("tool_calls", message.Metadata!["FinishReason"]);
        }

        FunctionCallContent call = Assert.Single(FunctionCallContent.GetFunctionCalls(message));
        Assert.Empty(weather.Asked);
        history.Add(message);
        history.Add((await call.InvokeAsync(kernel)).ToChatMessage());
        ChatMessageContent answer = await tiny.Chat.GetChatMessageContentAsync(history, TinyModelFixture.Greedy(), kernel);

        Assert.Equal(call.Arguments!["city"]?.ToString(), Assert.Single(weather.Asked).ToString());
        Assert.Contains("<result>7 degrees</result>", tiny.PromptOf(answer), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check59_SeveralCalls_ComeWhereTheyAreAllowed()
    {
        int most = 0;
        for (int seed = 1; seed <= 12; seed++)
        {
            Llama2PromptExecutionSettings free = Required(seed, options: null, autoInvoke: false);
            (free.Temperature, free.TopP) = (3, 1);                 // after a call, the end of the text and a further call are about as likely
            ChatMessageContent several = await tiny.Chat.GetChatMessageContentAsync(Question, free, With(new Weather()));
            ChatMessageContent single = await tiny.Chat.GetChatMessageContentAsync(
                Question, Required(seed, new() { AllowParallelCalls = false }, autoInvoke: false), With(new Weather()));

            FunctionCallContent[] calls = [.. FunctionCallContent.GetFunctionCalls(several)];
            Assert.Equal(calls.Length, calls.Select(call => call.Id).Distinct().Count());
            most = Math.Max(most, calls.Length);
            Assert.Single(FunctionCallContent.GetFunctionCalls(single));
        }

        Assert.True(most > 1, "No reply had several calls.");
    }

    [Fact]
    public async Task Check60_FunctionThatThrows_GoesBackAsAnError()
    {
        string prompt = await AskAsync(With(new Broken()), Required(seed: 1, new() { AllowParallelCalls = false }), Question, isStreaming: false);

        Assert.Contains("<result>Error: Function failed.</result>", prompt, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", prompt, StringComparison.Ordinal);
    }

    /// <summary>Beside functions a constraint is on the answer in words, so that there are two beginnings to choose from.</summary>
    [Fact]
    public async Task Check61_Auto_AnswersInWordsOrCalls()
    {
        int words = 0, calls = 0;
        for (int seed = 1; seed <= 16; seed++)
        {
            var settings = new Llama2PromptExecutionSettings { FunctionChoiceBehavior = FunctionChoiceBehavior.Auto(autoInvoke: false), Choice = ["warm", "cold"], Temperature = 1, TopP = 1, Seed = seed };
            ChatMessageContent answer = await tiny.Chat.GetChatMessageContentAsync(Question, settings, With(new Weather()));
            bool isCall = FunctionCallContent.GetFunctionCalls(answer).Any();
            Assert.True(isCall || answer.Content is "warm" or "cold", answer.Content);
            (words, calls) = isCall ? (words, calls + 1) : (words + 1, calls);
        }

        Assert.True(words > 0 && calls > 0, $"{words} answers in words, {calls} calls.");
    }

    [Fact]
    public async Task Check61_RequiredFunction_IsTheOneThatIsCalled()
    {
        Kernel kernel = With(new Weather());
        KernelFunction clock = KernelFunctionFactory.CreateFromMethod(() => "noon", "clock");
        kernel.Plugins.AddFromFunctions("Clock", [clock]);
        clock = kernel.Plugins["Clock"]["clock"];
        for (int seed = 1; seed <= 4; seed++)
        {
            var settings = new Llama2PromptExecutionSettings { FunctionChoiceBehavior = FunctionChoiceBehavior.Required([clock], autoInvoke: false), Seed = seed };

            ChatMessageContent answer = await tiny.Chat.GetChatMessageContentAsync(Question, settings, kernel);

            Assert.All(FunctionCallContent.GetFunctionCalls(answer), call => Assert.EndsWith("clock", call.FunctionName, StringComparison.Ordinal));
            Assert.NotEmpty(FunctionCallContent.GetFunctionCalls(answer));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Check62_Filters_SeeAndChangeCalls(bool isStreaming)
    {
        var weather = new Weather();
        Kernel kernel = With(weather);
        kernel.AutoFunctionInvocationFilters.Add(new ChangingFilter(isStreaming));

        string prompt = await AskAsync(kernel, Required(seed: 1, new() { AllowParallelCalls = false }), Question, isStreaming);

        Assert.NotEmpty(weather.Asked);
        Assert.All(weather.Asked, city => Assert.Equal(City.Rome, city));
        Assert.Contains("<result>changed</result>", prompt, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check66_Arguments_BindToTheirTypes()
    {
        for (int seed = 1; seed <= 3; seed++)
        {
            var typed = new Typed();
            string prompt = await AskAsync(With(typed), Required(seed, new() { AllowParallelCalls = false }), Question, isStreaming: false);

            Assert.True(typed.Taken is not null, prompt);
            (long number, double ratio, bool _, City city, DateTime date, Place place) = typed.Taken.Value;
            Assert.InRange(number, -999_999_999_999_999, 999_999_999_999_999);
            Assert.True(double.IsFinite(ratio));
            Assert.True(Enum.IsDefined(city) && Enum.IsDefined(place.City));
            Assert.InRange(date.Year, 1, 9999);
        }
    }

    private static Llama2PromptExecutionSettings Required(int seed, FunctionChoiceBehaviorOptions? options, bool autoInvoke = true) =>
        new() { FunctionChoiceBehavior = FunctionChoiceBehavior.Required(autoInvoke: autoInvoke, options: options), Seed = seed, MaxNewTokens = 500 };

    /// <summary>Asks, and gives the last prompt that the model read.</summary>
    private async Task<string> AskAsync(Kernel kernel, PromptExecutionSettings settings, ChatHistory history, bool isStreaming)
    {
        if (!isStreaming)
        {
            return tiny.PromptOf(await tiny.Chat.GetChatMessageContentAsync(history, settings, kernel));
        }

        List<StreamingChatMessageContent> chunks = await tiny.Chat.GetStreamingChatMessageContentsAsync(history, settings, kernel).ToListAsync();
        return tiny.Model.Tokenizer.Decode([.. ((GenerationUpdate)chunks[^1].InnerContent!).Result!.PromptTokenIds]);
    }

    private Kernel With(object plugin)
    {
        Kernel kernel = tiny.Kernel.Clone();
        kernel.Plugins.AddFromObject(plugin, plugin.GetType().Name);
        return kernel;
    }

    public sealed record Place(City City, bool IsCoast);

    private sealed class Weather
    {
        public List<City> Asked { get; } = [];

        [KernelFunction("temperature"), Description("Tells the temperature.")]
        public string Temperature([Description("The city's name.")] City city, bool isForecast = false)
        {
            Asked.Add(city);
            return isForecast || Asked.Count > 0 ? "7 degrees" : "";
        }

    }

    private sealed class Broken
    {
        private readonly string _reason = "a secret";

        [KernelFunction("fail")]
        public string Fail() => throw new InvalidOperationException(_reason);
    }

    private sealed class Typed
    {
        public (long, double, bool, City, DateTime, Place)? Taken { get; private set; }

        [KernelFunction("take")]
        public void Take(long number, double ratio, bool flag, City city, DateTime date, Place place) => Taken = (number, ratio, flag, city, date, place);
    }

    private sealed class ChangingFilter(bool isStreaming) : IAutoFunctionInvocationFilter
    {
        public async Task OnAutoFunctionInvocationAsync(AutoFunctionInvocationContext context, Func<AutoFunctionInvocationContext, Task> next)
        {
            Assert.Equal((0, 0, isStreaming), (context.RequestSequenceIndex, context.FunctionSequenceIndex, context.IsStreaming));
            context.Arguments!["city"] = nameof(City.Rome);
            await next(context);
            context.Result = new FunctionResult(context.Result, "changed");
        }
    }
}
