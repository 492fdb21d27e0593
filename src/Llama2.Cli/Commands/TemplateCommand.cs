using System.CommandLine;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Llama2.Cli;

/// <summary>Messages to the prompt that a chat model reads, for scripts.</summary>
internal sealed class TemplateCommand : Command
{
    public TemplateCommand(Terminal terminal)
        : base("template", "Turns {\"messages\": [{\"role\", \"content\"}]} into {\"prompt\", \"ids\"}, line by line.")
    {
        var tokenizer = new TokenizerArgument();
        tokenizer.AddTo(this);
        Add(HelpWithDetails.Option(
            "The ids are what a Llama-2 chat model reads; the prompt is the same with control tokens spelt out.\n" + JsonLines.Contract));
        SetAction((parse, cancellationToken) =>
        {
            LlamaTokenizer loaded = tokenizer.Load(parse);
            return JsonLines.RunAsync(terminal, (line, answer) => Write(Render(loaded, line), answer), cancellationToken);
        });
    }

    private static ChatPrompt Render(LlamaTokenizer tokenizer, JsonElement line)
    {
        List<ChatMessage> messages = [.. line.Member("messages", JsonValueKind.Array).EnumerateArray().Select(Message)];
        var writer = new ChatPromptWriter(tokenizer);
        new Llama2ChatTemplate().Write(messages, writer);
        return writer.ToPrompt();
    }

    private static ChatMessage Message(JsonElement message)
    {
        string role = message.Member("role", JsonValueKind.String).GetString()!;
        return string.IsNullOrWhiteSpace(role)
            ? throw new FormatException("\"role\" is empty.")
            : new ChatMessage(new ChatRole(role), message.Member("content", JsonValueKind.String).GetString()!);
    }

    private static void Write(ChatPrompt prompt, Utf8JsonWriter answer)
    {
        answer.WriteString("prompt", prompt.Text);
        answer.WriteIds("ids", prompt.TokenIds);
    }
}
