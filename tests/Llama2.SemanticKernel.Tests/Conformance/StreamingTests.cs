using System.Text;
using Microsoft.Extensions.AI;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Checks 27 to 33: streams.</summary>
public sealed class StreamingTests(TinyModelFixture tiny) : IClassFixture<TinyModelFixture>
{
    private static ChatHistory Hello => new("hello", AuthorRole.User);

    [Fact]
    public async Task Check27_Chunks_AddUpToTheWholeAnswer()
    {
        ChatMessageContent whole = await tiny.Chat.GetChatMessageContentAsync(Hello, TinyModelFixture.Greedy(60));

        Assert.Equal(whole.Content, string.Concat((await Stream(TinyModelFixture.Greedy(60))).Select(chunk => chunk.Content)));
    }

    [Fact]
    public async Task Check28_EveryChunk_HasRoleModelAndRawUpdate()
    {
        List<StreamingChatMessageContent> chunks = await Stream(TinyModelFixture.Greedy());

        Assert.Equal(AuthorRole.Assistant, chunks[0].Role);
        Assert.All(chunks, chunk => Assert.Equal("tiny", chunk.ModelId));
        Assert.All(chunks, chunk => Assert.IsType<GenerationUpdate>(chunk.InnerContent));
    }

    [Fact]
    public async Task Check29_LastChunk_HasFinishReasonUsageTimingsAndSettings()
    {
        List<StreamingChatMessageContent> chunks = await Stream(TinyModelFixture.Greedy(7));

        IReadOnlyDictionary<string, object?> metadata = chunks[^1].Metadata!;
        Assert.Equal("length", metadata["FinishReason"]);
        Assert.Equal(7, Assert.IsType<UsageDetails>(metadata["Usage"]).OutputTokenCount);
        Assert.Contains("timings", metadata.Keys);
        Assert.Equal(7, ((AdditionalPropertiesDictionary)metadata["effective_settings"]!)["max_new_tokens"]);
        Assert.All(chunks.SkipLast(1), chunk => Assert.Null(chunk.Metadata?.GetValueOrDefault("FinishReason")));
    }

    [Fact]
    public async Task Check29_TextThatEnds_SaysStop()
    {
        string text = (await tiny.Chat.GetChatMessageContentAsync(Hello, TinyModelFixture.Greedy())).Content!;
        Llama2PromptExecutionSettings settings = TinyModelFixture.Greedy();
        settings.StopSequences = [text.Substring(6, 3)];

        List<StreamingChatMessageContent> chunks = await Stream(settings);

        Assert.Equal("stop", chunks[^1].Metadata!["FinishReason"]);
        Assert.Equal(settings.StopSequences[0], chunks[^1].Metadata!["stop_sequence"]);
        Assert.Equal(text[..text.IndexOf(settings.StopSequences[0], StringComparison.Ordinal)], string.Concat(chunks.Select(chunk => chunk.Content)));
    }

    [Fact]
    public async Task Check30_LongAnswer_ComesInManyChunksOfWholeCharacters()
    {
        List<StreamingChatMessageContent> chunks = await Stream(TinyModelFixture.Greedy(100));

        Assert.True(chunks.Count > 20, $"{chunks.Count} chunks came.");
        Assert.All(chunks, chunk => Assert.Equal(chunk.Content ?? "", Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(chunk.Content ?? ""))));
    }

    [Fact]
    public async Task Check31_LeavingEarly_LeavesTheServiceUsable()
    {
        ChatMessageContent expected = await tiny.Chat.GetChatMessageContentAsync(Hello, TinyModelFixture.Greedy());
        for (int round = 0; round < 3; round++)
        {
            await foreach (StreamingChatMessageContent _ in tiny.Chat.GetStreamingChatMessageContentsAsync(Hello, TinyModelFixture.Greedy(2000)))
            {
                break;
            }
        }

        Assert.Equal(expected.Content, (await tiny.Chat.GetChatMessageContentAsync(Hello, TinyModelFixture.Greedy())).Content);
    }

    [Fact]
    public async Task Check32_PromptStreams_ComeInEveryType()
    {
        KernelArguments arguments = new(TinyModelFixture.Greedy());
        string expected = (await tiny.Kernel.InvokePromptAsync("hello", arguments)).ToString();

        Assert.Equal(expected, string.Concat(await Collect<string>(text => text)));
        Assert.Equal(expected, string.Concat(await Collect<StreamingKernelContent>(content => content.ToString())));
        Assert.Equal(expected, string.Concat(await Collect<StreamingChatMessageContent>(content => content.Content ?? "")));
        Assert.Equal(expected, string.Concat(await Collect<ChatResponseUpdate>(update => update.Text)));

        async Task<List<string>> Collect<T>(Func<T, string> text)
        {
            var texts = new List<string>();
            await foreach (T item in tiny.Kernel.InvokePromptStreamingAsync<T>("hello", arguments))
            {
                texts.Add(text(item));
            }

            return texts;
        }
    }

    [Fact]
    public async Task Check33_ConcurrentCalls_GiveWhatSingleOnesGive()
    {
        string[] words = ["one", "two", "three", "four"];
        var single = new List<string?>();
        foreach (string word in words)
        {
            single.Add(await AnswerTo(word));
        }

        Assert.Equal(single, await Task.WhenAll(words.Select(AnswerTo)));

        async Task<string?> AnswerTo(string word) =>
            (await tiny.Chat.GetChatMessageContentAsync(new ChatHistory(word, AuthorRole.User), TinyModelFixture.Greedy())).Content;
    }

    private async Task<List<StreamingChatMessageContent>> Stream(PromptExecutionSettings settings)
    {
        var chunks = new List<StreamingChatMessageContent>();
        await foreach (StreamingChatMessageContent chunk in tiny.Chat.GetStreamingChatMessageContentsAsync(Hello, settings))
        {
            chunks.Add(chunk);
        }

        return chunks;
    }
}
