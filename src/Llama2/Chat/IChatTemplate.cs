using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>Turns messages into the ids that a chat model was trained on. Implementations are thread-safe.</summary>
/// <remarks>
/// The messages hold text only: <see cref="LlamaModel.AsIChatClient"/> refuses other content before it asks the template.
/// <see cref="ChatOptions.Instructions"/> arrive as a system message before all others.
/// </remarks>
public interface IChatTemplate
{
    /// <summary>Writes a conversation that the model is to answer.</summary>
    /// <param name="messages">The messages; the last one is the user's.</param>
    /// <param name="writer">Where ids and text go.</param>
    /// <exception cref="ArgumentException">The messages break a rule of the template; the message says which one and where.</exception>
    void Write(IReadOnlyList<ChatMessage> messages, ChatPromptWriter writer);
}
