using Microsoft.Extensions.AI;

namespace Llama2.Training;

/// <summary>What a row says: a conversation, or a text with or without an answer.</summary>
internal sealed record DataRow(string Text, string? Answer, IReadOnlyList<ChatMessage>? Messages)
{
    public static DataRow Conversation(IReadOnlyList<ChatMessage> messages) => new("", null, messages);

    public static DataRow Pair(string text, string? answer) => new(text, answer, null);
}
