using Microsoft.Win32.SafeHandles;

namespace Llama2.Training;

/// <summary>The usable rows of some files: where they stand and how long they are, but not what they say. Immutable and thread-safe.</summary>
internal sealed class RowTable
{
    private const int ChunkSize = 4096;                    // rows that are measured side by side
    private const int ReportedBadRows = 100;

    private readonly List<Entry> _rows = [];
    private readonly List<TrainingDataException> _badRows = [];
    private readonly RowEncoder _encoder;
    private long _tokens, _targets, _cut, _leftOut, _bad;

    private RowTable(IReadOnlyList<DataFile> files, LlamaTokenizer tokenizer, TrainingDataOptions options)
    {
        (Files, Options) = (files, options);
        _encoder = new(tokenizer, options);
    }

    public IReadOnlyList<DataFile> Files { get; }

    public TrainingDataOptions Options { get; }

    public int Count => _rows.Count;

    public TrainingDataSummary Summary => new(_rows.Count, _tokens, _targets, _cut, _leftOut, _bad, _badRows.AsReadOnly());

    /// <summary>Reads every row once.</summary>
    public static RowTable Create(IReadOnlyList<DataFile> files, LlamaTokenizer tokenizer, TrainingDataOptions options, CancellationToken cancellationToken)
    {
        var table = new RowTable(files, tokenizer, options);
        for (int file = 0; file < files.Count; file++)
        {
            using SafeFileHandle handle = files[file].OpenRows();
            foreach (RowLocation[] rows in files[file].Rows.Chunk(ChunkSize))
            {
                table.Measure(file, handle, rows, cancellationToken);
            }
        }

        return table;
    }

    public int LengthOf(int row) => _rows[row].Tokens;

    /// <summary>Reads a row again.</summary>
    public TrainingSequence Read(int row, RowReaders readers)
    {
        Entry entry = _rows[row];
        DataFile file = Files[entry.File];
        return _encoder.Encode(file.Read(readers[entry.File], entry.Location), out _)!;
    }

    private void Measure(int file, SafeFileHandle handle, RowLocation[] rows, CancellationToken cancellationToken)
    {
        var results = new Measured[rows.Length];
        Parallel.For(0, rows.Length, new ParallelOptions { CancellationToken = cancellationToken }, i => results[i] = Measure(Files[file], handle, rows[i]));
        for (int i = 0; i < rows.Length; i++)
        {
            Measured result = results[i];
            if (result.Problem is BadRowException problem)
            {
                var exception = new TrainingDataException(Files[file].Path, rows[i].Line, problem.Message, problem);
                if (Options.BadRows == BadRowPolicy.Fail)
                {
                    throw exception;
                }

                _bad++;
                if (_badRows.Count < ReportedBadRows)
                {
                    _badRows.Add(exception);
                }
            }
            else if (result.Tokens == 0)
            {
                _leftOut++;
            }
            else
            {
                _rows.Add(new(file, rows[i], result.Tokens));
                _tokens += result.Tokens;
                _targets += result.Targets;
                _cut += result.WasCut ? 1 : 0;
            }
        }
    }

    private Measured Measure(DataFile file, SafeFileHandle handle, RowLocation location)
    {
        try
        {
            TrainingSequence? sequence = _encoder.Encode(file.Read(handle, location), out bool wasCut);
            return sequence is null ? default : new(sequence.Tokens.Length, sequence.InLoss.Span[1..].Count(true), wasCut, null);
        }
        catch (BadRowException problem)
        {
            return new(0, 0, false, problem);
        }
    }

    private readonly record struct Entry(int File, RowLocation Location, int Tokens);

    private readonly record struct Measured(int Tokens, int Targets, bool WasCut, BadRowException? Problem);
}

/// <summary>The files of a table, each opened when the first of its rows is wanted. For one caller.</summary>
internal sealed class RowReaders(RowTable table) : IDisposable
{
    private readonly SafeFileHandle?[] _handles = new SafeFileHandle?[table.Files.Count];

    public SafeFileHandle this[int file] => _handles[file] ??= table.Files[file].OpenRows();

    public void Dispose()
    {
        foreach (SafeFileHandle? handle in _handles)
        {
            handle?.Dispose();
        }
    }
}
