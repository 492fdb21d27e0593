using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;
using Microsoft.SemanticKernel.TextGeneration;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Checks 41 to 46: what settings do to requests.</summary>
public sealed class RequestSettingsTests(TinyModelFixture tiny) : IClassFixture<TinyModelFixture>
{
    private static ChatHistory Hello => new("hello", AuthorRole.User);

    [Fact]
    public async Task Check41_SettingsOfAFunction_ActAsThoseOfTheArguments()
    {
        var settings = new Llama2PromptExecutionSettings { Temperature = 1.5f, TopK = 40, Seed = 11, MaxNewTokens = 20, IgnoreEos = true };
        KernelFunction with = tiny.Kernel.CreateFunctionFromPrompt("say {{$input}}", settings), without = tiny.Kernel.CreateFunctionFromPrompt("say {{$input}}");

        FunctionResult own = await with.InvokeAsync(tiny.Kernel, new() { ["input"] = "yes" });
        FunctionResult given = await without.InvokeAsync(tiny.Kernel, new(settings) { ["input"] = "yes" });

        Assert.Equal(own.ToString(), given.ToString());
        Assert.Equal(1.5f, ((GenerationResult)own.GetValue<ChatMessageContent>()!.InnerContent!).EffectiveOptions.Temperature);
        Assert.IsType<Llama2PromptExecutionSettings>(with.ExecutionSettings!["default"]);
        Assert.False(settings.IsFrozen);
    }

    [Fact]
    public async Task Check41_SettingsOfAJsonPrompt_Act()
    {
        PromptTemplateConfig config = PromptTemplateConfig.FromJson("""
            {"template": "say {{$input}}", "execution_settings": {"default": {"do_sample": false, "max_tokens": 3, "ignore_eos": true, "stop": ["qq"]}}}
            """);

        FunctionResult answer = await tiny.Kernel.InvokeAsync(tiny.Kernel.CreateFunctionFromPrompt(config), new() { ["input"] = "yes" });

        GenerationOptions effective = ((GenerationResult)answer.GetValue<ChatMessageContent>()!.InnerContent!).EffectiveOptions;
        Assert.Equal((false, 3, true), (effective.DoSample, effective.MaxNewTokens, effective.IgnoreEos));
        Assert.Equal(["qq"], effective.StopSequences!);
    }

    [Fact]
    public async Task Check42_EverySetting_IsInForceInEveryKindOfAnswer()
    {
        var settings = new Llama2PromptExecutionSettings
        {
            DoSample = true,
            Temperature = 0.5f,
            TopK = 50,
            TopP = 0.75f,
            MinP = 0.125f,
            TypicalP = 0.875f,
            RepetitionPenalty = 1.25f,
            RepetitionWindow = 16,
            PresencePenalty = 0.5f,
            FrequencyPenalty = -0.5f,
            NoRepeatNgramSize = 3,
            LogitBias = new Dictionary<int, float> { [70] = 1.5f, [71] = float.NegativeInfinity },
            BadWords = ["bad"],
            Seed = 7,
            Adapter = TinyModelFixture.Adapter,
            MaxNewTokens = 6,
            MinNewTokens = 2,
            MaxTime = TimeSpan.FromSeconds(90),
            StopSequences = ["stop here"],
            StopTokenIds = [9],
            IgnoreEos = true,
            ReturnFullText = true,
            LogProbabilities = 2,
            PromptLogProbabilities = true,
            ContextOverflow = ContextOverflow.TruncateLeft,
        };
        GenerationSetting[] all = [.. GenerationSetting.All.Where(setting => setting.Property != nameof(GenerationOptions.Constraint))];      // excludes others; below
        Assert.All(all, setting => Assert.NotNull(SettingProperty.Of(setting)!.GetValue(settings)));
        var expected = new GenerationOptions();
        foreach (GenerationSetting setting in all)
        {
            typeof(GenerationOptions).GetProperty(setting.Property)!.SetValue(expected, SettingProperty.Of(setting)!.GetValue(settings));
        }

        Assert.All(await EveryKindOfAnswer(settings), metadata => Assert.Equivalent(
            GenerationSetting.Describe(expected).ToDictionary(), ((AdditionalPropertiesDictionary)metadata["effective_settings"]!).ToDictionary(), strict: true));
    }

    [Theory]
    [InlineData("choice", """["to be", "not to be"]""", "to be|not to be")]
    [InlineData("regex", "\"[a-c]{3}-\\\\d\"", @"[a-c]{3}-\d")]
    [InlineData("response_format", """{"enum": ["joy", 7]}""", "\"joy\"|7")]
    public async Task Check42_FormOfTheAnswer_IsInForceInEveryKindOfAnswer(string name, string value, string pattern)
    {
        var typed = JsonSerializer.Deserialize<Llama2PromptExecutionSettings>($$"""{"{{name}}": {{value}}, "seed": 5}""")!;
        var generic = JsonSerializer.Deserialize<PromptExecutionSettings>($$"""{"{{name}}": {{value}}, "seed": 5}""")!;
        ITextGenerationService text = tiny.Kernel.GetRequiredService<ITextGenerationService>();
        foreach (PromptExecutionSettings settings in new[] { typed, typed.Clone(), generic })
        {
            Assert.All(await EveryKindOfAnswer(settings), metadata =>
            {
                Assert.Equal("stop", metadata["FinishReason"]);
                Assert.Contains(name, ((AdditionalPropertiesDictionary)metadata["effective_settings"]!).Keys);
            });
            Assert.Matches($"^(?:{pattern})$", (await tiny.Chat.GetChatMessageContentAsync(Hello, settings)).Content);
            Assert.Matches($"^(?:{pattern})$", string.Concat(await tiny.Chat.GetStreamingChatMessageContentsAsync(Hello, settings).Select(chunk => chunk.Content).ToListAsync()));
            Assert.Matches($"^(?:{pattern})$", (await text.GetTextContentAsync("hello", settings)).Text);
            Assert.Matches($"^(?:{pattern})$", string.Concat(await text.GetStreamingTextContentsAsync("hello", settings).Select(chunk => chunk.Text).ToListAsync()));
        }
    }

    [Fact]
    public async Task Check42_Adapter_Acts()
    {
        Llama2PromptExecutionSettings bare = TinyModelFixture.Greedy(), with = TinyModelFixture.Greedy();
        with.Adapter = TinyModelFixture.Adapter;

        Assert.NotEqual((await tiny.Chat.GetChatMessageContentAsync(Hello, bare)).Content, (await tiny.Chat.GetChatMessageContentAsync(Hello, with)).Content);
        with.Adapter = "unknown";
        Assert.Contains("unknown", (await Assert.ThrowsAsync<UnknownAdapterException>(() => tiny.Chat.GetChatMessageContentsAsync(Hello, with))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check42_UnsetSettings_AreTheModelsOwn()
    {
        Kernel kernel = Kernel.CreateBuilder().AddLlama2ChatCompletion(tiny.Path, options =>
        {
            options.Generation.MaxNewTokens = 3;
            options.Generation.TopK = 4;
        }).Build();
        using var _ = (IDisposable)kernel.Services;

        ChatMessageContent answer = await kernel.GetRequiredService<IChatCompletionService>().GetChatMessageContentAsync(Hello, new Llama2PromptExecutionSettings { TopK = 5 });

        Assert.Equal((3, 5), (((GenerationResult)answer.InnerContent!).EffectiveOptions.MaxNewTokens, ((GenerationResult)answer.InnerContent).EffectiveOptions.TopK));
    }

    [Theory]
    [InlineData("""{"max_tokens": 0}""", "max_new_tokens")]
    [InlineData("""{"temperature": -1}""", "temperature")]
    [InlineData("""{"top_p": 2}""", "top_p")]
    [InlineData("""{"temprature": 1}""", "temperature")]
    [InlineData("""{"stop": ["a"], "stop_sequences": ["b"]}""", "stop")]
    [InlineData("""{"choice": ["a"], "regex": "b"}""", "regex")]
    [InlineData("""{"choice": ["a"], "stop": "b"}""", "stop_sequences")]
    [InlineData("""{"choice": []}""", "choice")]
    [InlineData("""{"regex": "("}""", "expression")]
    [InlineData("""{"response_format": {"type": "object", "uniqueItems": true}}""", "uniqueItems")]
    public async Task Check44_ValueOutOfRangeOrUnknownName_IsRefusedBeforeAnyWork(string json, string named)
    {
        var settings = JsonSerializer.Deserialize<PromptExecutionSettings>(json)!;
        ITextGenerationService text = tiny.Kernel.GetRequiredService<ITextGenerationService>();

        foreach (Func<Task> request in new Func<Task>[]
        {
            () => tiny.Chat.GetChatMessageContentsAsync(Hello, settings),
            () => Last(tiny.Chat.GetStreamingChatMessageContentsAsync(Hello, settings)),
            () => text.GetTextContentsAsync("hello", settings),
            () => Last(text.GetStreamingTextContentsAsync("hello", settings)),
        })
        {
            Assert.Contains(named, (await Assert.ThrowsAnyAsync<ArgumentException>(request)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Check45_InstructionsAndPreparedHistory_ReachTheModel()
    {
        var instructed = new PromptExecutionSettings { ExtensionData = new Dictionary<string, object> { ["chat_system_prompt"] = "Be kind.", ["max_tokens"] = 1 } };

        string withInstructions = tiny.PromptOf(await tiny.Chat.GetChatMessageContentAsync(Hello, instructed));
        string prepared = tiny.PromptOf(await tiny.Chat.GetChatMessageContentAsync(Hello, new PreparingSettings { ExtensionData = new Dictionary<string, object> { ["max_tokens"] = 1 } }));

        Assert.Contains("<<SYS>>\nBe kind.\n<</SYS>>\n\nhello", withInstructions, StringComparison.Ordinal);
        Assert.Contains("<<SYS>>\nPrepared.\n<</SYS>>\n\nhello", prepared, StringComparison.Ordinal);
        ITextGenerationService text = tiny.Kernel.GetRequiredService<ITextGenerationService>();
        await Assert.ThrowsAsync<NotSupportedException>(() => text.GetTextContentsAsync("hello", instructed));
    }

    /// <summary>A flat schema, and a type: what a random model would rather say does not matter.</summary>
    [Fact]
    public async Task Check46_ResponseFormat_IsHonoured()
    {
        const string Schema = """{"type": "object", "properties": {"ok": {"type": "boolean"}, "unit": {"enum": ["C", "F"]}}, "required": ["ok", "unit"], "additionalProperties": false}""";
        ITextGenerationService text = tiny.Kernel.GetRequiredService<ITextGenerationService>();
        for (int seed = 1; seed <= 3; seed++)
        {
            PromptExecutionSettings fromJson = JsonSerializer.Deserialize<PromptExecutionSettings>($$"""{"response_format": {{Schema}}, "seed": {{seed}} }""")!;
            foreach (string? answer in new[] { (await tiny.Chat.GetChatMessageContentAsync(Hello, fromJson)).Content, (await text.GetTextContentAsync("hello", fromJson)).Text })
            {
                JsonElement json = JsonElement.Parse(answer!);
                Assert.Equal(["ok", "unit"], json.EnumerateObject().Select(member => member.Name));
                Assert.Contains(json.GetProperty("unit").GetString(), new[] { "C", "F" });
            }

            PromptExecutionSettings fromType = new() { ExtensionData = new Dictionary<string, object> { ["response_format"] = typeof(Forecast), ["seed"] = seed } };
            var typed = new Llama2PromptExecutionSettings { ResponseFormat = ChatResponseFormat.ForJsonSchema<Forecast>(), Seed = seed };
            Assert.IsType<Forecast>(Read(await tiny.Chat.GetChatMessageContentAsync(Hello, fromType)));
            Assert.Equal(Read(await tiny.Chat.GetChatMessageContentAsync(Hello, fromType)), Read(await tiny.Chat.GetChatMessageContentAsync(Hello, typed)));
            Assert.IsType<Forecast>(JsonSerializer.Deserialize<Forecast>((await tiny.Kernel.InvokePromptAsync("hello", new(typed))).ToString(), AIJsonUtilities.DefaultOptions));
        }

        static Forecast? Read(ChatMessageContent answer) => JsonSerializer.Deserialize<Forecast>(answer.Content!, AIJsonUtilities.DefaultOptions);
    }

    /// <summary>Any JSON object; a random model may not come to its end.</summary>
    [Fact]
    public async Task Check46_JsonMode_IsJsonOrSaysThatItIsCutOff()
    {
        for (int seed = 1; seed <= 8; seed++)
        {
            var settings = new Llama2PromptExecutionSettings { ResponseFormat = ChatResponseFormat.Json, MaxTokens = 120, Seed = seed };
            ChatMessageContent answer = await tiny.Chat.GetChatMessageContentAsync(Hello, settings);
            Assert.StartsWith("{", answer.Content, StringComparison.Ordinal);
            Assert.Contains(answer.Metadata!["FinishReason"], new[] { "stop", "length" });
            if ((string)answer.Metadata["FinishReason"]! == "stop")
            {
                Assert.Equal(JsonValueKind.Object, JsonElement.Parse(answer.Content!).ValueKind);
            }
        }
    }

    /// <summary>What stands beside whole answers and streams of both services.</summary>
    private async Task<IReadOnlyDictionary<string, object?>[]> EveryKindOfAnswer(PromptExecutionSettings settings)
    {
        ITextGenerationService text = tiny.Kernel.GetRequiredService<ITextGenerationService>();
        return
        [
            (await tiny.Chat.GetChatMessageContentAsync(Hello, settings)).Metadata!,
            (await Last(tiny.Chat.GetStreamingChatMessageContentsAsync(Hello, settings))).Metadata!,
            (await text.GetTextContentAsync("hello", settings)).Metadata!,
            (await Last(text.GetStreamingTextContentsAsync("hello", settings))).Metadata!,
        ];
    }

    private static async Task<T> Last<T>(IAsyncEnumerable<T> items) => await items.LastAsync();

    private enum Sky
    {
        Clear,
        Cloudy,
    }

    private sealed record Forecast(Sky Sky, bool Rain, [property: System.ComponentModel.DataAnnotations.Range(-40, 50)] int Degrees);

    private sealed class PreparingSettings : PromptExecutionSettings
    {
        protected override ChatHistory PrepareChatHistoryForRequest(ChatHistory chatHistory) => [new ChatMessageContent(AuthorRole.System, "Prepared."), .. chatHistory];
    }
}
