namespace Llama2.Training;

/// <summary>Where a row stands in its file.</summary>
/// <param name="Offset">Of its first byte.</param>
/// <param name="Length">In bytes, without the line break.</param>
/// <param name="Line">Where it begins, from 1.</param>
internal readonly record struct RowLocation(long Offset, int Length, long Line);

/// <summary>Finds the rows of a file, of any size, without keeping them. Blank lines are no rows.</summary>
/// <param name="file">The file, for messages.</param>
/// <param name="delimiter">What separates the fields of a row, which may be quoted; <see langword="null"/> where every line is a row.</param>
internal sealed class RowScanner(string file, byte? delimiter)
{
    public const int MaximumRowLength = 64 << 20;

    private const int BufferSize = 1 << 16;

    private enum State
    {
        FieldStart,
        Plain,                                             // in a field without quotes, or after a closing quote
        Quoted,
        QuoteInQuoted,                                     // the quoted field ends here, or its next character is a quote
    }

    /// <exception cref="TrainingDataException">The file is UTF-16, or a row has no end in sight.</exception>
    public IEnumerable<RowLocation> Scan(Stream stream)
    {
        byte[] buffer = new byte[BufferSize];
        State state = State.FieldStart;
        long offset = 0, start = 0, line = 1, startLine = 1;
        bool isBlank = true, endsInReturn = false;
        int count = stream.ReadAtLeast(buffer, 3, throwOnEndOfStream: false);
        int position = SkipMark(buffer.AsSpan(0, count));
        start = position;
        for (; count > 0; offset += count, count = stream.Read(buffer), position = 0)
        {
            for (; position < count; position++)
            {
                byte value = buffer[position];
                if (value == '\n')
                {
                    line++;
                    if (state != State.Quoted)
                    {
                        if (!isBlank)
                        {
                            yield return Row(offset + position);
                        }

                        (start, startLine, isBlank, state) = (offset + position + 1, line, true, State.FieldStart);
                        continue;
                    }
                }

                isBlank &= value is (byte)'\r' || (delimiter is null && value is (byte)' ' or (byte)'\t');
                endsInReturn = value == '\r';
                state = Next(state, value);
            }

            if (offset + count - start > MaximumRowLength)
            {
                throw new TrainingDataException(
                    file, startLine, $"the row is longer than {MaximumRowLength >> 20} MiB{(state == State.Quoted ? "; a closing quote may be missing" : "")}");
            }
        }

        if (!isBlank)
        {
            yield return Row(offset);
        }

        RowLocation Row(long end) => new(start, checked((int)(end - start)) - (endsInReturn ? 1 : 0), startLine);
    }

    private State Next(State state, byte value) =>
        delimiter is null ? State.Plain :
        state == State.Quoted ? (value == '"' ? State.QuoteInQuoted : State.Quoted) :
        value == delimiter ? State.FieldStart :
        value == '"' && state is State.FieldStart or State.QuoteInQuoted ? State.Quoted : State.Plain;

    private int SkipMark(ReadOnlySpan<byte> beginning)
    {
        if (beginning is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
        {
            throw new TrainingDataException(file, 0, "the file is UTF-16; it must be UTF-8");
        }

        return beginning.StartsWith("\uFEFF"u8) ? 3 : 0;
    }
}
