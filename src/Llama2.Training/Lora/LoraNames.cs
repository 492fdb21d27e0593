namespace Llama2.Training;

/// <summary>The names that Python's PEFT gives an adapter's tensors.</summary>
internal static class LoraNames
{
    private const string Prefix = "base_model.model.";
    private const string WeightSuffix = ".weight";

    /// <summary><c>model.layers.0.self_attn.q_proj.weight</c> → <c>q_proj</c>.</summary>
    public static string Module(string weight) => weight.Split('.') is { Length: >= 2 } parts ? parts[^2] : weight;

    /// <summary>The matrix of [rank, inputs] beside a weight.</summary>
    public static string A(string weight) => $"{Prefix}{weight[..^WeightSuffix.Length]}.lora_A.weight";

    /// <summary>The matrix of [outputs, rank] beside a weight.</summary>
    public static string B(string weight) => $"{Prefix}{weight[..^WeightSuffix.Length]}.lora_B.weight";

    /// <summary>The weights that have an adapter, with their rows and columns.</summary>
    public static IEnumerable<(string Name, int Rows, int Columns)> Targets(LlamaConfig config, LoraOptions options) =>
        TensorNames.Required(config).Where(tensor => tensor.Rows > 1 && options.TargetModules.Contains(Module(tensor.Name)));

    /// <summary>The tensors of an adapter, A before B.</summary>
    public static IEnumerable<(string Name, int Rows, int Columns)> Shapes(LlamaConfig config, LoraOptions options) =>
        Targets(config, options).SelectMany(tensor => new (string, int, int)[]
        {
            (A(tensor.Name), options.Rank, tensor.Columns),
            (B(tensor.Name), tensor.Rows, options.Rank),
        });
}

/// <summary>A new adapter changes nothing: B is 0. A is uniform within ± 1 ÷ √inputs, as in PEFT.</summary>
internal static unsafe class LoraInitialization
{
    public static void Fill(ParameterStore store, int seed)
    {
        for (int i = 0; i < store.Parameters.Count; i++)
        {
            Parameter parameter = store.Parameters[i];
            if (!parameter.Name.EndsWith("lora_A.weight", StringComparison.Ordinal))
            {
                continue;
            }

            var random = new SplitMix64(RandomWeights.Key(seed, i));
            double bound = 1 / Math.Sqrt(parameter.Columns);
            for (long j = 0; j < parameter.Length; j++)
            {
                store.Values[parameter.Offset + j] = (float)(bound * ((random.Next() >> 11) * (2.0 / (1UL << 53)) - 1));
            }
        }
    }
}
