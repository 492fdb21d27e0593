using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>A conversation with calls and results written out as text, so that a template that knows text only can write it.</summary>
/// <remarks>Results become the user's; messages of one role that come to stand side by side become one.</remarks>
internal sealed class ToolConversation
{
    private readonly List<int[]> _origins = [];          // by message: those that it was made of

    private ToolConversation(IReadOnlyList<ChatMessage> messages) => Messages = messages;

    public IReadOnlyList<ChatMessage> Messages { get; private init; }

    /// <param name="conversation">The conversation; where it has neither calls nor results it stays as it is.</param>
    public static ToolConversation From(IReadOnlyList<ChatMessage> conversation)
    {
        if (!conversation.Any(message => message is not null && IsOfTools(message)))
        {
            return new(conversation);
        }

        var messages = new List<ChatMessage>();
        var written = new ToolConversation(messages);
        for (int i = 0; i < conversation.Count; i++)
        {
            ChatMessage message = Write(conversation[i]);
            bool joins = i > 0 && messages[^1].Role == message.Role && (IsOfTools(conversation[i]) || IsOfTools(conversation[i - 1]));
            if (joins)
            {
                messages[^1] = new(message.Role, [.. messages[^1].Contents, new TextContent("\n"), .. message.Contents]);
                written._origins[^1] = [.. written._origins[^1], i];
            }
            else
            {
                messages.Add(message);
                written._origins.Add([i]);
            }
        }

        return written;
    }

    /// <summary>A plan for the written messages, with the indexes of the caller's.</summary>
    public ChatPlan Restore(ChatPlan plan) => _origins.Count == 0 ? plan : plan with
    {
        Prompt = plan.Prompt with { Spans = [.. plan.Prompt.Spans.Select(span => span.MessageIndex < 0 ? span : span with { MessageIndex = _origins[span.MessageIndex][0] })] },
        DroppedMessages = [.. plan.DroppedMessages.SelectMany(index => _origins[index])],
    };

    private static bool IsOfTools(ChatMessage message) =>
        message.Role == ChatRole.Tool || message.Contents.Any(content => content is FunctionCallContent or FunctionResultContent);

    private static ChatMessage Write(ChatMessage message) => message is null || !IsOfTools(message) ? message! : new(
        message.Role == ChatRole.Tool ? ChatRole.User : message.Role,
        [
            .. message.Contents.Select(content => content switch
            {
                FunctionCallContent call => new TextContent(ToolCallFormat.Spell(call)),
                FunctionResultContent result => new TextContent(ToolCallFormat.Spell(result)),
                _ => content,
            }),
        ]);
}
