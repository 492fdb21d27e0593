namespace Llama2.Training.Tests;

/// <summary>Shapes and sequences small enough for finite differences.</summary>
internal static class SmallModels
{
    /// <summary>Nothing is a multiple of a vector or a tile: grouped queries, odd widths, an untied head.</summary>
    public static LlamaConfig Odd { get; } = new()
    {
        HiddenSize = 20,
        IntermediateSize = 28,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 6,
        VocabularySize = 37,
        ContextLength = 128,
        RmsNormEpsilon = 1e-5f,
    };

    public static LlamaConfig Tied { get; } = Odd with { TieWordEmbeddings = true, KeyValueHeadCount = 4, RopeTheta = 500, RopeScaling = new(RopeScalingKind.Linear, 2) };

    /// <summary>Widths that Q8_0 blocks divide.</summary>
    public static LlamaConfig Blocks { get; } = Odd with { HiddenSize = 32, IntermediateSize = 64, HeadSize = 8 };

    /// <summary>Three sequences, of which one is packed of two parts, with tokens that do not count here and there.</summary>
    public static TrainingSequence[] Sequences(LlamaConfig config, int seed = 1, int longest = 60)
    {
        var random = new Random(seed);
        return [Sequence(5), Sequence(longest, 20, longest - 20), Sequence(1), Sequence(13)];

        TrainingSequence Sequence(int length, params int[] segments) => new(
            Enumerable.Range(0, length).Select(_ => random.Next(config.VocabularySize)).ToArray(),
            Enumerable.Range(0, length).Select(_ => random.Next(4) > 0).ToArray(),
            segments);
    }
}
