using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>Turns messages into the ids that a chat model was trained on. Implementations are thread-safe.</summary>
public interface IChatTemplate
{
    /// <summary>Writes a conversation that the model is to answer.</summary>
    /// <param name="messages">The messages; the last one is the user's.</param>
    /// <param name="writer">Where ids and text go.</param>
    /// <exception cref="ArgumentException">The messages break a rule of the template; the message says which one and where.</exception>
    void Write(IReadOnlyList<ChatMessage> messages, ChatPromptWriter writer);
}

/// <summary>Collects the ids of a prompt: control tokens enter as ids, text as text, so no text can forge a control token.</summary>
public sealed class ChatPromptWriter
{
    /// <summary>Initializes a new instance of the <see cref="ChatPromptWriter"/> class.</summary>
    /// <param name="tokenizer">The tokenizer of the model.</param>
    public ChatPromptWriter(LlamaTokenizer tokenizer) => Tokenizer = tokenizer;

    /// <summary>Gets the tokenizer of the model.</summary>
    public LlamaTokenizer Tokenizer { get; }

    /// <summary>Says that what follows belongs to the message with this index, for <see cref="ChatPrompt.Spans"/>.</summary>
    /// <param name="index">The index in the list of messages.</param>
    public void BeginMessage(int index) => throw new NotImplementedException();

    /// <summary>Writes a control token.</summary>
    /// <param name="id">Its id.</param>
    public void Id(int id) => throw new NotImplementedException();

    /// <summary>Encodes a text as a segment of its own (with the dummy prefix that Meta's own code gives each segment).</summary>
    /// <param name="text">Plain text; control tokens in it are plain text too.</param>
    public void Text(string text) => throw new NotImplementedException();

    /// <summary>Ends the prompt.</summary>
    public ChatPrompt ToPrompt() => throw new NotImplementedException();
}

/// <summary>A rendered prompt.</summary>
/// <param name="Text">The text with control tokens spelt out, for people.</param>
/// <param name="TokenIds">What the model reads.</param>
/// <param name="Spans">The ids of each message.</param>
public sealed record ChatPrompt(string Text, IReadOnlyList<int> TokenIds, IReadOnlyList<ChatMessageSpan> Spans);

/// <summary>The ids of one message in a prompt.</summary>
/// <param name="MessageIndex">The message's index in the conversation that was passed in.</param>
/// <param name="Start">The first id.</param>
/// <param name="Count">The number of ids.</param>
public readonly record struct ChatMessageSpan(int MessageIndex, int Start, int Count);
