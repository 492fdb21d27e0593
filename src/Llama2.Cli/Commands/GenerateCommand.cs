using System.CommandLine;

namespace Llama2.Cli;

/// <summary>Goes on from a bare text: begin of text, the prompt's ids, no chat template.</summary>
internal sealed class GenerateCommand : Command
{
    private const string Details = """
        Reads begin of text and the prompt's own ids. Prints the text as it comes, and a line end after it; --json has the text exactly.
        Settings that are not given are those of the model's generation_config.json, else the defaults above.
        Ctrl-C stops: what there is by then is printed (with finish reason "cancelled"), and the exit code is 1.
        """;

    private readonly ModelArguments _model = new();
    private readonly AdapterArguments _adapter = new();
    private readonly GenerationArguments _generation = new();

    private readonly Option<string?> _prompt = new("--prompt")
    {
        Description = "The text to go on from, exactly as it stands; may be empty",
        HelpName = "TEXT",
    };

    private readonly Option<string?> _promptFile = new("--prompt-file")
    {
        Description = "Read that text from a UTF-8 file; - is standard input",
        HelpName = "FILE",
    };

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object at the end: ids, text, finish reason, usage, timings, settings",
    };

    public GenerateCommand(Terminal terminal)
        : base("generate", "Goes on from a text, without a chat template.")
    {
        _model.AddTo(this);
        _adapter.AddTo(this);
        Add(HelpWithDetails.Option(Details));
        Add(_prompt);
        Add(_promptFile);
        Add(_json);
        _generation.AddTo(this, _json);
        Validators.Add(result =>
        {
            if ((result.GetResult(_prompt) is null) == (result.GetResult(_promptFile) is null))
            {
                result.AddError($"Give {_prompt.Name} or {_promptFile.Name}.");
            }
        });
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        GenerationOptions options = _generation.Bind(parse);
        string prompt = await ReadPromptAsync(parse, terminal, cancellationToken);
        LlamaModelOptions modelOptions = _model.Bind(parse);
        _adapter.Bind(parse, modelOptions);
        using LlamaModel model = await _model.LoadAsync(parse, modelOptions, terminal, cancellationToken);
        int[] ids = [model.Tokenizer.BeginOfTextId, .. model.Tokenizer.Encode(prompt)];

        bool json = parse.GetValue(_json);
        GenerationResult? result = null;
        try
        {
            await foreach (GenerationUpdate update in model.Engine.GenerateAsync(ids, options, cancellationToken))
            {
                result = update.Result;
                if (!json && update.Text.Length > 0)
                {
                    await terminal.Output.WriteAsync(update.Text);
                    await terminal.Output.FlushAsync(CancellationToken.None);
                }
            }
        }
        catch (GenerationCanceledException cancelled)
        {
            result = cancelled.Result;
        }

        await terminal.Output.WriteLineAsync(json ? GenerationReport.ToJson(prompt, result!) : "");
        await terminal.Output.FlushAsync(CancellationToken.None);
        return result!.FinishReason == GenerationFinishReason.Cancelled ? throw new OperationCanceledException(cancellationToken) : CommandLine.Success;
    }

    private async Task<string> ReadPromptAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken) => parse.GetValue(_promptFile) switch
    {
        null => parse.GetValue(_prompt) ?? "",
        "-" => await Task.Run(terminal.Input.ReadToEnd, cancellationToken).WaitAsync(cancellationToken),
        { } file => await File.ReadAllTextAsync(file, cancellationToken),
    };
}
