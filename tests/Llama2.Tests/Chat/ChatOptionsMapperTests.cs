using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace Llama2.Tests;

public class ChatOptionsMapperTests
{
    private readonly FakeLogger _logger = new();

    [Fact]
    public void Map_NoOptions_SetsNothing()
    {
        Assert.Equal(new GenerationOptions(), Map(null));
        Assert.Equal(new GenerationOptions(), Map(new()));
    }

    [Fact]
    public void Map_TypedOptions_AllArrive()
    {
        var options = new ChatOptions
        {
            Temperature = 0.3f,
            TopP = 0.4f,
            TopK = 5,
            Seed = 6,
            MaxOutputTokens = 7,
            StopSequences = ["x", "y"],
            FrequencyPenalty = 0.8f,
            PresencePenalty = 0.9f,
        };
        GenerationOptions mapped = Map(options);
        Assert.Equal(["x", "y"], mapped.StopSequences);
        Assert.Equal(
            new() { Temperature = 0.3f, TopP = 0.4f, TopK = 5, Seed = 6, MaxNewTokens = 7, FrequencyPenalty = 0.8f, PresencePenalty = 0.9f },
            mapped with { StopSequences = null });
    }

    [Theory]
    [MemberData(nameof(GenerationSettingTests.Values), MemberType = typeof(GenerationSettingTests))]
    public void Map_AdditionalProperty_ReachesItsProperty(string name, string property, object given, object expected)
    {
        GenerationOptions mapped = Map(With((name.ToUpperInvariant(), JsonSerializer.SerializeToElement(given))));
        Assert.Equal(expected, typeof(GenerationOptions).GetProperty(property)!.GetValue(mapped));
        Assert.Single(typeof(GenerationOptions).GetProperties(), set => set.GetValue(mapped) is not null);
    }

    [Fact]
    public void Map_NullValue_IsNotSet() =>
        Assert.Equal(new GenerationOptions(), Map(With(("top_k", null), ("top_p", JsonSerializer.SerializeToElement<object?>(null)))));

    [Fact]
    public void Map_WrongForm_ThrowsWithNameValueAndForm()
    {
        foreach (SettingsValidation validation in Enum.GetValues<SettingsValidation>())
        {
            string message = Assert.Throws<ArgumentException>(() => Map(With(("top_k", 3.5)), validation)).Message;
            Assert.Contains("'top_k' is 3.5", message, StringComparison.Ordinal);
            Assert.Contains("a 32-bit integer", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("top_p", 0.0)]
    [InlineData("max_new_tokens", 0)]
    [InlineData("temperature", -1)]
    public void Map_OutOfRange_Throws(string name, object value) => Assert.ThrowsAny<ArgumentException>(() => Map(With((name, value))));

    [Theory]
    [InlineData("stop", "\"\\ud800\"")]
    [InlineData("stop", "[\"a\", \"\\udc00\"]")]
    [InlineData("logit_bias", "{\"\\ud800\": 1}")]
    public void Map_JsonThatIsNoText_ThrowsWithTheName(string name, string json)
    {
        using var document = JsonDocument.Parse(json);
        var error = Assert.Throws<ArgumentException>(() => Map(With((name, document.RootElement))));
        Assert.Contains($"'{name}'", error.Message);
    }

    [Fact]
    public void Map_TwoNamesSameValue_IsFine()
    {
        ChatOptions options = With(("max_tokens", 7.0), ("max_new_tokens", "7"), ("stop", "x"), ("stop_sequences", new[] { "x" }), ("temperature", 0.7));
        options.MaxOutputTokens = 7;
        options.Temperature = 0.7f;
        GenerationOptions mapped = Map(options);
        Assert.Equal((7, 0.7f), (mapped.MaxNewTokens, mapped.Temperature));
        Assert.Equal(["x"], mapped.StopSequences);
    }

    [Fact]
    public void Map_TwoNamesOtherValue_ThrowsWithBothNames()
    {
        ChatOptions options = With(("max_tokens", 8));
        options.MaxOutputTokens = 7;
        string message = Assert.Throws<ArgumentException>(() => Map(options)).Message;
        Assert.Contains("'MaxOutputTokens' and 'max_tokens'", message, StringComparison.Ordinal);
        Assert.Contains("7 and 8", message, StringComparison.Ordinal);
        Assert.Contains("['x'] and ['y']",
            Assert.Throws<ArgumentException>(() => Map(With(("stop", "x"), ("stop_sequences", "y")))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Map_UnknownName_FollowsTheValidation()
    {
        ChatOptions options = With(("max_new_token", 5));
        string message = Assert.Throws<ArgumentException>(() => Map(options)).Message;
        Assert.Contains("'max_new_token'", message, StringComparison.Ordinal);
        Assert.Contains("'max_new_tokens' was probably meant", message, StringComparison.Ordinal);

        Assert.Equal(new GenerationOptions(), Map(options, SettingsValidation.Ignore));
        Assert.Equal(0, _logger.Collector.Count);

        Assert.Equal(new GenerationOptions(), Map(options, SettingsValidation.Warn));
        Assert.Equal(LogLevel.Warning, _logger.LatestRecord.Level);
        Assert.Contains("'max_new_token'", _logger.LatestRecord.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Map_ModelId_MustBeTheModels()
    {
        Assert.Equal(new GenerationOptions(), Map(new() { ModelId = "TINY" }));
        Assert.Equal(new GenerationOptions(), Map(new() { ModelId = "" }));
        Assert.Contains("'other'", Assert.Throws<ArgumentException>(() => Map(new() { ModelId = "other" })).Message, StringComparison.Ordinal);
        Assert.Equal(new GenerationOptions(), Map(new() { ModelId = "other" }, SettingsValidation.Warn));
        Assert.Contains("'other'", _logger.LatestRecord.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null, null)]
    [InlineData(true, null, 0)]
    [InlineData("true", null, 0)]
    [InlineData(true, 3, 3)]
    [InlineData(2, null, 2)]
    [InlineData(2, 2, 2)]
    [InlineData(false, null, null)]
    public void Map_LogProbabilities_FlagOrNumber(object? flag, object? top, int? expected)
    {
        Assert.Equal(expected, Map(With(("logprobs", flag), ("top_logprobs", top))).LogProbabilities);
        Assert.Equal(expected, Map(With(("top_logprobs", top), ("logprobs", flag))).LogProbabilities);
    }

    [Fact]
    public void Map_LogProbabilitiesContradict_Throws()
    {
        Assert.Throws<ArgumentException>(() => Map(With(("logprobs", false), ("top_logprobs", 3))));
        Assert.Throws<ArgumentException>(() => Map(With(("logprobs", 2), ("top_logprobs", 3))));
    }

    [Fact]
    public void Map_RawRepresentation_IsOverridden()
    {
        var raw = new GenerationOptions { TopK = 3, TopP = 0.5f };
        IChatClient? asked = null;
        var options = new ChatOptions
        {
            TopK = 4,
            RawRepresentationFactory = client =>
            {
                asked = client;
                return raw;
            },
        };
        using var caller = new NoClient();
        GenerationOptions mapped = new ChatOptionsMapper("tiny", SettingsValidation.Strict, _logger).Map(options, caller);
        Assert.Equal(new GenerationOptions { TopK = 4, TopP = 0.5f }, mapped);
        Assert.Equal(new GenerationOptions { TopK = 3, TopP = 0.5f }, raw);
        Assert.Same(caller, asked);
        Assert.Equal(new GenerationOptions(), Map(new() { RawRepresentationFactory = _ => null }));
        var foreign = new ChatOptions { RawRepresentationFactory = _ => new Uri("http://localhost") };
        Assert.Contains("System.Uri", Assert.Throws<ArgumentException>(() => Map(foreign)).Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, ChatOptions> Unsupported => new()
    {
        { "ConversationId", new() { ConversationId = "1" } },
        { "ContinuationToken", new() { ContinuationToken = ResponseContinuationToken.FromBytes(new byte[] { 1 }) } },
        { "Tools", new() { Tools = [new HostedWebSearchTool()] } },
        { "Reasoning", new() { Reasoning = new() { Effort = ReasoningEffort.High } } },
        { "Reasoning", new() { Reasoning = new() { Output = ReasoningOutput.Full } } },
    };

    [Theory]
    [MemberData(nameof(Unsupported))]
    public void Map_Unsupported_ThrowsAndNamesIt(string name, ChatOptions options)
    {
        foreach (SettingsValidation validation in Enum.GetValues<SettingsValidation>())
        {
            Assert.Contains("ChatOptions." + name, Assert.Throws<NotSupportedException>(() => Map(options, validation)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Map_ResponseFormat_IsTheConstraint()
    {
        Assert.Equal(GenerationConstraint.Json, Map(new() { ResponseFormat = ChatResponseFormat.Json }).Constraint);
        var format = (ChatResponseFormatJson)ChatResponseFormat.ForJsonSchema<int[]>();
        Assert.Equal(GenerationConstraint.JsonSchema(format.Schema!.Value), Map(new() { ResponseFormat = format }).Constraint);
        Assert.Null(Map(new() { ResponseFormat = ChatResponseFormat.Text }).Constraint);
        Assert.Equal(GenerationConstraint.Choice(["a", "b"]), Map(With(("choice", new[] { "a", "b" }))).Constraint);
        Assert.Equal(GenerationConstraint.Regex("a"), Map(With(("regex", "a"))).Constraint);

        ChatOptions two = With(("choice", "a"));
        two.ResponseFormat = ChatResponseFormat.Json;
        Assert.Contains("'ResponseFormat' and 'choice'", Assert.Throws<ArgumentException>(() => Map(two)).Message, StringComparison.Ordinal);
        var unsupported = ChatResponseFormat.ForJsonSchema(System.Text.Json.JsonDocument.Parse("""{"not":{}}""").RootElement);
        Assert.Equal("#/not", Assert.Throws<GenerationConstraintException>(() => Map(new() { ResponseFormat = unsupported })).Location);
    }

    [Fact]
    public void Map_NothingAskedFor_IsFine()
    {
        var options = new ChatOptions
        {
            ResponseFormat = ChatResponseFormat.Text,
            Tools = [AIFunctionFactory.Create(() => 1, "one")],
            ToolMode = ChatToolMode.None,
            AllowMultipleToolCalls = true,
            AllowBackgroundResponses = true,
            Reasoning = new() { Effort = ReasoningEffort.None, Output = ReasoningOutput.None },
        };
        Assert.Equal(new GenerationOptions(), Map(options));
        Assert.Equal(new GenerationOptions(), Map(new() { Tools = [], Reasoning = new() }));
    }

    private static ChatOptions With(params (string Name, object? Value)[] properties)
    {
        var options = new ChatOptions { AdditionalProperties = [] };
        foreach ((string name, object? value) in properties)
        {
            options.AdditionalProperties[name] = value;
        }

        return options;
    }

    private GenerationOptions Map(ChatOptions? options, SettingsValidation validation = SettingsValidation.Strict)
    {
        using var client = new NoClient();
        return new ChatOptionsMapper("tiny", validation, _logger).Map(options, client);
    }

    private sealed class NoClient : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options, CancellationToken cancellationToken) =>
            throw new InvalidOperationException();

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options, CancellationToken cancellationToken) => throw new InvalidOperationException();

        public object? GetService(Type serviceType, object? serviceKey) => null;

        public void Dispose()
        {
        }
    }
}
