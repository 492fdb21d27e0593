using System.CommandLine;

namespace Llama2.Cli;

/// <summary>Adds an adapter to a model's weights and writes the sum as a model.</summary>
internal sealed class MergeCommand : Command
{
    private readonly Argument<string> _model = new("MODEL") { Description = "The model below: a Hugging Face folder, a folder of Meta's, or a .gguf file" };
    private readonly Argument<string> _adapter = new("ADAPTER") { Description = "A PEFT folder: adapter_config.json, adapter_model.safetensors" };
    private readonly OutputPath _output = new("A new folder in Hugging Face's layout, or a new .gguf file");
    private readonly Option<WeightFormat?> _format = Choice.Option(
        "--format", "How the matrices are stored (default: f32); a folder takes f32, f16, bf16", Choice.Formats);

    private readonly Option<bool> _verbose = new("--verbose") { Description = "Show where an error comes from" };

    public MergeCommand(Terminal terminal)
        : base("merge", "Merges a LoRA adapter into its model.")
    {
        Add(_model);
        Add(_adapter);
        _output.AddTo(this);
        Add(_format);
        Add(_verbose);
        Add(HelpWithDetails.Option(
            "The sum is computed in single precision, one tensor at a time. The tokenizer goes along; what is written appears when it is whole."));
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        string output = _output.Check(parse);
        WeightFormat format = OutputPath.CheckFormat(output, parse.GetValue(_format));
        using Checkpoint checkpoint = Checkpoint.Open(parse.GetRequiredValue(_model));
        using var merged = new MergedCheckpoint(checkpoint, PeftFolder.Read(parse.GetRequiredValue(_adapter), checkpoint.Config));
        await ProgressBar.ShowAsync(terminal, "writing", progress => Task.Run(
            () =>
            {
                OutputPath.Write(merged, output, format, progress, cancellationToken);
                return true;
            },
            cancellationToken));
        terminal.Error.WriteLine($"{output}: {checkpoint.Config.ParameterCount:N0} parameters");
        return CommandLine.Success;
    }
}
