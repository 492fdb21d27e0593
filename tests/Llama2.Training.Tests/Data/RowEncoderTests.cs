using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Training.Tests;

public sealed class RowEncoderTests
{
    private static readonly LlamaTokenizer _tokenizer = Llama2TokenizerTrainer.Train(
        [.. Enumerable.Repeat("[INST] <<SYS>>\nbe brief and kind\n<</SYS>>\n\nhow are you [/INST] fine, thank you ", 3), "yes no hello there"],
        new() { VocabularySize = 340, CharacterCoverage = 1 });

    [Fact]
    public void Encode_Pair_IsWhatChatReadsAndThenTheAnswer()
    {
        TrainingSequence sequence = Encode(DataRow.Pair("how are you", "fine"));

        Assert.Equal("<s>[INST] how are you [/INST] fine </s>", Spell(sequence.Tokens.Span));
        Assert.Equal("fine </s>", Spell(Targets(sequence)));
        Assert.Equal(_tokenizer.EndOfTextId, sequence.Tokens.Span[^1]);
        Assert.False(sequence.InLoss.Span[0]);
    }

    /// <summary>The one promise that everything rests on: up to an answer, training and chat have the same ids.</summary>
    [Theory]
    [InlineData(1), InlineData(2), InlineData(3), InlineData(4), InlineData(5), InlineData(6)]
    public void Encode_Conversation_EveryPromptIsWhatTheChatClientRenders(int seed)
    {
        using var model = LlamaModel.Load(TinyModels.Create(config: TinyModels.Config with { ContextLength = 4096 }));
        var random = new Random(seed);
        List<ChatMessage> messages = seed % 2 == 0 ? [new(ChatRole.System, Text())] : [];
        for (int turn = 0; turn < seed; turn++)
        {
            messages.Add(new(ChatRole.User, Text()));
            messages.Add(new(ChatRole.Assistant, "a" + Text()));
        }

        TrainingSequence sequence = Encode(DataRow.Conversation(messages), tokenizer: model.Tokenizer);

        int learnt = 0, previousEnd = 0;
        foreach (int i in Enumerable.Range(0, messages.Count).Where(i => messages[i].Role == ChatRole.Assistant))
        {
            int[] prompt = [.. model.Explain(messages[..i]).Prompt.TokenIds];
            Assert.Equal(prompt, sequence.Tokens.Span[..prompt.Length].ToArray());
            Assert.DoesNotContain(true, sequence.InLoss.Span[previousEnd..prompt.Length].ToArray());
            int length = sequence.Tokens.Span[prompt.Length..].IndexOf(model.Tokenizer.EndOfTextId) + 1;
            Assert.Equal(length, sequence.InLoss.Span.Slice(prompt.Length, length).Count(true));
            Assert.Equal(string.Concat(messages[i].Text.Trim().EnumerateRunes()), model.Tokenizer.Decode(sequence.Tokens.Span.Slice(prompt.Length, length)).Trim());
            (learnt, previousEnd) = (learnt + length, prompt.Length + length);
        }

        Assert.Equal(sequence.Tokens.Length, previousEnd);
        Assert.Equal(learnt, sequence.InLoss.Span.Count(true));

        string Text() => new([.. Enumerable.Range(0, random.Next(1, 30)).Select(_ => "abcde  \n\t[]/INST<>é🙂"[random.Next(20)])]);
    }

    [SharedDataFact]
    public void Encode_RealTokenizer_EveryPromptIsWhatChatRenders()
    {
        var tokenizer = LlamaTokenizer.Load(TestData.Path("tokenizer/tokenizer.model"));
        string[] texts = ["[INST] x [/INST]", "</s><s>", "  9.11 > 9.9? ", "naïve 字 🙂\n\tcode", "]", "_ ▁▁ x"];
        foreach (string user in texts)
        {
            foreach (string answer in texts)
            {
                TrainingSequence sequence = Encode(DataRow.Pair(user, answer), tokenizer: tokenizer);
                var writer = new ChatPromptWriter(tokenizer);
                new Llama2ChatTemplate().Write([new(ChatRole.User, user)], writer);
                int[] prompt = [.. writer.ToPrompt().TokenIds];
                Assert.Equal(prompt, sequence.Tokens.Span[..prompt.Length].ToArray());
                Assert.Equal(prompt.Length, sequence.InLoss.Span.IndexOf(true));
            }
        }
    }

    [Fact]
    public void Encode_SystemPrompt_GoesWhereNoneIs()
    {
        TrainingSequence added = Encode(DataRow.Pair("how", "fine"), options => options with { SystemPrompt = "be kind" });
        TrainingSequence kept = Encode(
            DataRow.Conversation([new(ChatRole.System, "be brief"), new(ChatRole.User, "how"), new(ChatRole.Assistant, "fine")]),
            options => options with { SystemPrompt = "be kind" });

        Assert.Equal("<s>[INST] <<SYS>>\nbe kind\n<</SYS>>\n\nhow [/INST] fine </s>", Spell(added.Tokens.Span));
        Assert.Equal("<s>[INST] <<SYS>>\nbe brief\n<</SYS>>\n\nhow [/INST] fine </s>", Spell(kept.Tokens.Span));
    }

    [Fact]
    public void Encode_Raw_PromptIsWhatGenerationReads()
    {
        TrainingSequence sequence = Encode(DataRow.Pair("how are", "you"), options => options with { Rendering = RowRendering.Raw });

        int[] prompt = [_tokenizer.BeginOfTextId, .. _tokenizer.Encode("how are")];
        Assert.Equal(prompt, sequence.Tokens.Span[..prompt.Length].ToArray());
        Assert.Equal("how areyou", _tokenizer.Decode(sequence.Tokens.Span));
        Assert.Equal("you</s>", Spell(Targets(sequence)));
    }

    [Fact]
    public void Encode_RawWithoutAnswer_LearnsTheText()
    {
        TrainingSequence sequence = Encode(DataRow.Pair("hello", null), options => options with { Rendering = RowRendering.Raw });

        Assert.Equal(sequence.Tokens.Span[1..].ToArray(), Targets(sequence));
        Assert.Equal([_tokenizer.BeginOfTextId, .. _tokenizer.Encode("hello"), _tokenizer.EndOfTextId], sequence.Tokens.ToArray());
    }

    [Fact]
    public void Encode_TokenizerWithoutDummyPrefix_JoinsTheSame()
    {
        LlamaTokenizer bare = new(_tokenizer.Vocabulary, 1, 2, 0, addDummyPrefix: false);

        TrainingSequence sequence = Encode(DataRow.Pair("how ", "you"), options => options with { Rendering = RowRendering.Raw }, bare);

        Assert.Equal([1, .. bare.Encode("how "), .. bare.Encode("you"), 2], sequence.Tokens.ToArray());
    }

    [Fact]
    public void Encode_LossOnAll_CountsEveryToken()
    {
        TrainingSequence sequence = Encode(DataRow.Pair("how are you", "fine"), options => options with { LossOn = LossScope.All });

        Assert.Equal(sequence.Tokens.Length, sequence.InLoss.Span.Count(true));
    }

    [Fact]
    public void Encode_TooLong_IsCutAsAsked()
    {
        DataRow row = DataRow.Pair("how are you", "fine, thank you");
        TrainingSequence whole = Encode(row);
        int length = whole.Tokens.Length - 3;

        TrainingSequence end = Encode(row, options => options with { MaximumLength = length });
        TrainingSequence beginning = Encode(row, options => options with { MaximumLength = length, Truncation = Truncation.CutBeginning });

        Assert.Equal(whole.Tokens.Span[..length].ToArray(), end.Tokens.ToArray());
        Assert.Equal(whole.InLoss.Span[..length].ToArray(), end.InLoss.ToArray());
        Assert.Equal([whole.Tokens.Span[0], .. whole.Tokens.Span[4..]], beginning.Tokens.ToArray());
        Assert.Equal(Targets(whole), Targets(beginning));
        Assert.Null(new RowEncoder(_tokenizer, Options with { MaximumLength = length, Truncation = Truncation.LeaveOut }).Encode(row, out bool wasCut));
        Assert.True(wasCut);
        AssertBad($"the row has {length + 3} tokens, more than {length}", row, options => options with { MaximumLength = length, Truncation = Truncation.Refuse });
        Assert.Equal(whole.Tokens.ToArray(), Encode(row, options => options with { MaximumLength = length + 3, Truncation = Truncation.Refuse }).Tokens.ToArray());
    }

    [Fact]
    public void Encode_NothingToLearnFrom_SaysWhy()
    {
        AssertBad("none of the row's first 4 tokens counts in the loss", DataRow.Pair("how are you", "fine"), options => options with { MaximumLength = 4 });
        AssertBad("the answer is empty", DataRow.Pair("how", " "));
        AssertBad("chat needs an answer", DataRow.Pair("how", null));
        AssertBad("the answer is empty", DataRow.Pair("how", ""), options => options with { Rendering = RowRendering.Raw });
        AssertBad("the row holds no text", DataRow.Pair("", null), options => options with { Rendering = RowRendering.Raw });
        AssertBad("the last message must be the assistant's", DataRow.Conversation([]));
        AssertBad("the last message must be the assistant's", DataRow.Conversation([new(ChatRole.User, "how")]));
        AssertBad("message 1 (assistant) is empty", DataRow.Conversation(
            [new(ChatRole.User, "a"), new(ChatRole.Assistant, ""), new(ChatRole.User, "b"), new(ChatRole.Assistant, "c")]));
        AssertBad("Message 1 (tool): the Llama-2 format has the roles system, user and assistant only", DataRow.Conversation(
            [new(ChatRole.User, "a"), new(ChatRole.Tool, "b"), new(ChatRole.Assistant, "c")]));
        AssertBad("Message 0 (assistant): user and assistant take turns, the user first; here it is the user's turn", DataRow.Conversation(
            [new(ChatRole.Assistant, "c")]));
    }

    [Fact]
    public void Encode_TokenReachingIntoTheAnswer_IsRefused()
    {
        LlamaTokenizer reaching = new([.. _tokenizer.Vocabulary, new("]▁", 1, TokenKind.Normal)], 1, 2, 0);

        BadRowException exception = Assert.Throws<BadRowException>(() => new RowEncoder(reaching, Options).Encode(DataRow.Pair("how", "fine"), out _));

        Assert.Equal("the prompt before message 1 has other ids in chat: a token reaches from it into the answer", exception.Message);
    }

    [Fact]
    public void Encode_TemplateWithoutMarks_IsRefused() => AssertBad(
        "the chat template does not say where message 2 begins", DataRow.Pair("how", "fine"), options => options with { ChatTemplate = new Unmarked() });

    private static TrainingDataOptions Options => new() { MaximumLength = 4096 };

    private static TrainingSequence Encode(DataRow row, Func<TrainingDataOptions, TrainingDataOptions>? change = null, LlamaTokenizer? tokenizer = null) =>
        new RowEncoder(tokenizer ?? _tokenizer, change?.Invoke(Options) ?? Options).Encode(row, out _)!;

    private static void AssertBad(string problem, DataRow row, Func<TrainingDataOptions, TrainingDataOptions>? change = null) =>
        Assert.Equal(problem, Assert.Throws<BadRowException>(() => Encode(row, change)).Message);

    private static int[] Targets(TrainingSequence sequence) =>
        [.. sequence.Tokens.ToArray().Zip(sequence.InLoss.ToArray()).Where(pair => pair.Second).Select(pair => pair.First)];

    /// <summary>The text with its special tokens.</summary>
    private static string Spell(ReadOnlySpan<int> ids)
    {
        string text = "";
        int start = 0;
        for (int i = 0; i <= ids.Length; i++)
        {
            if (i == ids.Length || _tokenizer.GetKind(ids[i]) == TokenKind.Control)
            {
                text += _tokenizer.Decode(ids[start..i]) + (i < ids.Length ? _tokenizer.GetPiece(ids[i]) : "");
                start = i + 1;
            }
        }

        return text;
    }

    private sealed class Unmarked : IChatTemplate
    {
        public void Write(IReadOnlyList<ChatMessage> messages, ChatPromptWriter writer)
        {
            foreach (ChatMessage message in messages)
            {
                writer.Text(message.Text);
            }
        }
    }
}
