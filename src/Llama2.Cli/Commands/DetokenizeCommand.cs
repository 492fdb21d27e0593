using System.CommandLine;

namespace Llama2.Cli;

/// <summary>Ids to text, for scripts.</summary>
internal sealed class DetokenizeCommand : Command
{
    public DetokenizeCommand(Terminal terminal)
        : base("detokenize", "Turns {\"ids\"} into {\"text\"}, line by line.")
    {
        var tokenizer = new TokenizerArgument();
        tokenizer.AddTo(this);
        Add(HelpWithDetails.Option("Control tokens vanish, and one leading space is dropped.\n" + JsonLines.Contract));
        SetAction((parse, cancellationToken) =>
        {
            LlamaTokenizer loaded = tokenizer.Load(parse);
            return JsonLines.RunAsync(terminal, (line, answer) => answer.WriteString("text", loaded.Decode(line.Ids("ids"))), cancellationToken);
        });
    }
}
