using System.CommandLine;

namespace Llama2.Cli;

/// <summary>The options that put a LoRA adapter to a model.</summary>
internal sealed class AdapterArguments
{
    private readonly Option<string?> _beside = new("--adapter")
    {
        Description = "A LoRA adapter (PEFT folder) to run beside the weights",
        HelpName = "PATH",
    };

    private readonly Option<string?> _merged = new("--merge-adapter")
    {
        Description = "A LoRA adapter (PEFT folder) to add to the weights while they are read: slower to load, nothing slower to run",
        HelpName = "PATH",
    };

    public void AddTo(Command command)
    {
        command.Add(_beside);
        command.Add(_merged);
    }

    /// <summary>Makes the model load the adapters, and its requests use the one beside the weights, under the name of its folder.</summary>
    public void Bind(ParseResult parse, LlamaModelOptions options)
    {
        options.MergedAdapter = parse.GetValue(_merged);
        if (parse.GetValue(_beside) is { } path)
        {
            string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
            options.Adapters = new Dictionary<string, string> { [name] = path };
            options.Generation.Adapter = name;
        }
    }
}
