using System.CommandLine;
using System.Text.Json;

namespace Llama2.Cli;

/// <summary>Text to ids, for scripts.</summary>
internal sealed class TokenizeCommand : Command
{
    public TokenizeCommand(Terminal terminal)
        : base("tokenize", "Turns {\"text\"} into {\"ids\"}, line by line.")
    {
        var tokenizer = new TokenizerArgument();
        tokenizer.AddTo(this);
        Add(HelpWithDetails.Option("The ids have no begin of text; control tokens in a text are plain text.\n" + JsonLines.Contract));
        SetAction((parse, cancellationToken) =>
        {
            LlamaTokenizer loaded = tokenizer.Load(parse);
            return JsonLines.RunAsync(terminal, (line, answer) => answer.WriteIds("ids", loaded.Encode(Text(line))), cancellationToken);
        });
    }

    private static string Text(JsonElement line) => line.Member("text", JsonValueKind.String).GetString()!;
}
