using System.Text;
using System.Text.Unicode;
using Microsoft.Win32.SafeHandles;

namespace Llama2.Training;

/// <summary>A file of rows: JSON lines, comma-separated or tab-separated values, as its name ends. Thread-safe once opened.</summary>
internal sealed class DataFile
{
    private static readonly UTF8Encoding _strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly TrainingDataOptions _options;
    private readonly char? _delimiter;                     // null: JSON lines
    private readonly long _length;
    private readonly DateTime _written;
    private string[] _columns = [];
    private int _text, _answer, _messages;                 // columns, or −1

    private DataFile(string path, TrainingDataOptions options)
    {
        (Path, _options) = (path, options);
        _delimiter = System.IO.Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".JSONL" or ".NDJSON" or ".JSON" => null,
            ".CSV" => ',',
            ".TSV" => '\t',
            _ => throw new TrainingDataException(path, 0, $"'{System.IO.Path.GetExtension(path)}' is no known kind of data; there are .jsonl, .ndjson, .json, .csv and .tsv"),
        };
        var file = new FileInfo(path);
        (_length, _written) = (file.Length, file.LastWriteTimeUtc);
    }

    public string Path { get; }

    public IReadOnlyList<RowLocation> Rows { get; private set; } = [];

    /// <summary>Finds the rows.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="TrainingDataException">The file is of another kind, or its header lacks a column.</exception>
    public static DataFile Open(string path, TrainingDataOptions options, CancellationToken cancellationToken)
    {
        var file = new DataFile(path, options);
        var rows = new List<RowLocation>();
        using (FileStream stream = File.OpenRead(path))
        {
            foreach (RowLocation row in new RowScanner(path, file._delimiter is char delimiter ? (byte)delimiter : null).Scan(stream))
            {
                cancellationToken.ThrowIfCancellationRequested();
                rows.Add(row);
            }
        }

        if (file._delimiter is not null && rows.Count > 0)
        {
            using SafeFileHandle handle = File.OpenHandle(path);
            file.ReadHeader(handle, rows[0]);
            rows.RemoveAt(0);
        }

        file.Rows = rows;
        return file;
    }

    /// <summary>Opens the file for <see cref="Read"/>.</summary>
    /// <exception cref="TrainingDataException">It has changed since its rows were found.</exception>
    public SafeFileHandle OpenRows()
    {
        var file = new FileInfo(Path);
        return file.Exists && (file.Length, file.LastWriteTimeUtc) == (_length, _written)
            ? File.OpenHandle(Path, options: FileOptions.RandomAccess)
            : throw new TrainingDataException(Path, 0, "the file has changed since it was opened");
    }

    /// <summary>Reads a row.</summary>
    /// <exception cref="BadRowException">It is damaged or lacks what the options name.</exception>
    public DataRow Read(SafeFileHandle handle, RowLocation location)
    {
        byte[] bytes = ReadBytes(handle, location);
        if (_delimiter is not char delimiter)
        {
            return Utf8.IsValid(bytes) ? JsonRow.Read(bytes, _options) : throw new BadRowException("the row is not UTF-8");
        }

        List<string> fields = CsvRow.Split(Decode(bytes), delimiter);
        if (fields.Count != _columns.Length)
        {
            throw new BadRowException($"the row has {fields.Count} fields, the header {_columns.Length}");
        }

        if (_messages >= 0 && fields[_messages].Length > 0)
        {
            return DataRow.Conversation(JsonRow.ReadMessages(fields[_messages], _options.MessagesKey));
        }

        return _text < 0
            ? throw new BadRowException($"'{_options.MessagesKey}' is empty")
            : DataRow.Pair(fields[_text], _answer >= 0 ? fields[_answer] : null);
    }

    private void ReadHeader(SafeFileHandle handle, RowLocation location)
    {
        try
        {
            _columns = [.. CsvRow.Split(Decode(ReadBytes(handle, location)), _delimiter!.Value)];
            (_text, _answer, _messages) = (Find(_options.TextKey), Find(_options.GroundTruthKey), Find(_options.MessagesKey));
            if (_messages < 0)
            {
                Require(_text, _options.TextKey);
            }

            if (_text >= 0 && _options.GroundTruthKey is string key)
            {
                Require(_answer, key);
            }
        }
        catch (BadRowException exception)
        {
            throw new TrainingDataException(Path, location.Line, exception.Message, exception);
        }

        int Find(string? key)
        {
            int column = Array.IndexOf(_columns, key);
            return column < 0 || Array.LastIndexOf(_columns, key) == column ? column : throw new BadRowException($"the header has '{key}' twice");
        }

        void Require(int column, string key)
        {
            if (column < 0)
            {
                throw new BadRowException($"the header has no '{key}'; it has {string.Join(", ", _columns.Take(20).Select(name => $"'{name}'"))}");
            }
        }
    }

    private static byte[] ReadBytes(SafeFileHandle handle, RowLocation location)
    {
        byte[] bytes = new byte[location.Length];
        for (int done = 0; done < bytes.Length;)
        {
            int count = RandomAccess.Read(handle, bytes.AsSpan(done), location.Offset + done);
            done += count > 0 ? count : throw new EndOfStreamException("The file became shorter while it was read.");
        }

        return bytes;
    }

    private static string Decode(byte[] bytes)
    {
        try
        {
            return _strict.GetString(bytes);
        }
        catch (DecoderFallbackException exception)
        {
            throw new BadRowException("the row is not UTF-8", exception);
        }
    }
}
