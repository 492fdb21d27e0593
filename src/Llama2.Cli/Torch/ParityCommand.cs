using System.CommandLine;
using System.Globalization;
using System.Numerics.Tensors;
using Llama2.TorchSharp;

namespace Llama2.Cli;

/// <summary>Compares the backend on TorchSharp with our own engine: block by block, then token by token.</summary>
internal sealed class ParityCommand : Command
{
    private const string Details = """
        Both hold the weights in the same format. They read the same ids, drawn with a fixed seed, and what every block leaves is compared, then the
        logits; then both go on with the likeliest token each. Near ties may change places where activations are rounded, so a token that differs says
        little by itself in half precision; in f32 the errors are some millionths of the values.
        """;

    private readonly ModelArguments _model = new();
    private readonly Option<string> _against = new("--against") { Description = "The device of TorchSharp", HelpName = "cuda|cuda:N|mps|cpu", Required = true };
    private readonly Option<int> _tokens = BenchCommand.Number("--tokens", "Ids to read", 64);
    private readonly Option<int> _generate = BenchCommand.Number("--generate", "Tokens to go on with", 64);

    public ParityCommand(Terminal terminal)
        : base("parity", "Compares a device of TorchSharp with our own engine on the CPU.")
    {
        _model.AddTo(this, takesDevice: false);
        Add(_against);
        Add(_tokens);
        Add(_generate);
        Add(HelpWithDetails.Option(Details));
        SetAction(parse => Run(parse, terminal));
    }

    private int Run(ParseResult parse, Terminal terminal)
    {
        LlamaModelOptions options = _model.Bind(parse);
        TorchDevice device = ModelArguments.ParseDevice(_against.Name, parse.GetRequiredValue(_against));
        using Checkpoint checkpoint = Checkpoint.Open(_model.Path(parse));
        options.WeightFormat = TorchTypes.Choose(checkpoint, options, null);
        int context = options.ContextLength ?? checkpoint.Config.ContextLength, generate = parse.GetValue(_generate);
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, parse.GetValue(_tokens)).Select(_ => random.Next(checkpoint.Config.VocabularySize))];
        if (ids.Length + generate > context)
        {
            throw new UsageException($"--tokens and --generate: {ids.Length} and {generate} are more than the context of {context}.");
        }

        using TorchBackend theirs = TorchBackend.Load(checkpoint, options, device);
        options.CacheFormat = WeightFormat.F32;                          // ours exact, so that the errors are theirs
        using CpuBackend ours = CpuBackend.Load(checkpoint, options);
        using KeyValueCache ourCache = ours.CreateCache(), theirCache = theirs.CreateCache();
        List<float[]> ourBlocks = [], theirBlocks = [];
        ours.BlockDone = (_, hidden) => ourBlocks.Add(hidden.ToArray());
        theirs.BlockDone = (_, hidden) => theirBlocks.Add(hidden.ToArray());
        float[] ourRow = Read(ours, ourCache, ids, LogitRows.All), theirRow = Read(theirs, theirCache, ids, LogitRows.All);
        (ours.BlockDone, theirs.BlockDone) = (null, null);

        terminal.Output.WriteLine($"{ours.Info.Kernels} and {theirs.Info.Kernels} on {theirs.Info.Device}, weights {options.WeightFormat}, {ids.Length} ids");
        terminal.Output.WriteLine("block   largest error   largest value");
        for (int block = 0; block < ourBlocks.Count; block++)
        {
            Compare(terminal, (block + 1).ToString(CultureInfo.InvariantCulture), ourBlocks[block], theirBlocks[block]);
        }

        Compare(terminal, "logits", ourRow, theirRow);
        terminal.Output.WriteLine(FirstDifference(ours, ourCache, ourRow, theirs, theirCache, theirRow, generate));
        return CommandLine.Success;
    }

    private static void Compare(Terminal terminal, string what, float[] ours, float[] theirs)
    {
        float[] errors = new float[ours.Length];
        TensorPrimitives.Subtract(ours, theirs, errors);
        float error = MathF.Abs(TensorPrimitives.MaxMagnitude<float>(errors)), value = MathF.Abs(TensorPrimitives.MaxMagnitude<float>(ours));
        terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what,-6}  {error,13:0.0e+0}  {value,14:0.000}"));
    }

    /// <summary>Both go on, each with its own likeliest token, until one differs.</summary>
    private static string FirstDifference(
        LlamaBackend ours, KeyValueCache ourCache, float[] ourRow, LlamaBackend theirs, KeyValueCache theirCache, float[] theirRow, int count)
    {
        int vocabulary = ours.Config.VocabularySize;
        for (int token = 1; token <= count; token++)
        {
            ReadOnlySpan<float> our = ourRow.AsSpan(ourRow.Length - vocabulary), their = theirRow.AsSpan(theirRow.Length - vocabulary);
            int ourBest = TensorPrimitives.IndexOfMax(our), theirBest = TensorPrimitives.IndexOfMax(their);
            if (ourBest != theirBest)
            {
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"token {token} is the first that differs: {ourBest} and {theirBest}, whose logits are {our[ourBest]:0.0000} and {our[theirBest]:0.0000} in our engine");
            }

            ourRow = Read(ours, ourCache, [ourBest], LogitRows.Last);
            theirRow = Read(theirs, theirCache, [theirBest], LogitRows.Last);
        }

        return $"the next {count} tokens are the same";
    }

    private static float[] Read(LlamaBackend backend, KeyValueCache cache, int[] ids, LogitRows rows)
    {
        var batch = new LlamaBatch();
        batch.Add(cache, ids, rows);
        float[] logits = new float[batch.LogitRowCount * backend.Config.VocabularySize];
        backend.Forward(batch, logits);
        return logits;
    }
}
