namespace Llama2;

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

    /// <summary>Whether a tensor of an adapter belongs to a projection of this name.</summary>
    public static bool IsBeside(string tensor, string module) => tensor.EndsWith($".{module}.lora_A.weight", StringComparison.Ordinal);

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
