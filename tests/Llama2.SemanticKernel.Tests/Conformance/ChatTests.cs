using Microsoft.Extensions.AI;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Checks 17 to 26: whole answers.</summary>
public sealed class ChatTests(TinyModelFixture tiny) : IClassFixture<TinyModelFixture>
{
    private static ChatHistory Hello => new("hello", AuthorRole.User);

    [Fact]
    public async Task Check17_OneUserMessage_GivesOneAnswerOfTheAssistant()
    {
        ChatMessageContent answer = Assert.Single(await tiny.Chat.GetChatMessageContentsAsync(Hello, TinyModelFixture.Greedy()));

        Assert.Equal(AuthorRole.Assistant, answer.Role);
        Assert.NotEmpty(answer.Content!);
    }

    [Fact]
    public async Task Check18_Conversation_ReachesTheModelInOrderWithItsRoles()
    {
        var history = new ChatHistory("Be brief.");
        history.AddUserMessage("first");
        history.AddAssistantMessage("second");
        history.AddUserMessage("third");

        ChatMessageContent answer = await tiny.Chat.GetChatMessageContentAsync(history, TinyModelFixture.Greedy(1));

        Assert.Equal("[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nfirst [/INST] second [INST] third [/INST]", tiny.PromptOf(answer).Replace("  ", " ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Check18_RoleOutsideTheFormat_IsRefused()
    {
        var history = new ChatHistory("Be brief.", AuthorRole.Developer);
        history.AddUserMessage("hello");

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => tiny.Chat.GetChatMessageContentsAsync(history));

        Assert.Contains("developer", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check19_Answer_NamesItsModelAndHasTheRawResult()
    {
        ChatMessageContent answer = await tiny.Chat.GetChatMessageContentAsync(Hello, TinyModelFixture.Greedy());

        Assert.Equal("tiny", answer.ModelId);
        Assert.Equal(answer.Content, Assert.IsType<GenerationResult>(answer.InnerContent).Text.TrimStart(' '));
    }

    [Fact]
    public async Task Check20_Metadata_HaveFinishReasonUsageTimingsAndSettings()
    {
        ChatMessageContent answer = await tiny.Chat.GetChatMessageContentAsync(Hello, TinyModelFixture.Greedy(5));

        IReadOnlyDictionary<string, object?> metadata = answer.Metadata!;
        Assert.Equal("length", metadata["FinishReason"]);
        UsageDetails usage = Assert.IsType<UsageDetails>(metadata["Usage"]);
        Assert.Equal((((GenerationResult)answer.InnerContent!).PromptTokenIds.Count, 5), ((int)usage.InputTokenCount!, (int)usage.OutputTokenCount!));
        Assert.True((double)((AdditionalPropertiesDictionary)metadata["timings"]!)["first_token_ms"]! >= 0);
        Assert.Equal((5, false), (Effective(metadata)["max_new_tokens"], Effective(metadata)["do_sample"]));
    }

    [Fact]
    public async Task Check21_ClientThroughTheAdapter_HasTheSameMetadata()
    {
        IChatCompletionService adapter = tiny.Kernel.GetRequiredService<IChatClient>().AsChatCompletionService();

        ChatMessageContent answer = await adapter.GetChatMessageContentAsync(Hello, TinyModelFixture.Greedy(5));

        Assert.IsType<UsageDetails>(answer.Metadata!["Usage"]);
        Assert.Equal("length", answer.Metadata["FinishReason"]);
        Assert.IsType<GenerationResult>(answer.InnerContent);
    }

    [Fact]
    public async Task Check22_History_StaysAsItIs()
    {
        ChatHistory history = Hello;

        await tiny.Chat.GetChatMessageContentsAsync(history, TinyModelFixture.Greedy(3));
        await foreach (StreamingChatMessageContent _ in tiny.Chat.GetStreamingChatMessageContentsAsync(history, TinyModelFixture.Greedy(3)))
        {
        }

        Assert.Equal("hello", Assert.Single(history).Content);
    }

    [Fact]
    public async Task Check23_HistoryThatTheFormatCannotTake_IsRefusedWithTheReason()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => tiny.Chat.GetChatMessageContentsAsync([]));
        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => tiny.Chat.GetChatMessageContentsAsync(new ChatHistory("only a system message")));
        Assert.Contains("user", exception.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentNullException>(() => tiny.Chat.GetChatMessageContentsAsync(null!));
    }

    [Fact]
    public async Task Check23_PictureInAMessage_IsRefused()
    {
        ChatHistory history = [new ChatMessageContent(AuthorRole.User, [new ImageContent(new byte[] { 1 }, "image/png")])];

        await Assert.ThrowsAsync<NotSupportedException>(() => tiny.Chat.GetChatMessageContentsAsync(history));
    }

    [Fact]
    public async Task Check24_Answer_IsOneItemOfText()
    {
        ChatMessageContent answer = await tiny.Chat.GetChatMessageContentAsync(Hello, TinyModelFixture.Greedy(40));

        Assert.Equal(answer.Content, Assert.IsType<Microsoft.SemanticKernel.TextContent>(Assert.Single(answer.Items)).Text);
    }

    [Fact]
    public async Task Check25_CancelledToken_EndsBeforeAnyWork()
    {
        var cancelled = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => tiny.Chat.GetChatMessageContentsAsync(Hello, cancellationToken: cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => tiny.Kernel.InvokePromptAsync("hello", cancellationToken: cancelled));
    }

    [Fact]
    public async Task Check25_CancelMidway_EndsSoon()
    {
        using var source = new CancellationTokenSource();
        int chunks = 0;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (StreamingChatMessageContent _ in tiny.Chat.GetStreamingChatMessageContentsAsync(Hello, TinyModelFixture.Greedy(2000), cancellationToken: source.Token))
            {
                if (++chunks == 3)
                {
                    source.Cancel();
                }
            }
        });

        Assert.True(chunks < 1990, $"{chunks} chunks came.");
    }

    [Fact]
    public async Task Check26_ModelIdOfAnother_IsRefusedAndItsOwnIsTaken()
    {
        var settings = new PromptExecutionSettings { ModelId = "gpt-4o" };
        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => tiny.Chat.GetChatMessageContentsAsync(Hello, settings));
        Assert.Contains("gpt-4o", exception.Message, StringComparison.Ordinal);

        Llama2PromptExecutionSettings own = TinyModelFixture.Greedy(1);
        own.ModelId = "tiny";
        Assert.Equal("tiny", (await tiny.Chat.GetChatMessageContentAsync(Hello, own)).ModelId);
    }

    private static AdditionalPropertiesDictionary Effective(IReadOnlyDictionary<string, object?> metadata) => (AdditionalPropertiesDictionary)metadata["effective_settings"]!;
}
