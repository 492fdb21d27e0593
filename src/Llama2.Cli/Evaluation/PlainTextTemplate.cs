using Microsoft.Extensions.AI;

namespace Llama2.Cli;

/// <summary>No chat at all: begin of text and the prompt's own ids, for models that go on from a text.</summary>
internal sealed class PlainTextTemplate : IChatTemplate
{
    public void Write(IReadOnlyList<ChatMessage> messages, ChatPromptWriter writer)
    {
        if (messages is not [{ } prompt] || prompt.Role != ChatRole.User)
        {
            throw new ArgumentException("text-generation goes on from one text: rows are no conversations, and there is no system message.");
        }

        writer.Id(writer.Tokenizer.BeginOfTextId);
        writer.BeginMessage(0);
        writer.Text(prompt.Text);
    }
}
