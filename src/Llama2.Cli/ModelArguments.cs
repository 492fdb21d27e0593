using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace Llama2.Cli;

/// <summary>The argument MODEL and the options that every command with a model shares.</summary>
internal sealed partial class ModelArguments
{
    private readonly Option<int?> _contextLength = new("--context-length")
    {
        Description = "The most tokens of a sequence (default: what the model was trained for; more is allowed, with a warning)",
        HelpName = "TOKENS",
    };

    private readonly Option<int?> _threads = new("--threads")
    {
        Description = "Threads that work on a forward pass (default: one per processor)",
        HelpName = "N",
    };

    private readonly Option<WeightFormat?> _weightFormat = Choice.Option(
        "--weight-format", "Convert the weights while they are read (default: as stored)", Choice.Formats);

    private readonly Option<WeightRepacking?> _repack = Choice.Option(
        "--repack", "When weights are brought into the kernels' order (default: in-background)", ("in-background", WeightRepacking.InBackground), ("on-load", WeightRepacking.OnLoad), ("never", WeightRepacking.Never));

    private readonly Option<WeightFormat?> _cacheFormat = Choice.Option(
        "--cache-format", "Keys and values (default: f32 for f32 weights, else f16)", ("f32", WeightFormat.F32), ("f16", WeightFormat.F16), ("q8_0", WeightFormat.Q8_0));

    private readonly Option<bool?> _promptLookup = new("--prompt-lookup")
    {
        Description = "Guess tokens from the text so far and check several at a time; the text stays the same (default: true)",
        HelpName = "true|false",
    };

    private readonly Option<bool> _verbose = new("--verbose") { Description = "Log to standard error, and show where an error comes from" };

    public Argument<string> Model { get; } = new("MODEL") { Description = "A Hugging Face folder, a folder of Meta's, or a .gguf file" };

    /// <param name="command">The command.</param>
    /// <param name="takesDevice">Whether it runs the model on any device; it then takes the option for that, where the program has it.</param>
    public void AddTo(Command command, bool takesDevice = true)
    {
        command.Add(Model);
        command.Add(_contextLength);
        command.Add(_threads);
        command.Add(_weightFormat);
        command.Add(_repack);
        command.Add(_cacheFormat);
        command.Add(_promptLookup);
        command.Add(_verbose);
        AtLeastOne(_contextLength);
        AtLeastOne(_threads);
        if (takesDevice)
        {
            AddDevice(command);
        }
    }

    public string Path(ParseResult parse) => parse.GetRequiredValue(Model);

    public LlamaModelOptions Bind(ParseResult parse)
    {
        var options = new LlamaModelOptions
        {
            ContextLength = parse.GetValue(_contextLength),
            Threads = parse.GetValue(_threads),
            WeightFormat = parse.GetValue(_weightFormat),
            Repack = parse.GetValue(_repack) ?? WeightRepacking.InBackground,
            CacheFormat = parse.GetValue(_cacheFormat),
            PromptLookup = parse.GetValue(_promptLookup) ?? true,
        };
        BindDevice(parse, options);
        return options;
    }

    /// <summary>Loads the model, with a bar on standard error if that takes a while and somebody watches.</summary>
    public async Task<LlamaModel> LoadAsync(ParseResult parse, LlamaModelOptions options, Terminal terminal, CancellationToken cancellationToken)
    {
        string path = Path(parse);
        ILoggerFactory? log = parse.GetValue(_verbose) ? new StderrLog(terminal.Error) : null;
        LlamaModel model = await ProgressBar.ShowAsync(
            terminal, "loading", progress => LlamaModel.LoadAsync(path, options, progress, log, cancellationToken));
        if (options.ContextLength > model.Config.ContextLength)
        {
            WarnOfContext(terminal, options.ContextLength.Value, model.Config);
        }

        return model;
    }

    public static void WarnOfContext(Terminal terminal, int length, LlamaConfig config) =>
        terminal.Warn($"{length} tokens are more than the {config.ContextLength} that the model was trained for");

    partial void AddDevice(Command command);

    partial void BindDevice(ParseResult parse, LlamaModelOptions options);

    private static void AtLeastOne(Option<int?> option) => option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<int?>() < 1)
        {
            result.AddError($"{option.Name}: at least 1 is needed.");
        }
    });
}
