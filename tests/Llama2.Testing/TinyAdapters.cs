namespace Llama2.Testing;

/// <summary>Seeded adapters, large enough to change what a model of <see cref="TinyModels"/> says.</summary>
public static class TinyAdapters
{
    /// <summary>Rank 3 beside every projection.</summary>
    public static LoraOptions Options { get; } = new() { Rank = 3, Alpha = 6, TargetModules = LoraOptions.AllModules };

    /// <summary>An adapter for <see cref="TinyModels.Config"/>, or for another shape.</summary>
    public static LoraAdapter Create(int seed = 1, LoraOptions? options = null, LlamaConfig? config = null)
    {
        var random = new Random(seed);
        (config, options) = (config ?? TinyModels.Config, options ?? Options);
        return new(config, options, "tiny", LoraNames.Shapes(config, options).Select(shape =>
            new MemoryTensor(shape.Name, shape.Rows, shape.Columns, [.. Enumerable.Range(0, shape.Rows * shape.Columns).Select(_ => random.NextSingle() * 0.4f - 0.2f)])));
    }
}
