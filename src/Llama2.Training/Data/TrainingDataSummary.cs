namespace Llama2.Training;

/// <summary>What the rows of the files came to.</summary>
/// <param name="RowCount">The rows that can be trained on.</param>
/// <param name="TokenCount">Their tokens, special ones included, after cutting.</param>
/// <param name="TargetCount">Those of their tokens that count in the loss.</param>
/// <param name="CutRowCount">The rows that were too long and lost tokens.</param>
/// <param name="LeftOutRowCount">The rows that were too long and were left out.</param>
/// <param name="BadRowCount">The rows that were skipped because they cannot be used.</param>
/// <param name="BadRows">The first hundred of those, in the order of the files.</param>
public sealed record TrainingDataSummary(
    long RowCount,
    long TokenCount,
    long TargetCount,
    long CutRowCount,
    long LeftOutRowCount,
    long BadRowCount,
    IReadOnlyList<TrainingDataException> BadRows);
