using System.Text.Json;
using Llama2.Testing;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace Llama2.Tests;

public sealed class LlamaChatClientTests : IDisposable
{
    private static readonly ChatMessage[] _hello = [new(ChatRole.User, "hello")];
    private static readonly JsonSerializerOptions _withFields = new(AIJsonUtilities.DefaultOptions) { IncludeFields = true };
    private readonly LlamaModel _model = Load(new());
    private readonly IChatClient _client;

    public LlamaChatClientTests() => _client = _model.AsIChatClient(leaveOpen: true);

    public void Dispose()
    {
        _client.Dispose();
        _model.Dispose();
    }

    [Fact]
    public async Task GetResponse_SameSeed_EqualsTheStream()
    {
        ChatOptions options = Options(seed: 3, tokens: 24);
        List<ChatResponseUpdate> updates = await Collect(_client.GetStreamingResponseAsync(_hello, options));
        ChatResponse streamed = updates.ToChatResponse(), response = await _client.GetResponseAsync(_hello, options);

        Assert.NotEmpty(response.Text);
        Assert.Equal(string.Concat(updates.Select(update => update.Text)), response.Text);
        Assert.Equal(streamed.Text, response.Text);
        Assert.Equal(streamed.FinishReason, response.FinishReason);
        Assert.Equal(streamed.Usage!.OutputTokenCount, response.Usage!.OutputTokenCount);
        Assert.Equal(_model.ModelId, response.ModelId);
        Assert.NotEqual(streamed.ResponseId, response.ResponseId);
        Assert.Equal(ChatRole.Assistant, Assert.Single(response.Messages).Role);
        Assert.Single(response.Messages[0].Contents.OfType<TextContent>());
    }

    [Fact]
    public async Task GetResponse_MetadataAndUsage_StandWhereCallersLook()
    {
        ChatResponse response = await _client.GetResponseAsync(_hello, Options(seed: 3, tokens: 5));
        var result = Assert.IsType<GenerationResult>(response.RawRepresentation);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
        Assert.Equal((result.Usage.PromptTokens, 5), ((int)response.Usage!.InputTokenCount!, (int)response.Usage.OutputTokenCount!));
        Assert.Equal(_model.Explain(_hello).Prompt.TokenIds, result.PromptTokenIds);
        foreach (AdditionalPropertiesDictionary? properties in new[] { response.AdditionalProperties, response.Messages[^1].AdditionalProperties })
        {
            Assert.Equal("length", properties!["FinishReason"]);
            var settings = (AdditionalPropertiesDictionary)properties["effective_settings"]!;
            Assert.Equal((3L, 5, 0.9f), (settings["seed"], settings["max_new_tokens"], settings["top_p"]));
        }

        Assert.NotSame(response.AdditionalProperties, response.Messages[^1].AdditionalProperties);
    }

    [Fact]
    public async Task GetStreamingResponse_CreatedAt_ComesFromTheClock()
    {
        var clock = new StoppedClock(new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        using var client = new LlamaChatClient(_model, leaveOpen: true, clock);
        List<ChatResponseUpdate> updates = await Collect(client.GetStreamingResponseAsync(_hello, Options(seed: 1, tokens: 4)));
        Assert.All(updates, update => Assert.Equal(clock.GetUtcNow(), update.CreatedAt));
    }

    [Fact]
    public async Task GetResponse_NoSeed_ReportsOneThatGivesTheSameText()
    {
        ChatOptions options = Options(seed: 0, tokens: 16);
        options.Seed = null;
        ChatResponse first = await _client.GetResponseAsync(_hello, options);
        var settings = (AdditionalPropertiesDictionary)first.AdditionalProperties!["effective_settings"]!;
        ChatResponse second = await _client.GetResponseAsync(_hello, Options((long)settings["seed"]!, 16));
        Assert.Equal(first.Text, second.Text);
    }

    [Fact]
    public async Task GetResponse_StopSequence_EndsBeforeIt()
    {
        string whole = (await _client.GetResponseAsync(_hello, Options(seed: 3, tokens: 40))).Text;
        string stop = whole.Substring(whole.Length / 2, 2);
        ChatOptions options = Options(seed: 3, tokens: 40);
        options.StopSequences = [stop];
        ChatResponse response = await _client.GetResponseAsync(_hello, options);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], response.Text);
        Assert.Equal(("stop_sequence", stop), (response.AdditionalProperties!["finish_reason"], response.AdditionalProperties["stop_sequence"]));
        Assert.Equal([stop], options.StopSequences);
    }

    [Fact]
    public async Task GetResponse_StopTokenId_FinishesWithStop()
    {
        var result = (GenerationResult)(await _client.GetResponseAsync(_hello, Options(seed: 3, tokens: 8))).RawRepresentation!;
        ChatOptions options = Options(seed: 3, tokens: 8);
        options.AdditionalProperties = new() { ["stop_token_ids"] = new[] { result.TokenIds[4] } };
        ChatResponse response = await _client.GetResponseAsync(_hello, options);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Assert.InRange(response.Usage!.OutputTokenCount!.Value, 1, 5);
    }

    [Fact]
    public async Task GetResponse_SecondTurn_ReadsOnlyWhatIsNew()
    {
        List<ChatMessage> history = [new(ChatRole.System, "be brief"), .. _hello];
        ChatResponse first = await _client.GetResponseAsync(history, Options(seed: 3, tokens: 8));
        Assert.Equal(0, first.Usage!.CachedInputTokenCount);
        history.AddMessages(first);
        history.Add(new(ChatRole.User, "more"));
        int predicted = _model.Explain(history).CachedTokens;
        ChatResponse second = await _client.GetResponseAsync(history, Options(seed: 4, tokens: 8));
        Assert.InRange(second.Usage!.CachedInputTokenCount!.Value, first.Usage.InputTokenCount!.Value - 1, second.Usage.InputTokenCount!.Value - 1);
        Assert.Equal(predicted, second.Usage.CachedInputTokenCount);

        using LlamaModel fresh = Load(new() { PrefixCacheBytes = 0 });
        using IChatClient client = fresh.AsIChatClient(leaveOpen: true);
        Assert.Equal(second.Text, (await client.GetResponseAsync(history, Options(seed: 4, tokens: 8))).Text);
    }

    [Fact]
    public async Task GetResponse_FullText_BeginsWithThePrompt()
    {
        ChatOptions options = Options(seed: 3, tokens: 6);
        string answer = (await _client.GetResponseAsync(_hello, options)).Text;
        options.AdditionalProperties = new() { ["return_full_text"] = true };
        string full = (await _client.GetResponseAsync(_hello, options)).Text;
        Assert.StartsWith("<s>[INST] hello [/INST]", full, StringComparison.Ordinal);
        Assert.EndsWith(answer, full, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GetResponse_LogProbabilities_OneForEachToken()
    {
        ChatOptions options = Options(seed: 3, tokens: 6);
        options.AdditionalProperties = new() { ["logprobs"] = true, ["top_logprobs"] = 2, ["prompt_logprobs"] = true };
        ChatResponse response = await _client.GetResponseAsync(_hello, options);
        var scores = (IReadOnlyList<ScoredToken>)response.AdditionalProperties!["logprobs"]!;
        Assert.Equal(6, scores.Count);
        Assert.All(scores, score => Assert.Equal(2, score.Top.Count));
        Assert.Equal(response.Usage!.InputTokenCount - 1, ((IReadOnlyList<ScoredToken>)response.AdditionalProperties["prompt_logprobs"]!).Count);
    }

    [Fact]
    public async Task GetResponse_ContextOverflow_FollowsThePolicy()
    {
        var logger = new FakeLogger();
        using LlamaModel model = Load(new() { ContextLength = 64, ModelId = "small" }, logger);
        using IChatClient client = model.AsIChatClient(leaveOpen: true);
        ChatMessage[] history = Llama2ChatTemplateTests.Messages("u:abcdefghij abcdefghij", "a:abcdefghij abcdefghij", "u:hi");

        ContextOverflowException error = await Assert.ThrowsAsync<ContextOverflowException>(() => client.GetResponseAsync(history));
        Assert.Equal(64, error.ContextLength);
        Assert.Equal(0, model.Explain(history).AnswerTokens);

        ChatOptions options = Policy("drop_oldest_turns");
        ChatExplanation explanation = model.Explain(history, options);
        ChatResponse dropped = await client.GetResponseAsync(history, options);
        Assert.Equal([0, 1], explanation.DroppedMessages);
        Assert.Equal(2, dropped.AdditionalProperties!["dropped_messages"]);
        Assert.Equal(explanation.DroppedTokens, dropped.AdditionalProperties["dropped_prompt_tokens"]);
        Assert.Equal(error.PromptTokens - explanation.DroppedTokens, dropped.Usage!.InputTokenCount);
        Assert.Equal(explanation.Prompt.TokenIds, ((GenerationResult)dropped.RawRepresentation!).PromptTokenIds);
        Assert.Contains(logger.Collector.GetSnapshot(), record => record.Message.Contains("oldest 2 messages", StringComparison.Ordinal));

        options = Policy("truncate_left");
        explanation = model.Explain(history, options);
        ChatResponse truncated = await client.GetResponseAsync(history, options);
        Assert.Equal(explanation.Prompt.TokenIds, ((GenerationResult)truncated.RawRepresentation!).PromptTokenIds);
        Assert.Equal(explanation.DroppedTokens, truncated.AdditionalProperties!["dropped_prompt_tokens"]);
        Assert.False(truncated.AdditionalProperties.ContainsKey("dropped_messages"));

        static ChatOptions Policy(string name) => new() { MaxOutputTokens = 4, AdditionalProperties = new() { ["context_overflow"] = name } };
    }

    [Fact]
    public void Explain_Options_TellsWhatIsInForce()
    {
        var options = new ChatOptions { Instructions = "be kind", Temperature = 0, MaxOutputTokens = 7 };
        ChatExplanation explanation = _model.Explain(_hello, options);
        Assert.StartsWith("<s>[INST] <<SYS>>\nbe kind\n", explanation.Prompt.Text, StringComparison.Ordinal);
        Assert.Equal((7, 0, 256), (explanation.AnswerTokens, explanation.CachedTokens, explanation.ContextLength));
        Assert.Equal((false, 0.9f), (explanation.EffectiveOptions.DoSample, explanation.EffectiveOptions.TopP));
        Assert.Throws<ArgumentNullException>(() => _model.Explain(null!));
        Assert.Throws<ArgumentException>(() => _model.Explain([]));
    }

    [Fact]
    public async Task GetResponse_BadArguments_Throw()
    {
        await Assert.ThrowsAsync<ArgumentNullException>(() => _client.GetResponseAsync((IEnumerable<ChatMessage>)null!));
        Assert.Throws<ArgumentNullException>(() => _client.GetStreamingResponseAsync((IEnumerable<ChatMessage>)null!));
        await Assert.ThrowsAsync<ArgumentException>(() => _client.GetResponseAsync([]));
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync(_hello, new() { ConversationId = "1" }));
        await Assert.ThrowsAsync<ArgumentException>(() => _client.GetResponseAsync(_hello, new() { AdditionalProperties = new() { ["colour"] = 1 } }));
    }

    [Fact]
    public async Task GetStreamingResponse_Cancelled_ThrowsAndLeavesTheModelUsable()
    {
        using var source = new CancellationTokenSource();
        int seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            ChatOptions options = Options(seed: 3, tokens: 200);
            options.AdditionalProperties = new() { ["ignore_eos"] = true, ["logprobs"] = true };
            await foreach (ChatResponseUpdate update in _client.GetStreamingResponseAsync(_hello, options, source.Token))
            {
                seen++;
                await source.CancelAsync();
            }
        });
        Assert.True(seen > 0);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _client.GetResponseAsync(_hello, cancellationToken: source.Token));
        Assert.NotEmpty((await _client.GetResponseAsync(_hello, Options(seed: 3, tokens: 8))).Text);
    }

    [Fact]
    public async Task GetResponse_CallersObjects_StayAsTheyWere()
    {
        var options = new ChatOptions
        {
            Instructions = "be kind",
            Seed = 3,
            MaxOutputTokens = 4,
            StopSequences = new[] { "x" }.AsReadOnly(),
            AdditionalProperties = new() { ["top_k"] = JsonSerializer.SerializeToElement(5) },
        };
        List<ChatMessage> messages = [new(ChatRole.System, " s "), new(ChatRole.User, " u ") { AuthorName = "me" }];
        string before = JsonSerializer.Serialize((options, messages), _withFields);
        await _client.GetResponseAsync(messages, options);
        await Collect(_client.GetStreamingResponseAsync(messages, options));
        _model.Explain(messages, options);
        Assert.Equal(before, JsonSerializer.Serialize((options, messages), _withFields));
    }

    [Fact]
    public async Task GetResponse_ManyAtOnce_EachEqualsTheOneAlone()
    {
        string[] alone = new string[8];
        for (int i = 0; i < alone.Length; i++)
        {
            alone[i] = (await _client.GetResponseAsync(Llama2ChatTemplateTests.Messages($"u:question {i}"), Options(i, 12))).Text;
        }

        ChatResponse[] together = await Task.WhenAll(Enumerable.Range(0, alone.Length).Select(i =>
            Task.Run(() => _client.GetResponseAsync(Llama2ChatTemplateTests.Messages($"u:question {i}"), Options(i, 12)))));
        Assert.Equal(alone, together.Select(response => response.Text));
    }

    [Fact]
    public async Task GetResponse_LazyMessages_AreReadOnce()
    {
        int reads = 0;
        await _client.GetResponseAsync(Lazy(), Options(seed: 1, tokens: 2));
        Assert.Equal(1, reads);

        IEnumerable<ChatMessage> Lazy()
        {
            reads++;
            yield return _hello[0];
        }
    }

    [Fact]
    public async Task AsBuilder_FunctionInvocationAndLogging_Compose()
    {
        var logger = new FakeLogger();
        using var factory = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Trace).AddProvider(new Provider(logger)));
        using IChatClient pipeline = _model.AsIChatClient(leaveOpen: true).AsBuilder().UseFunctionInvocation(factory).UseLogging(factory).Build();
        ChatOptions options = Options(seed: 3, tokens: 8);
        string direct = (await _client.GetResponseAsync(_hello, options)).Text;
        options.Tools = [AIFunctionFactory.Create(() => 1, "one")];
        options.ToolMode = ChatToolMode.None;
        Assert.Equal(direct, (await pipeline.GetResponseAsync(_hello, options)).Text);
        Assert.Equal(direct, (await Collect(pipeline.GetStreamingResponseAsync(_hello, options))).ToChatResponse().Text);
        Assert.Equal("llama2", pipeline.GetService<ChatClientMetadata>()!.ProviderName);
        Assert.Contains(logger.Collector.GetSnapshot(), record => record.Message.Contains("effective_settings", StringComparison.Ordinal));
        options.ToolMode = null;
        Assert.Contains("ignore_eos", (await Assert.ThrowsAsync<ArgumentException>(() => pipeline.GetResponseAsync(_hello, options))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GetService_Types_GiveWhatIsBehind()
    {
        Assert.Equal(_model.ModelId, _client.GetService<ChatClientMetadata>()!.DefaultModelId);
        Assert.Null(_client.GetService<ChatClientMetadata>()!.ProviderUri);
        Assert.Same(_model, _client.GetService<LlamaModel>());
        Assert.Same(_model.Tokenizer, _client.GetService<LlamaTokenizer>());
        Assert.Same(_model.Engine, _client.GetService<LlamaEngine>());
        Assert.Same(_client, _client.GetService<IChatClient>());
        Assert.Null(_client.GetService<string>());
        Assert.Null(_client.GetService(typeof(LlamaModel), "key"));
        Assert.Throws<ArgumentNullException>(() => _client.GetService(null!));
    }

    [Fact]
    public async Task Dispose_LeaveOpen_DecidesAboutTheModel()
    {
        _model.AsIChatClient(leaveOpen: true).Dispose();
        await _client.GetResponseAsync(_hello, Options(seed: 1, tokens: 2));
        LlamaModel owned = Load(new());
        IChatClient owner = owned.AsIChatClient();
        owner.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => owner.GetResponseAsync(_hello));
    }

    [Fact]
    public async Task GetResponse_ModelsOwnSettings_AreTheDefaults()
    {
        var own = new GenerationOptions { MaxNewTokens = 3, ReturnFullText = true, Seed = 9 };
        using LlamaModel model = Load(new() { ModelId = "m", Generation = own, SettingsValidation = SettingsValidation.Ignore });
        using IChatClient client = model.AsIChatClient(leaveOpen: true);
        ChatResponse response = await client.GetResponseAsync(_hello, new() { AdditionalProperties = new() { ["colour"] = 1 } });
        Assert.Equal(("m", 3L), (response.ModelId, response.Usage!.OutputTokenCount));
        Assert.StartsWith("<s>[INST]", response.Text, StringComparison.Ordinal);
        response = await client.GetResponseAsync(_hello, new() { MaxOutputTokens = 2, AdditionalProperties = new() { ["return_full_text"] = false } });
        Assert.Equal(2, response.Usage!.OutputTokenCount);
        Assert.DoesNotContain("[INST]", response.Text, StringComparison.Ordinal);
    }

    private static LlamaModel Load(LlamaModelOptions options, FakeLogger? logger = null) =>
        LlamaModel.Load(
            TinyModels.Create(), options, loggerFactory: logger is null ? null : LoggerFactory.Create(builder => builder.AddProvider(new Provider(logger))));

    private static ChatOptions Options(long seed, int tokens) =>
        new() { Seed = seed, MaxOutputTokens = tokens, AdditionalProperties = new() { ["ignore_eos"] = true } };

    private static async Task<List<ChatResponseUpdate>> Collect(IAsyncEnumerable<ChatResponseUpdate> updates)
    {
        var list = new List<ChatResponseUpdate>();
        await foreach (ChatResponseUpdate update in updates)
        {
            list.Add(update);
        }

        return list;
    }

    private sealed class StoppedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }

    private sealed class Provider(ILogger logger) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => logger;

        public void Dispose()
        {
        }
    }
}
