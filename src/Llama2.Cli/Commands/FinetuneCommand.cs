using System.CommandLine;

namespace Llama2.Cli;

/// <summary>Trains a model, or adapters beside it, on the user's rows.</summary>
internal sealed class FinetuneCommand : Command
{
    private const string Details = """
        The settings are those of the Azure ML fine-tuning pipelines, with their names and defaults; those of the pipelines that have no effect here are
        refused, with the reason. --config takes them from a file:

          train_file_path: train.jsonl
          apply_lora: true
          learning_rate: 2e-4

        Rows are {"text", "ground_truth"} or {"messages": [{"role", "content"}, …]}, one JSON object a line, or columns of those names. They become what
        inference reads: turns of a chat, or with --rendering raw the bare texts. Without a validation file a tenth of the training rows is set aside
        for validation and a tenth for a last test, or a fifth for validation where a test file is given.

        The folder of --out gets
          adapter/      with --apply-lora: the adapter as Python's PEFT has it; 'llama2 merge' merges it later
          model/        a Hugging Face folder: the trained model, or the adapters merged into it (not with --merge-lora-weights false)
          checkpoints/  states to resume from, after every evaluation and epoch or every --save-steps
          report.html   the loss curve and every setting; report.json, report.md

        Ctrl-C ends after the step in progress and writes the state; the same command with --resume-from-checkpoint goes on, to the bit, as if nothing
        had happened. So does a run that was killed, from its last state.
        """;

    private readonly Argument<string> _model = new("MODEL") { Description = "The model to train: a Hugging Face folder, a folder of Meta's, or a .gguf file" };
    private readonly Option<string> _output = new("--out") { Description = "The folder of the run", HelpName = "OUT", Required = true };
    private readonly FinetuneArguments _arguments = new();
    private readonly Option<bool> _json = new("--json") { Description = "Print one JSON object at the end" };
    private readonly Option<bool> _verbose = new("--verbose") { Description = "Show where an error comes from" };

    public FinetuneCommand(Terminal terminal)
        : base("finetune", "Trains a model, or LoRA adapters beside it, on your rows.")
    {
        Add(_model);
        Add(_output);
        _arguments.AddTo(this);
        Add(_json);
        Add(_verbose);
        Add(HelpWithDetails.Option(Details));
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        FinetunePlan plan = _arguments.Bind(parse, parse.GetRequiredValue(_model), parse.GetRequiredValue(_output));
        FinetuneResult result = await new FinetuneRun(plan, terminal).RunAsync(cancellationToken);
        await result.ToReport(TimeProvider.System).SaveAsync(plan.Folder.Path, cancellationToken);
        if (terminal.ErrorIsTerminal)
        {
            foreach (string line in result.Chart(Math.Min(100, Terminal.Rich(terminal.Error).Profile.Width)))
            {
                terminal.Error.WriteLine(line);
            }
        }

        if (parse.GetValue(_json))
        {
            terminal.Output.WriteLine(result.ToJson());
        }
        else
        {
            FactTable.Write(result.Lines(), terminal);
        }

        return CommandLine.Success;
    }
}
