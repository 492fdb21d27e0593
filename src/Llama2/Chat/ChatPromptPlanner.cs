using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>Renders a conversation and leaves out the oldest turns where the context policy says so. Thread-safe.</summary>
internal sealed class ChatPromptPlanner(LlamaTokenizer tokenizer, IChatTemplate template, int contextLength)
{
    private const int Instructions = -1;

    /// <param name="messages">The conversation; it is neither kept nor changed.</param>
    /// <param name="instructions">Goes before the conversation's own system messages.</param>
    /// <param name="effective">Every setting that has a default filled in.</param>
    /// <exception cref="ArgumentException">There is no message, or the template refuses one.</exception>
    /// <exception cref="NotSupportedException">A message holds something else than text.</exception>
    public ChatPlan Plan(IReadOnlyList<ChatMessage> messages, string? instructions, GenerationOptions effective)
    {
        if (messages.Count == 0)
        {
            throw new ArgumentException("A conversation has at least one message.", nameof(messages));
        }

        for (int i = 0; i < messages.Count; i++)
        {
            _ = ChatContents.TextOf(messages[i] ?? throw new ArgumentException($"Message {i} is null.", nameof(messages)), i);
        }

        int[] head = string.IsNullOrWhiteSpace(instructions) ? [] : [Instructions];
        ChatPrompt whole = RenderAll(messages, instructions, head);
        int limit = contextLength - AnswerReserve(effective);
        if (effective.ContextOverflow != ContextOverflow.DropOldestTurns || whole.TokenIds.Count <= limit)
        {
            return new(whole, [], 0);
        }

        // A turn is a user's message with what follows it. The fewest turns that must go are found by bisection, for long histories.
        int systemCount = messages.TakeWhile(message => message.Role == ChatRole.System).Count();
        int[] turns = [.. Enumerable.Range(systemCount, messages.Count - systemCount).Where(i => messages[i].Role == ChatRole.User)];
        ChatPrompt kept = whole;
        int first = systemCount, low = 1, high = turns.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            ChatPrompt candidate = Render(messages, instructions, Kept(turns[middle]));
            bool fits = candidate.TokenIds.Count <= limit;
            if (fits || middle == turns.Length - 1)
            {
                (kept, first) = (candidate, turns[middle]);
            }

            (low, high) = fits ? (low, middle - 1) : (middle + 1, high);
        }

        int[] dropped = [.. Enumerable.Range(systemCount, first - systemCount)];
        return new(kept, dropped, whole.TokenIds.Count - kept.TokenIds.Count);

        int[] Kept(int from) => [.. head, .. Enumerable.Range(0, systemCount), .. Enumerable.Range(from, messages.Count - from)];
    }

    /// <summary>The prompt as <see cref="ContextOverflow.TruncateLeft"/> leaves it: the engine cuts the ids the same way.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="effective">Every setting that has a default filled in.</param>
    /// <param name="wholeAnswer">Whether to cut also where the prompt fits, but not all of the answer.</param>
    public (ChatPrompt Prompt, int DroppedTokens) Cut(ChatPrompt prompt, GenerationOptions effective, bool wholeAnswer = false)
    {
        int count = prompt.TokenIds.Count, kept = contextLength - AnswerReserve(effective);
        if (effective.ContextOverflow != ContextOverflow.TruncateLeft || count < (wholeAnswer ? kept + 1 : contextLength) || kept < 1)
        {
            return (prompt, 0);
        }

        int start = prompt.TokenIds[0] == tokenizer.BeginOfTextId ? 1 : 0, dropped = count - kept;
        int[] ids = [.. prompt.TokenIds.Take(start), .. prompt.TokenIds.Skip(start + dropped)];
        var spans = from span in prompt.Spans
                    let first = After(span.Start)
                    let last = After(span.Start + span.Count)
                    where last > first
                    select span with { Start = first, Count = last - first };
        return (prompt with { TokenIds = ids, Spans = [.. spans] }, dropped);

        int After(int position) => position <= start ? position : Math.Max(start, position - dropped);
    }

    /// <summary>The ids that the model would generate to give an answer, as the template writes it into a conversation: its end included.</summary>
    /// <param name="plan">The prompt.</param>
    /// <param name="messages">The conversation that it was made of.</param>
    /// <param name="instructions">What went before them.</param>
    /// <param name="answer">A text that is not blank.</param>
    /// <exception cref="ArgumentException">A token reaches from the prompt into the answer, so that the model would never give it.</exception>
    public int[] EncodeAnswer(ChatPlan plan, IReadOnlyList<ChatMessage> messages, string? instructions, string answer)
    {
        // A template writes what the model is to answer, so one more question goes behind and is cut off again.
        ChatMessage[] conversation = [.. messages, new(ChatRole.Assistant, answer), new(ChatRole.User, "-")];
        int[] head = string.IsNullOrWhiteSpace(instructions) ? [] : [Instructions];
        ChatPrompt whole = Render(conversation, instructions, [.. head, .. Enumerable.Range(0, conversation.Length).Except(plan.DroppedMessages)]);
        int start = plan.Prompt.TokenIds.Count;
        int end = whole.Spans.First(span => span.MessageIndex == messages.Count + 1).Start;
        return end > start && whole.TokenIds.Take(start).SequenceEqual(plan.Prompt.TokenIds)
            ? [.. whole.TokenIds.Take(start..end)]
            : throw new ArgumentException($"The answer '{answer}' has no tokens of its own behind the prompt: one reaches from the prompt into it.", nameof(answer));
    }

    /// <summary>Tokens that a policy keeps free for the answer: what was asked for, at most a quarter of the context.</summary>
    private int AnswerReserve(GenerationOptions effective) => Math.Max(1, Math.Min(effective.MaxNewTokens ?? int.MaxValue, contextLength / 4));

    private ChatPrompt RenderAll(IReadOnlyList<ChatMessage> messages, string? instructions, int[] head)
    {
        int[] all = [.. Enumerable.Range(0, messages.Count)];
        try
        {
            return Render(messages, instructions, [.. head, .. all]);
        }
        catch (ArgumentException) when (head.Length > 0)
        {
            // The template counted the instructions as message 0. Without them it names the message as the caller counts.
            _ = Render(messages, instructions, all);
            throw;
        }
    }

    private ChatPrompt Render(IReadOnlyList<ChatMessage> messages, string? instructions, int[] indexes)
    {
        var writer = new ChatPromptWriter(tokenizer);
        template.Write([.. indexes.Select(i => i == Instructions ? new ChatMessage(ChatRole.System, instructions) : messages[i])], writer);
        ChatPrompt prompt = writer.ToPrompt();
        return prompt with { Spans = [.. prompt.Spans.Select(span => span with { MessageIndex = indexes[span.MessageIndex] })] };
    }
}

/// <summary>A prompt with what was left out of it.</summary>
internal sealed record ChatPlan(ChatPrompt Prompt, IReadOnlyList<int> DroppedMessages, int DroppedTokens);
