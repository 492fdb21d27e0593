using Llama2.Training;

namespace Llama2.Cli;

/// <summary>The rows of a fine-tuning run: to train on, to choose the best model by, and to measure it on.</summary>
/// <param name="Train">What is trained on.</param>
/// <param name="Validation">What the best model is chosen by.</param>
/// <param name="Test">What the final model is measured on.</param>
/// <param name="Tokenizer">What they are read with.</param>
/// <param name="Files">What became of the rows of each set of files, before any are set aside.</param>
internal sealed record FinetuneData(
    FileTrainingData Train, FileTrainingData? Validation, FileTrainingData? Test, LlamaTokenizer Tokenizer, IReadOnlyList<TrainingDataSummary> Files)
{
    private const int NamedBadRows = 10;

    /// <summary>Opens the files. What is not given is set aside from the training rows, in the shares that the Azure ML pipelines have.</summary>
    /// <exception cref="TrainingDataException">A file or a row cannot be used.</exception>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="UsageException">The rows are too few, or the length is beyond the model.</exception>
    public static FinetuneData Open(FinetunePlan plan, Checkpoint checkpoint, CancellationToken cancellationToken)
    {
        int context = checkpoint.Config.ContextLength;
        if (plan.MaximumLength > context)
        {
            throw new UsageException($"--max-seq-length: {plan.MaximumLength} tokens are more than the {context} of the model's context.");
        }

        LlamaTokenizer tokenizer = checkpoint.LoadTokenizer()
            ?? throw new CheckpointException(checkpoint.Path, "tokenizer", "none", "one, to read the rows with");
        TrainingDataOptions options = plan.Data with { MaximumLength = plan.MaximumLength ?? context };
        FileTrainingData train = Read(plan.TrainFiles)!;
        FileTrainingData? validation = Read(plan.ValidationFiles), test = Read(plan.TestFiles);
        TrainingDataSummary[] files = [.. new[] { train, validation, test }.OfType<FileTrainingData>().Select(data => data.Summary)];
        if (plan.Evaluates && validation is null)
        {
            IReadOnlyList<FileTrainingData> parts = test is null ? train.Split(plan.Training.Seed, 0.8, 0.1, 0.1) : train.Split(plan.Training.Seed, 0.8, 0.2);
            (train, validation) = (parts[0], parts[1]);
            test ??= parts[2].RowCount > 0 ? parts[2] : null;
        }

        return train.RowCount == 0 || validation is { RowCount: 0 }
            ? throw new UsageException(
                $"{plan.TrainFiles[0]}: {train.Summary.RowCount} rows are too few to set some aside for validation; " +
                "give --validation-file-path, or --evaluation-strategy disable.")
            : new(train, validation, test, tokenizer, files);

        FileTrainingData? Read(string[] files) => files.Length == 0 ? null : FileTrainingData.Open(files, tokenizer, options, cancellationToken);
    }

    /// <summary>What became of the rows, a sentence each; bad rows by file and line.</summary>
    public IEnumerable<(bool IsWarning, string Text)> Describe()
    {
        string[] parts =
        [
            $"{Train.RowCount:N0} rows to train on ({Train.TokenCount:N0} tokens in {Train.Count:N0} sequences)",
            .. Validation is null ? [] : (string[])[$"{Validation.RowCount:N0} to validate"],
            .. Test is null ? [] : (string[])[$"{Test.RowCount:N0} to test"],
        ];
        yield return (false, string.Join(", ", parts));
        foreach (TrainingDataSummary summary in Files)
        {
            foreach (TrainingDataException row in summary.BadRows.Take(NamedBadRows))
            {
                yield return (true, row.Message.TrimEnd('.') + "; the row is skipped");
            }

            if (summary.BadRowCount > NamedBadRows)
            {
                yield return (true, $"{summary.BadRowCount - NamedBadRows:N0} more rows are skipped");
            }

            if (summary.CutRowCount > 0)
            {
                yield return (true, $"{summary.CutRowCount:N0} rows are longer than --max-seq-length and lose tokens");
            }

            if (summary.LeftOutRowCount > 0)
            {
                yield return (true, $"{summary.LeftOutRowCount:N0} rows are longer than --max-seq-length and are left out");
            }
        }
    }

    public long BadRowCount => Files.Sum(summary => summary.BadRowCount);
}
