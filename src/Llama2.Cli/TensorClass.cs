namespace Llama2.Cli;

/// <summary>Tensors of one purpose and format.</summary>
/// <param name="Name">The purpose, such as <c>attention</c>.</param>
/// <param name="Format">How they are stored.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Bytes">Their bytes on disk.</param>
internal sealed record TensorClass(string Name, WeightFormat Format, int Count, long Bytes)
{
    public static IReadOnlyList<TensorClass> Group(IEnumerable<CheckpointTensor> tensors) =>
    [
        .. tensors
            .GroupBy(tensor => (Purpose: Purpose(tensor.Name), tensor.Format))
            .Select(group => new TensorClass(group.Key.Purpose, group.Key.Format, group.Count(), group.Sum(tensor => tensor.ByteSize)))
            .OrderBy(group => group.Name, StringComparer.Ordinal).ThenByDescending(group => group.Bytes),
    ];

    private static string Purpose(string name) =>
        name.Contains("norm", StringComparison.Ordinal) ? "norms"
        : name.Contains("self_attn", StringComparison.Ordinal) ? "attention"
        : name.Contains("mlp", StringComparison.Ordinal) ? "feed-forward"
        : name.Contains("embed", StringComparison.Ordinal) ? "embeddings"
        : "head";
}
