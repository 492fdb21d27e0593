using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>The format that the Llama-2 chat models were trained on, id for id as Meta's own code writes it. Thread-safe.</summary>
/// <remarks>
/// <para>
/// <c>&lt;s&gt;[INST] &lt;&lt;SYS&gt;&gt;\n{system}\n&lt;&lt;/SYS&gt;&gt;\n\n{user} [/INST] {assistant} &lt;/s&gt;&lt;s&gt;[INST] {user} [/INST]</c>:
/// <c>&lt;s&gt;</c> and <c>&lt;/s&gt;</c> are ids, all else is text, a user's turn and its answer encoded as one. Turns lose the white space
/// around them, the system message and the first user's turn as one text.
/// </para>
/// <para>
/// A conversation is any number of system messages (joined by a blank line), then user and assistant in turn, the user last. Tags in a message
/// are plain text. Author names have no place in the format and are passed over.
/// </para>
/// </remarks>
public sealed class Llama2ChatTemplate : IChatTemplate
{
    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">A message holds something else than text.</exception>
    public void Write(IReadOnlyList<ChatMessage> messages, ChatPromptWriter writer)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ArgumentNullException.ThrowIfNull(writer);
        int systemCount = Check(messages);

        for (int i = systemCount; i < messages.Count; i += 2)
        {
            writer.BeginMessage(i == systemCount ? 0 : i);
            writer.Id(writer.Tokenizer.BeginOfTextId);
            writer.Text("[INST] ");
            if (i == systemCount && systemCount > 0)
            {
                WriteSystemAndUser(messages, systemCount, writer);
            }
            else
            {
                writer.Text(Strip(ChatContents.TextOf(messages[i], i)));
            }

            writer.Text(" [/INST]");
            if (i + 1 < messages.Count)
            {
                writer.BeginMessage(i + 1);
                writer.Text($" {Strip(ChatContents.TextOf(messages[i + 1], i + 1))} ");
                writer.Id(writer.Tokenizer.EndOfTextId);
            }
        }
    }

    private static void WriteSystemAndUser(IReadOnlyList<ChatMessage> messages, int systemCount, ChatPromptWriter writer)
    {
        writer.Text("<<SYS>>\n");
        for (int i = 0; i < systemCount; i++)
        {
            if (i > 0)
            {
                writer.BeginMessage(i);
                writer.Text("\n\n");
            }

            writer.Text(ChatContents.TextOf(messages[i], i));
        }

        // Both are stripped as one text, so white space is lost at the end only, and all of it if the user says nothing.
        string user = StripEnd(ChatContents.TextOf(messages[systemCount], systemCount));
        writer.Text(user.Length > 0 ? "\n<</SYS>>\n\n" : "\n<</SYS>>");
        writer.BeginMessage(systemCount);
        writer.Text(user);
    }

    /// <summary>Checks the order of roles and returns the number of system messages at the beginning.</summary>
    private static int Check(IReadOnlyList<ChatMessage> messages)
    {
        if (messages.Count == 0)
        {
            throw new ArgumentException("A conversation has at least one message, the user's.", nameof(messages));
        }

        int systemCount = 0;
        for (int i = 0; i < messages.Count; i++)
        {
            ChatRole role = messages[i] is { } message ? message.Role : throw Broken(messages, i, "it is null");
            if (role == ChatRole.System)
            {
                systemCount = i == systemCount ? i + 1 : throw Broken(messages, i, "system messages stand at the beginning only");
                continue;
            }

            if (role != ChatRole.User && role != ChatRole.Assistant)
            {
                throw Broken(messages, i, "the Llama-2 format has the roles system, user and assistant only");
            }

            ChatRole expected = (i - systemCount) % 2 == 0 ? ChatRole.User : ChatRole.Assistant;
            if (role != expected)
            {
                throw Broken(messages, i, $"user and assistant take turns, the user first; here it is the {expected}'s turn");
            }
        }

        int last = messages.Count - 1;
        return messages[last].Role == ChatRole.User ? systemCount : throw Broken(messages, last, "the last message must be the user's");
    }

    private static ArgumentException Broken(IReadOnlyList<ChatMessage> messages, int index, string rule) =>
        new($"Message {index} ({messages[index]?.Role.Value ?? "no role"}): {rule}.", nameof(messages));

    private static string Strip(string text)
    {
        int start = 0;
        while (start < text.Length && IsSpace(text[start]))
        {
            start++;
        }

        return StripEnd(text[start..]);
    }

    private static string StripEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
        {
            end--;
        }

        return text[..end];
    }

    /// <summary>White space as Python's <c>str.strip</c> has it: .NET's and the four separators from U+001C.</summary>
    private static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';
}
