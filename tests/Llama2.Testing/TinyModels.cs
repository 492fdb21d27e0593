namespace Llama2.Testing;

/// <summary>Seeded models small enough to be made for every test.</summary>
public static class TinyModels
{
    /// <summary>Grouped-query attention, two layers, a vocabulary with every byte: 4 heads over 2 key-value heads of 16.</summary>
    public static LlamaConfig Config { get; } = new()
    {
        HiddenSize = 64,
        IntermediateSize = 96,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 16,
        VocabularySize = 320,
        ContextLength = 256,
        RmsNormEpsilon = 1e-5f,
    };

    /// <summary>A checkpoint of <see cref="Config"/>, or of another shape.</summary>
    public static RandomCheckpoint Create(int seed = 1, LlamaConfig? config = null) => new(config ?? Config, seed);
}
