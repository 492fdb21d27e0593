using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>The format that the Llama-2 chat models were trained on, id for id as Meta's own code writes it.</summary>
public sealed class Llama2ChatTemplate : IChatTemplate
{
    /// <inheritdoc/>
    public void Write(IReadOnlyList<ChatMessage> messages, ChatPromptWriter writer) => throw new NotImplementedException();
}
