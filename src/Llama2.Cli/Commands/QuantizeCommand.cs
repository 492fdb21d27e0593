using System.CommandLine;

namespace Llama2.Cli;

/// <summary>Converts a checkpoint to a GGUF file, which llama.cpp opens too.</summary>
internal sealed class QuantizeCommand : Command
{
    private readonly Argument<string> _model = new("MODEL") { Description = "A Hugging Face folder, a folder of Meta's, or a .gguf file" };
    private readonly OutputPath _output = new("A new .gguf file");
    private readonly Option<WeightFormat?> _format = Choice.Option("--format", "How the matrices are stored; norms stay f32", Choice.Formats);
    private readonly Option<bool> _verbose = new("--verbose") { Description = "Show where an error comes from" };

    public QuantizeCommand(Terminal terminal)
        : base("quantize", "Converts a model to a .gguf file.")
    {
        _format.Required = true;
        Add(_model);
        _output.AddTo(this);
        Add(_format);
        Add(_verbose);
        Add(HelpWithDetails.Option(
            "The tokenizer goes along, and llama.cpp opens the file too. One tensor is in memory at a time; the file appears when it is whole."));
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        string output = _output.Check(parse);
        if (!OutputPath.IsGguf(output))
        {
            throw new UsageException($"'{output}' is to be a GGUF file: give it a name that ends with .gguf.");
        }

        using Checkpoint checkpoint = Checkpoint.Open(parse.GetRequiredValue(_model));
        await ProgressBar.ShowAsync(terminal, "writing", progress => Task.Run(
            () =>
            {
                GgufFile.Write(checkpoint, output, parse.GetRequiredValue(_format)!.Value, progress, cancellationToken);
                return true;
            },
            cancellationToken));
        terminal.Error.WriteLine($"{output}: {ByteSize.Format(new FileInfo(output).Length)}");
        return CommandLine.Success;
    }
}
