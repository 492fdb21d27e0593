using System.CommandLine;

namespace Llama2.Cli;

/// <summary>A conversation at the terminal, or one turn per line of standard input.</summary>
internal sealed class ChatCommand : Command
{
    private const string Details = """
        Type /help for what can be typed besides messages. Where standard input is no terminal, each of its lines is a turn.
        Ctrl-C stops an answer; a second time, or at the prompt, it ends the chat. So does the end of input.
        Settings that are not given are those of the model's generation_config.json, else the defaults above; the oldest turns
        are dropped when a chat outgrows the context, unless --context-overflow says otherwise.
        """;

    private readonly ModelArguments _model = new();
    private readonly AdapterArguments _adapter = new();
    private readonly GenerationArguments _generation = new();
    private readonly Option<string?> _system = new("--system") { Description = "The system message", HelpName = "TEXT" };

    public ChatCommand(Terminal terminal)
        : base("chat", "Talks with a chat model, at the terminal or line by line.")
    {
        _model.AddTo(this);
        _adapter.AddTo(this);
        Add(HelpWithDetails.Option(Details));
        Add(_system);
        _generation.AddTo(this);
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        LlamaModelOptions options = _model.Bind(parse);
        options.Generation = _generation.Bind(parse);
        _adapter.Bind(parse, options);
        options.Generation.ContextOverflow ??= ContextOverflow.DropOldestTurns;        // a long chat goes on
        using LlamaModel model = await _model.LoadAsync(parse, options, terminal, cancellationToken);
        if (terminal.InputIsTerminal)
        {
            terminal.Error.WriteLine($"{model.ModelId}: {model.ContextLength} tokens of context. /help lists the commands, Ctrl-D ends.");
        }

        var session = new ChatSession(model.AsIChatClient(leaveOpen: true), terminal, parse.GetValue(_system));
        return await session.RunAsync(cancellationToken);
    }
}
