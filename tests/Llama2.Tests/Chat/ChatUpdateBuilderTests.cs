using Microsoft.Extensions.AI;

namespace Llama2.Tests;

public class ChatUpdateBuilderTests
{
    private static readonly DateTimeOffset _now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void Next_Answer_HasIdsTextAndSummary()
    {
        ChatResponseUpdate[] updates = Build(Piece("  "), Piece(""), Piece("  Hel"), Piece("lo "), Last("!"));
        Assert.Equal(["Hel", "lo ", "!"], updates.Select(update => update.Text));
        Assert.All(updates, update =>
        {
            Assert.Equal((ChatRole.Assistant, "m", _now), (update.Role!.Value, update.ModelId, update.CreatedAt!.Value));
            Assert.Equal(updates[0].ResponseId, update.ResponseId);
            Assert.Equal(updates[0].MessageId, update.MessageId);
            Assert.IsType<GenerationUpdate>(update.RawRepresentation);
        });
        Assert.StartsWith("llama2-", updates[0].ResponseId, StringComparison.Ordinal);
        Assert.All(updates[..^1], update => Assert.Null(update.FinishReason));
        ChatResponseUpdate last = updates[^1];
        Assert.Equal(ChatFinishReason.Stop, last.FinishReason);
        UsageDetails usage = Assert.Single(last.Contents.OfType<UsageContent>()).Details;
        Assert.Equal((10, 3, 13, 4), (usage.InputTokenCount, usage.OutputTokenCount, usage.TotalTokenCount, usage.CachedInputTokenCount));
        Assert.Equal("stop", last.AdditionalProperties!["FinishReason"]);
        Assert.Equal("stop", last.AdditionalProperties["finish_reason"]);
        var settings = (AdditionalPropertiesDictionary)last.AdditionalProperties["effective_settings"]!;
        Assert.Equal((5L, false), (settings["seed"], settings["return_full_text"]));
        var timings = (AdditionalPropertiesDictionary)last.AdditionalProperties["timings"]!;
        Assert.Equal((1.0, 2.0, 3.0, 4.0), (timings["queue_ms"], timings["prefill_ms"], timings["first_token_ms"], timings["decode_ms"]));
        Assert.Equal(500.0, (double)timings["tokens_per_second"]!, 6);
        Assert.Equal(["FinishReason", "effective_settings", "finish_reason", "timings"], last.AdditionalProperties.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(GenerationFinishReason.Stop, "stop", "stop")]
    [InlineData(GenerationFinishReason.StopSequence, "stop", "stop_sequence")]
    [InlineData(GenerationFinishReason.Length, "length", "length")]
    public void Next_FinishReason_InBothForms(GenerationFinishReason reason, string common, string exact)
    {
        ChatResponseUpdate last = Build(Last("", reason))[^1];
        Assert.Equal(common, last.FinishReason!.Value.Value);
        Assert.Equal(common, last.AdditionalProperties!["FinishReason"]);
        Assert.Equal(exact, last.AdditionalProperties["finish_reason"]);
        Assert.Equal(reason == GenerationFinishReason.StopSequence ? "END" : null, last.AdditionalProperties.GetValueOrDefault("stop_sequence"));
    }

    [Fact]
    public void Next_NoText_StillEndsWithASummary()
    {
        ChatResponseUpdate update = Assert.Single(Build(Piece(""), Last("")));
        Assert.Equal(("", true), (update.Text, update.FinishReason is not null));
        ChatResponse response = new[] { update }.ToChatResponse();
        Assert.Equal(10, response.Usage!.InputTokenCount);
        Assert.Single(response.Messages);
    }

    [Fact]
    public void Next_FullText_BeginsWithThePrompt()
    {
        Assert.Equal(["<s>[INST] Hi [/INST] a", "b", ""], Build(true, Plan(), Piece(""), Piece(" a"), Piece("b"), Last("")).Select(update => update.Text));
        Assert.Equal("<s>[INST] Hi [/INST]", Assert.Single(Build(true, Plan(), Last(""))).Text);
        var settings = (AdditionalPropertiesDictionary)Build(true, Plan(), Last(""))[0].AdditionalProperties!["effective_settings"]!;
        Assert.Equal(true, settings["return_full_text"]);
    }

    [Fact]
    public void Next_Scores_StandInEachUpdateAndInTheLast()
    {
        ScoredToken[] first = [new(new(3, -0.5f), [])], all = [.. first, new(new(2, -1), [])];
        ChatResponseUpdate[] updates = Build(
            new GenerationUpdate { TokenIds = [3], LogProbabilities = first }, new GenerationUpdate { Result = Result(scores: all) });
        Assert.Equal(2, updates.Length);
        Assert.Same(first, updates[0].AdditionalProperties!["logprobs"]);
        Assert.Same(all, updates[1].AdditionalProperties!["logprobs"]);
        Assert.Same(all, updates[1].AdditionalProperties!["prompt_logprobs"]);
        ChatResponse response = updates.ToChatResponse();
        Assert.Same(all, Assert.Single(response.Messages).AdditionalProperties!["logprobs"]);
    }

    [Fact]
    public void Next_Dropped_IsTold()
    {
        ChatPlan plan = Plan() with { DroppedMessages = [0, 1], DroppedTokens = 30 };
        ChatResponseUpdate last = Build(false, plan, new GenerationUpdate { Result = Result(dropped: 2) })[^1];
        Assert.Equal((2, 32), (last.AdditionalProperties!["dropped_messages"], last.AdditionalProperties["dropped_prompt_tokens"]));
    }

    [Fact]
    public void Next_OneToken_HasNoSpeed()
    {
        var timings = (AdditionalPropertiesDictionary)Build(new GenerationUpdate { Result = Result(completion: 1) })[^1].AdditionalProperties!["timings"]!;
        Assert.False(timings.ContainsKey("tokens_per_second"));
    }

    private static GenerationUpdate Piece(string text) => new() { Text = text, TokenIds = [5] };

    private static GenerationUpdate Last(string text, GenerationFinishReason reason = GenerationFinishReason.Stop) =>
        new() { Text = text, Result = Result(reason) };

    private static GenerationResult Result(
        GenerationFinishReason reason = GenerationFinishReason.Stop, IReadOnlyList<ScoredToken>? scores = null, int dropped = 0, int completion = 3) => new()
        {
            Text = "",
            PromptTokenIds = [1],
            TokenIds = [2],
            FinishReason = reason,
            Usage = new(10, 4, completion),
            StopSequence = reason == GenerationFinishReason.StopSequence ? "END" : null,
            Timings = new(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(2), TimeSpan.FromMilliseconds(3), TimeSpan.FromMilliseconds(4)),
            EffectiveOptions = new() { Seed = 5, ReturnFullText = false },
            LogProbabilities = scores,
            PromptLogProbabilities = scores,
            DroppedPromptTokens = dropped,
        };

    private static ChatPlan Plan() => new(new("<s>[INST] Hi [/INST]", [1, 5], []), [], 0);

    private static ChatResponseUpdate[] Build(params GenerationUpdate[] generated) => Build(false, Plan(), generated);

    private static ChatResponseUpdate[] Build(bool fullText, ChatPlan plan, params GenerationUpdate[] generated)
    {
        var builder = new ChatUpdateBuilder("m", _now, plan, new() { ReturnFullText = fullText });
        return [.. generated.Select(builder.Next).OfType<ChatResponseUpdate>()];
    }
}
