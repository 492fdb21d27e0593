using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Tests;

public class ChatPromptPlannerTests
{
    private static readonly LlamaTokenizer _tokenizer = TinyModels.Create().LoadTokenizer()!;
    private static readonly string[] _long = ["s:You are brief.", "u:first question", "a:first answer", "u:second question", "a:second answer", "u:third"];

    [Fact]
    public void Plan_ItFits_LeavesItWhole()
    {
        foreach (ContextOverflow policy in Enum.GetValues<ContextOverflow>())
        {
            ChatPlan plan = Plan(1000, policy, null, _long);
            Assert.Equal((0, 0), (plan.DroppedMessages.Count, plan.DroppedTokens));
            Assert.Equal(Plan(1000, ContextOverflow.Throw, null, _long).Prompt.TokenIds, plan.Prompt.TokenIds);
        }
    }

    [Fact]
    public void Plan_Instructions_StandBeforeTheSystemMessage()
    {
        ChatPlan plan = Plan(1000, ContextOverflow.Throw, "Be kind.", _long);
        Assert.StartsWith("<s>[INST] <<SYS>>\nBe kind.\n\nYou are brief.\n<</SYS>>\n\nfirst question [/INST]", plan.Prompt.Text, StringComparison.Ordinal);
        Assert.Equal([-1, 0, 1, 2, 3, 4, 5], plan.Prompt.Spans.Select(span => span.MessageIndex));
        Assert.Equal("<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nx [/INST]", Plan(1000, ContextOverflow.Throw, "Be kind.", "u:x").Prompt.Text);
        Assert.Equal("<s>[INST] x [/INST]", Plan(1000, ContextOverflow.Throw, " ", "u:x").Prompt.Text);
    }

    [Fact]
    public void Plan_DropOldestTurns_DropsAsFewAsNeeded()
    {
        int[] counts = [Count("Be kind.", _long), Count("Be kind.", [_long[0], .. _long[3..]]), Count("Be kind.", [_long[0], _long[5]])];
        for (int context = counts[0] * 2; context > 4; context--)
        {
            ChatPlan plan = Plan(context, ContextOverflow.DropOldestTurns, "Be kind.", _long);
            int limit = context - Math.Max(1, context / 4);
            int turns = counts.TakeWhile((count, dropped) => count > limit && dropped < 2).Count();
            Assert.Equal(Enumerable.Range(1, 2 * turns), plan.DroppedMessages);
            Assert.Equal(counts[turns], plan.Prompt.TokenIds.Count);
            Assert.Equal(counts[0] - counts[turns], plan.DroppedTokens);
            Assert.Equal([-1, 0, .. Enumerable.Range(1 + 2 * turns, 5 - 2 * turns)], plan.Prompt.Spans.Select(span => span.MessageIndex));
        }
    }

    [Fact]
    public void Plan_FewNewTokensWanted_KeepsThatRoomOnly()
    {
        int whole = Count(null, _long);
        Assert.Empty(Plan(whole + 1, ContextOverflow.DropOldestTurns, null, _long, maxNewTokens: 1).DroppedMessages);
        Assert.Equal([1, 2], Plan(whole + 1, ContextOverflow.DropOldestTurns, null, _long, maxNewTokens: 2).DroppedMessages);
        Assert.Empty(Plan(whole + 2, ContextOverflow.DropOldestTurns, null, _long, maxNewTokens: 2).DroppedMessages);
    }

    [Fact]
    public void Plan_LongHistory_IsCutQuickly()
    {
        string[] history = [.. Enumerable.Range(0, 4001).Select(i => $"{(i % 2 == 0 ? 'u' : 'a')}:{i}")];
        ChatPlan plan = Plan(200, ContextOverflow.DropOldestTurns, null, history);
        Assert.InRange(plan.Prompt.TokenIds.Count, 100, 150);
        Assert.EndsWith("[INST] 4000 [/INST]", plan.Prompt.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Plan_OtherPolicies_LeaveItToTheEngine()
    {
        Assert.Empty(Plan(20, ContextOverflow.Throw, null, _long).DroppedMessages);
        Assert.Empty(Plan(20, ContextOverflow.TruncateLeft, null, _long).DroppedMessages);
    }

    [Fact]
    public void Plan_BrokenConversation_CountsAsTheCallerDoes()
    {
        foreach (string? instructions in new[] { null, "Be kind." })
        {
            string message = Assert.Throws<ArgumentException>(() => Plan(100, ContextOverflow.Throw, instructions, "u:x", "u:y")).Message;
            Assert.Contains("Message 1 (user)", message, StringComparison.Ordinal);
        }

        Assert.Throws<ArgumentException>(() => Plan(100, ContextOverflow.Throw, "Be kind."));
        var planner = new ChatPromptPlanner(_tokenizer, new Llama2ChatTemplate(), 100);
        Assert.Contains("Message 0 is null", Assert.Throws<ArgumentException>(() => planner.Plan([null!], null, new())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Plan_TemplateOfTheCallers_StillGetsTextOnly()
    {
        var planner = new ChatPromptPlanner(_tokenizer, new Shouting(), 100);
        Assert.Equal("HELLO", planner.Plan([new(ChatRole.User, "hello")], null, new()).Prompt.Text);
        foreach (AIContent content in new AIContent[]
        {
            new UriContent("http://localhost/x.png", "image/png"), new FunctionCallContent("1", "f"), new FunctionResultContent("1", 2),
            new TextReasoningContent("hm"), new ErrorContent("no"),
        })
        {
            string message = Assert.Throws<NotSupportedException>(() =>
                planner.Plan([new(ChatRole.User, "x"), new(ChatRole.Assistant, [content])], null, new())).Message;
            Assert.Contains($"Message 1 (assistant) holds {content.GetType().Name}", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Cut_TruncateLeft_KeepsBeginAndEnd()
    {
        var planner = new ChatPromptPlanner(_tokenizer, new Llama2ChatTemplate(), 40);
        var effective = new GenerationOptions { ContextOverflow = ContextOverflow.TruncateLeft };
        ChatPrompt prompt = planner.Plan(Llama2ChatTemplateTests.Messages(_long), null, effective).Prompt;
        (ChatPrompt cut, int dropped) = planner.Cut(prompt, effective);
        Assert.Equal([1, .. prompt.TokenIds.TakeLast(29)], cut.TokenIds);
        Assert.Equal(prompt.TokenIds.Count - 30, dropped);
        Assert.Equal(30, cut.Spans.Sum(span => span.Count));
        Assert.Equal(prompt.Spans[^1].Count, cut.Spans[^1].Count);
        Assert.Equal((0, 0), (cut.Spans[0].MessageIndex, cut.Spans[0].Start));
        Assert.Equal((prompt, 0), planner.Cut(prompt, new() { ContextOverflow = ContextOverflow.Throw }));
    }

    private static int Count(string? instructions, string[] messages) => Plan(100_000, ContextOverflow.Throw, instructions, messages).Prompt.TokenIds.Count;

    private static ChatPlan Plan(int context, ContextOverflow policy, string? instructions, params string[] messages) =>
        Plan(context, policy, instructions, messages, null);

    private static ChatPlan Plan(int context, ContextOverflow policy, string? instructions, string[] messages, int? maxNewTokens) =>
        new ChatPromptPlanner(_tokenizer, new Llama2ChatTemplate(), context)
            .Plan(Llama2ChatTemplateTests.Messages(messages), instructions, new() { ContextOverflow = policy, MaxNewTokens = maxNewTokens });

    private sealed class Shouting : IChatTemplate
    {
        public void Write(IReadOnlyList<ChatMessage> messages, ChatPromptWriter writer) => writer.Text(messages[^1].Text.ToUpperInvariant());
    }
}
