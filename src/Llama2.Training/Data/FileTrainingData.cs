namespace Llama2.Training;

/// <summary>Training data in files, which may be larger than memory: pairs of prompt and answer, conversations, or plain texts.</summary>
/// <remarks>
/// <para>
/// Opening reads every row once, so what is wrong with one is known before training and not hours later. Kept are a few numbers for each row;
/// an epoch reads the rows again, in an order that its number and the seed decide. Immutable and thread-safe; the files must stay as they are.
/// </para>
/// <para>
/// Files end in <c>.jsonl</c> (<c>.ndjson</c>, <c>.json</c>; one object per line), <c>.csv</c> (RFC 4180) or <c>.tsv</c> (the same with tabs), and are
/// UTF-8 with or without a mark. A row of values has a header above it. Line breaks are LF or CRLF; blank lines are passed over.
/// </para>
/// </remarks>
public sealed class FileTrainingData : ITrainingData
{
    private readonly RowTable _table;
    private readonly int[] _rows;
    private readonly int[][]? _packs;                      // rows of each sequence; null where a row is a sequence

    private FileTrainingData(RowTable table, int[] rows)
    {
        (_table, _rows) = (table, rows);
        _packs = table.Options.Pack ? SequencePacker.Pack(rows, table.LengthOf, table.Options.MaximumLength) : null;
        TokenCount = rows.Sum(row => (long)table.LengthOf(row));
    }

    /// <summary>Gets how many sequences every epoch has: rows, or packs of them.</summary>
    public int Count => _packs?.Length ?? _rows.Length;

    /// <inheritdoc/>
    long? ITrainingData.Count => Count;

    /// <summary>Gets how many rows every epoch has.</summary>
    public int RowCount => _rows.Length;

    /// <summary>Gets how many tokens every epoch has.</summary>
    public long TokenCount { get; }

    /// <summary>Gets what became of the rows of the files, all of them also in a part that <see cref="Split"/> made.</summary>
    public TrainingDataSummary Summary => _table.Summary;

    /// <summary>Opens one file.</summary>
    /// <inheritdoc cref="Open(IEnumerable{string}, LlamaTokenizer, TrainingDataOptions, CancellationToken)"/>
    public static FileTrainingData Open(string path, LlamaTokenizer tokenizer, TrainingDataOptions options, CancellationToken cancellationToken = default) =>
        Open([path], tokenizer, options, cancellationToken);

    /// <summary>Opens files, reads every row and measures it.</summary>
    /// <param name="paths">The files; their rows follow each other.</param>
    /// <param name="tokenizer">The tokenizer of the model.</param>
    /// <param name="options">What the rows are called and what becomes of them.</param>
    /// <param name="cancellationToken">Seen between rows.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="TrainingDataException">A file is of another kind, or a row cannot be used and bad rows are not skipped.</exception>
    /// <exception cref="OperationCanceledException">Opening was called off.</exception>
    public static FileTrainingData Open(
        IEnumerable<string> paths, LlamaTokenizer tokenizer, TrainingDataOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        DataFile[] files = [.. paths.Select(path => DataFile.Open(path, options, cancellationToken))];
        var table = RowTable.Create(files, tokenizer, options, cancellationToken);
        return new(table, [.. Enumerable.Range(0, table.Count)]);
    }

    /// <summary>Divides the rows at random, for training and validation, say. The same rows and seed give the same parts.</summary>
    /// <param name="seed">Decides which row goes where; it has nothing to do with the order of an epoch.</param>
    /// <param name="shares">The share of each part, above 0, together at most 1; <c>0.9, 0.1</c>, say.</param>
    /// <returns>One part for each share, no row in two of them, in the order of the files before they are shuffled.</returns>
    /// <exception cref="ArgumentException">The shares are none, out of their range, or more than all.</exception>
    public IReadOnlyList<FileTrainingData> Split(int seed, params ReadOnlySpan<double> shares)
    {
        double sum = 0;
        foreach (double share in shares)
        {
            sum += share > 0 ? share : throw new ArgumentException($"A share is above 0, not {share}.", nameof(shares));
        }

        if (shares.IsEmpty || sum > 1 + 1e-9)
        {
            throw new ArgumentException(shares.IsEmpty ? "There must be a share." : $"The shares come to {sum}, more than 1.", nameof(shares));
        }

        int[] rows = (int[])_rows.Clone();
        EpochOrder.Shuffle(rows, seed, EpochOrder.Split);
        var parts = new List<FileTrainingData>();
        double upTo = 0;
        int start = 0;
        foreach (double share in shares)
        {
            upTo += share;
            int end = Math.Min(rows.Length, (int)Math.Round(upTo * rows.Length, MidpointRounding.AwayFromZero));
            int[] part = rows[start..end];
            Array.Sort(part);
            parts.Add(new(_table, part));
            start = end;
        }

        return parts;
    }

    /// <inheritdoc/>
    /// <exception cref="TrainingDataException">A file has changed since it was opened.</exception>
    public IEnumerable<TrainingSequence> Read(int epoch, long skip = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(skip);
        return ReadCore(epoch, skip);
    }

    private IEnumerable<TrainingSequence> ReadCore(int epoch, long skip)
    {
        int[] order = [.. Enumerable.Range(0, Count)];
        if (_table.Options.ShuffleSeed is int seed)
        {
            EpochOrder.Shuffle(order, seed, epoch);
        }

        using var readers = new RowReaders(_table);
        for (long i = skip; i < order.Length; i++)
        {
            yield return _packs is null
                ? _table.Read(_rows[order[i]], readers)
                : Join([.. _packs[order[i]].Select(row => _table.Read(row, readers))]);
        }
    }

    private static TrainingSequence Join(TrainingSequence[] rows) => new(
        rows.SelectMany(row => row.Tokens.ToArray()).ToArray(),
        rows.SelectMany(row => row.InLoss.ToArray()).ToArray(),
        rows.Select(row => row.Tokens.Length).ToArray());
}
