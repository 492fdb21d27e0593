using System.CommandLine;

namespace Llama2.Cli;

/// <summary>Says what a model is and what running it takes, from its headers alone.</summary>
internal sealed class InfoCommand : Command
{
    private readonly ModelArguments _model = new();
    private readonly Option<bool> _json = new("--json") { Description = "Print one JSON object" };

    public InfoCommand(Terminal terminal)
        : base("info", "Says what a model is and what running it takes: shape, formats, memory, device.")
    {
        _model.AddTo(this, takesDevice: false);
        Add(_json);
        Add(HelpWithDetails.Option("Reads headers only, so it is quick for any size, and needs no tokenizer."));
        SetAction(parse => Run(parse, terminal));
    }

    private int Run(ParseResult parse, Terminal terminal)
    {
        ModelSummary summary = ModelSummary.Read(_model.Path(parse), _model.Bind(parse));
        if (summary.Memory.ContextLength > summary.Config.ContextLength)
        {
            ModelArguments.WarnOfContext(terminal, summary.Memory.ContextLength, summary.Config);
        }

        if (parse.GetValue(_json))
        {
            terminal.Output.WriteLine(summary.ToJson());
        }
        else
        {
            FactTable.Write(summary.Lines(), terminal);
        }

        return CommandLine.Success;
    }
}
