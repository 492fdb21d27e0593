using System.CommandLine;

namespace Llama2.Cli;

/// <summary>The argument MODEL of the filters that need no weights.</summary>
internal sealed class TokenizerArgument
{
    private readonly Argument<string> _model = new("MODEL") { Description = "A model, or a bare tokenizer.model or tokenizer.json" };
    private readonly Option<bool> _verbose = new("--verbose") { Description = "Show where an error comes from" };

    public void AddTo(Command command)
    {
        command.Add(_model);
        command.Add(_verbose);
    }

    public LlamaTokenizer Load(ParseResult parse) => LlamaTokenizer.Load(parse.GetRequiredValue(_model));
}
