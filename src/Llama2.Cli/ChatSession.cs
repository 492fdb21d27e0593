using Microsoft.Extensions.AI;

namespace Llama2.Cli;

/// <summary>The turns of a chat: reads lines, obeys those that begin with a slash, answers the others.</summary>
internal sealed class ChatSession(IChatClient client, Terminal terminal, string? system)
{
    private const string Help = """
        /system TEXT   set the system message (without TEXT: remove it)
        /reset         forget the turns; the system message stays
        /save FILE     write the conversation as JSON, one line that 'llama2 template' reads
        /help          this list
        /exit          end (so does Ctrl-D)
        //TEXT         say something that begins with a slash
        """;

    private readonly List<ChatMessage> _turns = [];
    private string? _system = system;
    private string? _saved;

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        while (await ReadAsync(cancellationToken) is { } line)
        {
            string text = line.Trim();
            if (text is "/exit" or "/quit")
            {
                break;
            }

            if (text.Length == 0)
            {
                continue;
            }

            if (text[0] == '/' && !text.StartsWith("//", StringComparison.Ordinal))
            {
                Obey(text);
            }
            else
            {
                await AnswerAsync(text[0] == '/' ? text[1..] : text, cancellationToken);
            }
        }

        return CommandLine.Success;
    }

    /// <summary>The next line; null at the end of the input, or at Ctrl-C.</summary>
    private async Task<string?> ReadAsync(CancellationToken cancellationToken)
    {
        if (terminal.InputIsTerminal)
        {
            terminal.Error.Write("> ");
        }

        try
        {
            string? line = await JsonLines.NextLineAsync(terminal, cancellationToken);
            if (line is null && terminal.InputIsTerminal)
            {
                terminal.Error.WriteLine();                     // Ctrl-D leaves the cursor behind the prompt
            }

            return line;
        }
        catch (OperationCanceledException) when (terminal.InputIsTerminal)
        {
            terminal.Error.WriteLine();
            return null;
        }
    }

    private void Obey(string text)
    {
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        string command = space < 0 ? text : text[..space], rest = space < 0 ? "" : text[space..].Trim();
        switch (command)
        {
            case "/help":
                terminal.Error.WriteLine(Help);
                break;
            case "/reset":
                _turns.Clear();
                break;
            case "/system":
                _system = rest.Length == 0 ? null : rest;
                break;
            case "/save":
                Save(rest);
                break;
            default:
                Refuse($"{command} is no command; /help lists them, //… says a text that begins with a slash.");
                break;
        }
    }

    private async Task AnswerAsync(string text, CancellationToken cancellationToken)
    {
        _turns.Add(new(ChatRole.User, text));
        var answer = new List<ChatResponseUpdate>();
        using CancellationTokenSource step = terminal.Interrupts.BeginStep();
        try
        {
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(Conversation(), cancellationToken: step.Token))
            {
                answer.Add(update);
                await terminal.Output.WriteAsync(update.Text);
                await terminal.Output.FlushAsync(CancellationToken.None);
            }

            if (answer.Count > 0 && answer[^1].FinishReason == ChatFinishReason.Length)
            {
                terminal.Error.Write(terminal.ErrorIsTerminal ? " […]" : "");
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            terminal.Error.Write(terminal.ErrorIsTerminal ? " [stopped]" : "");
        }
        catch (Exception exception) when (terminal.InputIsTerminal && exception is InvalidOperationException or ArgumentException)
        {
            Refuse(CommandLine.Describe(exception));            // a person can shorten the message or /reset; a script cannot
        }
        finally
        {
            terminal.Interrupts.EndStep();
        }

        await terminal.Output.WriteLineAsync();
        await terminal.Output.FlushAsync(CancellationToken.None);
        Remember(string.Concat(answer.Select(update => update.Text)));
    }

    /// <summary>Keeps the answer, or forgets the question that got none: turns alternate.</summary>
    private void Remember(string answer)
    {
        if (answer.Length > 0)
        {
            _turns.Add(new(ChatRole.Assistant, answer));
        }
        else
        {
            _turns.RemoveAt(_turns.Count - 1);
        }
    }

    private List<ChatMessage> Conversation() => _system is null ? _turns : [new(ChatRole.System, _system), .. _turns];

    private void Save(string path)
    {
        if (path.Length == 0 || (File.Exists(path) && path != _saved))
        {
            Refuse(path.Length == 0 ? "/save needs the name of a file." : $"'{path}' exists; /save replaces only what it wrote in this chat.");
            return;
        }

        try
        {
            File.WriteAllText(path, ToJson() + "\n");
            _saved = path;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Refuse(CommandLine.Describe(exception));
        }
    }

    private string ToJson() => Json.Object(json =>
    {
        json.WriteStartArray("messages");
        foreach (ChatMessage message in Conversation())
        {
            json.WriteStartObject();
            json.WriteString("role", message.Role.Value);
            json.WriteString("content", message.Text);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    private void Refuse(string message) => terminal.Error.WriteLine($"error: {message}");
}
