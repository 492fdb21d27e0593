using System.CommandLine;

namespace Llama2.Cli;

/// <summary>Makes a model of any shape with seeded random weights.</summary>
internal sealed class SynthCommand : Command
{
    private readonly OutputPath _output = new("A new .gguf file, or a new folder in Hugging Face's layout");
    private readonly Option<int> _dim = New("--dim", "Width of the residual stream", 256);
    private readonly Option<int> _layers = New("--layers", "Transformer blocks", 4);
    private readonly Option<int> _heads = New("--heads", "Query heads", 8);
    private readonly Option<int?> _keyValueHeads = new("--kv-heads") { Description = "Key and value heads (default: as many as query heads)", HelpName = "N" };

    private readonly Option<int?> _feedForward = new("--ffn")
    {
        Description = "Width of the feed-forward layer (default: 8/3 of the width, in 32s)",
        HelpName = "N",
    };

    private readonly Option<int> _vocabulary = New("--vocab", "Tokens; below 261 the model gets no tokenizer", 512);
    private readonly Option<int> _context = New("--context", "Context length in tokens", 2048);
    private readonly Option<WeightFormat?> _format = Choice.Option(
        "--format", "How the matrices are stored (default: f32); a folder takes f32, f16, bf16", Choice.Formats);

    private readonly Option<int> _seed = New("--seed", "Seed of the weights", 0);

    private readonly Option<float> _ropeTheta = new("--rope-theta")
    {
        Description = "Base of the rotary embedding",
        HelpName = "X",
        DefaultValueFactory = _ => 10_000f,
    };

    private readonly Option<bool> _tie = new("--tie") { Description = "Use the embeddings as the output head" };
    private readonly Option<bool> _verbose = new("--verbose") { Description = "Show where an error comes from" };

    public SynthCommand(Terminal terminal)
        : base("synth", "Makes a model with random weights, for tests and benchmarks.")
    {
        _output.AddTo(this);
        foreach (Option option in (Option[])
            [_dim, _layers, _heads, _keyValueHeads, _feedForward, _vocabulary, _context, _format, _seed, _ropeTheta, _tie, _verbose])
        {
            Add(option);
        }

        Add(HelpWithDetails.Option("The same settings give the same bytes everywhere."));
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        string output = _output.Check(parse);
        WeightFormat format = OutputPath.CheckFormat(output, parse.GetValue(_format));
        using RandomCheckpoint checkpoint = Create(parse);
        await ProgressBar.ShowAsync(terminal, "writing", progress => Task.Run(
            () =>
            {
                OutputPath.Write(checkpoint, output, format, progress, cancellationToken);
                return true;
            },
            cancellationToken));
        terminal.Error.WriteLine($"{output}: {checkpoint.Config.ParameterCount:N0} parameters");
        return CommandLine.Success;
    }

    private RandomCheckpoint Create(ParseResult parse)
    {
        int dim = parse.GetValue(_dim), heads = parse.GetValue(_heads);
        if (heads < 1 || dim % heads != 0)
        {
            throw new UsageException($"{_heads.Name}: {heads} heads do not divide a width of {dim}.");
        }

        try
        {
            return new RandomCheckpoint(
                new LlamaConfig
                {
                    HiddenSize = dim,
                    IntermediateSize = parse.GetValue(_feedForward) ?? (int)Math.Min(int.MaxValue, (dim * 8L / 3 + 31) / 32 * 32),
                    LayerCount = parse.GetValue(_layers),
                    HeadCount = heads,
                    KeyValueHeadCount = parse.GetValue(_keyValueHeads) ?? heads,
                    HeadSize = dim / heads,
                    VocabularySize = parse.GetValue(_vocabulary),
                    ContextLength = parse.GetValue(_context),
                    RmsNormEpsilon = 1e-5f,
                    RopeTheta = parse.GetValue(_ropeTheta),
                    TieWordEmbeddings = parse.GetValue(_tie),
                },
                parse.GetValue(_seed));
        }
        catch (CheckpointException exception)
        {
            throw new UsageException($"{exception.Field}: found {exception.Found}, expected {exception.Expected}.");
        }
    }

    private static Option<int> New(string name, string description, int value) =>
        new(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => value };
}
