namespace Llama2.DemoModel;

/// <summary>What a corpus shall contain.</summary>
internal sealed record CorpusOptions
{
    /// <summary>Gets the number of rows. The default is 200,000.</summary>
    public int Rows { get; init; } = 200_000;

    /// <summary>Gets the seed: the same options give the same rows. The default is 1.</summary>
    public ulong Seed { get; init; } = 1;

    public CorpusSplit Split { get; init; } = CorpusSplit.Train;

    /// <summary>Gets what the rows teach: the two tasks of the demo model (the default), or a further one.</summary>
    public CorpusTask Task { get; init; } = CorpusTask.Demo;

    /// <summary>Gets the share of emotion rows, 0 to 1; the others are summaries. The default is 0.5.</summary>
    public double EmotionShare { get; init; } = 0.5;

    /// <summary>Gets the share of rows with a system message, 0 to 1. The default is 0.25.</summary>
    public double SystemShare { get; init; } = 0.25;

    /// <summary>Gets how often each emotion occurs relative to the others, in the order of <see cref="EmotionWriter.Labels"/>. All alike by default.</summary>
    public IReadOnlyList<int> LabelWeights { get; init; } = [1, 1, 1, 1, 1, 1];
}

/// <summary>What a corpus teaches.</summary>
internal enum CorpusTask
{
    /// <summary>Emotions and summaries.</summary>
    Demo,

    /// <summary>The topics of dialogues.</summary>
    Topic,
}
