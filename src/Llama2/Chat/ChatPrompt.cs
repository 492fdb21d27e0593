namespace Llama2;

/// <summary>A rendered prompt.</summary>
/// <param name="Text">The text with control tokens spelt out, for people.</param>
/// <param name="TokenIds">What the model reads.</param>
/// <param name="Spans">The ids of each message, in the order of the prompt.</param>
public sealed record ChatPrompt(string Text, IReadOnlyList<int> TokenIds, IReadOnlyList<ChatMessageSpan> Spans);

/// <summary>The ids of one message in a prompt, with the tags that the template puts around it.</summary>
/// <param name="MessageIndex">
/// The message's index in the conversation that was passed in; −1 for <see cref="Microsoft.Extensions.AI.ChatOptions.Instructions"/>.
/// </param>
/// <param name="Start">The first id.</param>
/// <param name="Count">The number of ids. A token that reaches into the next message counts here.</param>
public readonly record struct ChatMessageSpan(int MessageIndex, int Start, int Count);
