using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>What a message holds for a model that reads text.</summary>
internal static class ChatContents
{
    /// <summary>The text of a message. Token counts of an earlier answer are passed over, since they say nothing to the model.</summary>
    /// <exception cref="NotSupportedException">The message holds something else; the exception names it.</exception>
    public static string TextOf(ChatMessage message, int index)
    {
        foreach (AIContent content in message.Contents)
        {
            if (content is not (TextContent or UsageContent))
            {
                throw new NotSupportedException($"Message {index} ({message.Role}) holds {content?.GetType().Name ?? "null"}; the model reads text only.");
            }
        }

        return message.Text;
    }
}
