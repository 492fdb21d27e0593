using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Tests;

public sealed class LlamaChatExtensionsTests : IDisposable
{
    private static readonly ChatMessage[] _question = [new(ChatRole.System, "One word."), new(ChatRole.User, "joy or fear?")];
    private readonly LlamaModel _model = Load(new());
    private readonly IChatClient _client;

    public LlamaChatExtensionsTests() => _client = _model.AsIChatClient(leaveOpen: true);

    public void Dispose()
    {
        _client.Dispose();
        _model.Dispose();
    }

    [Fact]
    public async Task ClassifyAsync_Labels_HaveTheProbabilityOfTheirTokensAndTheEnd()
    {
        string[] labels = ["joy", "sure", "sure not", "ü"];

        IReadOnlyList<LabelProbability> result = await _client.ClassifyAsync(_question, labels);

        double[] expected = [.. await Task.WhenAll(labels.Select(label => AnswerProbability(_model, label)))];
        Assert.Equal(labels, result.Select(label => label.Label));
        for (int i = 0; i < labels.Length; i++)
        {
            Assert.Equal(Math.Log(expected[i]), result[i].LogProbability, 1e-4);
            Assert.Equal(expected[i] / expected.Sum(), result[i].Probability, 1e-5);
        }

        Assert.Equal(1, result.Sum(label => label.Probability), 1e-12);
    }

    /// <summary>The question again, but for its end, which is what the labels are scored behind.</summary>
    [Fact]
    public async Task ClassifyAsync_Prompt_HasTheIdsOfAChat()
    {
        await _client.ClassifyAsync(_question, ["joy", "fear"]);

        ChatExplanation chat = _model.Explain(_question);
        Assert.Equal(chat.Prompt.TokenIds.Count - 1, chat.CachedTokens);
    }

    [Fact]
    public async Task ClassifyAsync_Instructions_Act()
    {
        ChatMessage[] user = [_question[1]];

        IReadOnlyList<LabelProbability> with = await _client.ClassifyAsync(user, ["joy", "fear"], new() { Instructions = "One word." });

        Assert.Equal(await _client.ClassifyAsync(_question, ["joy", "fear"]), with);
        Assert.NotEqual(await _client.ClassifyAsync(user, ["joy", "fear"]), with);
    }

    [Fact]
    public async Task ClassifyAsync_ManyAtATime_EachGetsWhatItWouldGetAlone()
    {
        ChatMessage[][] questions = [.. Enumerable.Range(0, 6).Select(i => (ChatMessage[])[new(ChatRole.User, $"question {i}")])];
        var alone = new List<IReadOnlyList<LabelProbability>>();
        using (LlamaModel model = Load(new() { PrefixCacheBytes = 0 }))
        using (IChatClient client = model.AsIChatClient())
        {
            foreach (ChatMessage[] question in questions)
            {
                alone.Add(await client.ClassifyAsync(question, ["joy", "fear", "no"]));
            }
        }

        Assert.Equal(alone, await Task.WhenAll(questions.Select(question => _client.ClassifyAsync(question, ["joy", "fear", "no"]))));
    }

    [Fact]
    public async Task ClassifyAsync_TooLong_FollowsThePolicy()
    {
        using LlamaModel model = Load(new() { ContextLength = 64 });
        using IChatClient client = model.AsIChatClient(leaveOpen: true);
        ChatMessage[] history = [.. Llama2ChatTemplateTests.Messages("u:a question", "a:an answer", "u:yes or no?")];
        foreach (string policy in new[] { "drop_oldest_turns", "truncate_left" })
        {
            ChatOptions options = new() { AdditionalProperties = new() { ["context_overflow"] = policy } };
            Assert.Equal(1, (await client.ClassifyAsync(history, ["yes", "no"], options)).Sum(label => label.Probability), 1e-12);
        }

        await Assert.ThrowsAsync<ContextOverflowException>(() => client.ClassifyAsync(history, ["yes", "no"]));
        ChatMessage[] last = [history[^1]];
        Assert.Equal(
            await client.ClassifyAsync(last, ["yes", "no"]),
            await client.ClassifyAsync(history, ["yes", "no"], new() { AdditionalProperties = new() { ["context_overflow"] = "drop_oldest_turns" } }));
    }

    /// <summary>A prompt that fits, but not with the label: the cut makes room for all of it.</summary>
    [Fact]
    public async Task ClassifyAsync_NoRoomForTheLabel_IsCutLeft()
    {
        int length = _model.Explain([new(ChatRole.User, "yes or no?")]).Prompt.TokenIds.Count;
        using LlamaModel model = Load(new() { ContextLength = length + 2 });
        using IChatClient client = model.AsIChatClient(leaveOpen: true);
        ChatMessage[] question = [new(ChatRole.User, "yes or no?")];

        await Assert.ThrowsAsync<ContextOverflowException>(() => client.ClassifyAsync(question, ["yes", "no"]));

        ChatOptions options = new() { AdditionalProperties = new() { ["context_overflow"] = "truncate_left" } };
        Assert.Equal(2, (await client.ClassifyAsync(question, ["yes", "no"], options)).Count);
    }

    [Theory]
    [InlineData("temperature", 0.5)]
    [InlineData("max_new_tokens", 3)]
    [InlineData("seed", 1)]
    [InlineData("logit_bias", "5=1")]
    public async Task ClassifyAsync_SettingThatCannotAct_IsRefusedByName(string name, object value)
    {
        object set = name == "logit_bias" ? new Dictionary<int, float> { [5] = 1 } : value;
        ChatOptions options = new() { AdditionalProperties = new() { [name] = set } };

        NotSupportedException error = await Assert.ThrowsAsync<NotSupportedException>(() => _client.ClassifyAsync(_question, ["joy"], options));

        Assert.Contains($"'{name}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClassifyAsync_WrongLabels_Throw()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _client.ClassifyAsync(_question, []));
        await Assert.ThrowsAsync<ArgumentException>(() => _client.ClassifyAsync(_question, ["joy", " "]));
        ArgumentException twice = await Assert.ThrowsAsync<ArgumentException>(() => _client.ClassifyAsync(_question, ["joy", "fear", " joy\n"]));
        Assert.Contains("same to the model", twice.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => _client.ClassifyAsync([new(ChatRole.Assistant, "?")], ["joy"]));
    }

    [Fact]
    public async Task ClassifyAsync_OtherClient_IsRefused()
    {
        using var other = new OtherClient();

        NotSupportedException error = await Assert.ThrowsAsync<NotSupportedException>(() => other.ClassifyAsync(_question, ["joy"]));

        Assert.Contains(nameof(OtherClient), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClassifyAsync_Cancelled_Throws() =>
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _client.ClassifyAsync(_question, ["joy"], null, new CancellationToken(canceled: true)));

    /// <summary>The sum over both ways to end: with the template's space before the end of text, and without it.</summary>
    private static async Task<double> AnswerProbability(LlamaModel model, string label)
    {
        var writer = new ChatPromptWriter(model.Tokenizer);
        new Llama2ChatTemplate().Write([.. _question, new(ChatRole.Assistant, label), new(ChatRole.User, "again")], writer);
        int prompt = model.Explain(_question).Prompt.TokenIds.Count;
        int[] answer = [.. writer.ToPrompt().TokenIds.Skip(prompt).TakeWhile(id => id != model.Tokenizer.EndOfTextId)];
        Assert.Equal($"{label} ", model.Tokenizer.Decode(answer));

        return await Probability([.. answer, model.Tokenizer.EndOfTextId]) + await Probability([.. answer[..^1], model.Tokenizer.EndOfTextId]);

        async Task<double> Probability(int[] tokens)
        {
            int[] whole = [.. model.Explain(_question).Prompt.TokenIds, .. tokens];
            return Math.Exp((await model.Engine.ScoreAsync(whole)).TakeLast(tokens.Length).Sum(score => (double)score.Token.LogProbability));
        }
    }

    private static LlamaModel Load(LlamaModelOptions options) => LlamaModel.Load(TinyModels.Create(), options);

    private sealed class OtherClient : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}
