using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace Llama2.Training.Tests;

public sealed class RowScannerTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("a", "1:a")]
    [InlineData("a\n", "1:a")]
    [InlineData("a\r\nb\r\n", "1:a|2:b")]
    [InlineData("\uFEFFa\nb", "1:a|2:b")]
    [InlineData("\uFEFF", "")]
    [InlineData("\n\n a \n \t\r\nb\n\r\n", "3: a |5:b")]
    [InlineData("\"a\nb\"", "1:\"a|2:b\"")]
    public void Scan_Lines_AreFoundWithTheirNumbers(string text, string rows) => Assert.Equal(rows, Rows(text, null));

    [Theory]
    [InlineData("a,b\nc,d\n", "1:a,b|2:c,d")]
    [InlineData("\"a\nb\",c\r\nd,e", "1:\"a\nb\",c|3:d,e")]
    [InlineData("\"a\"\"\n\",c\nd", "1:\"a\"\"\n\",c|3:d")]
    [InlineData("a\"\nb", "1:a\"|2:b")]                                  // a quote inside a plain field is a character
    [InlineData("\"\n\n\"\n\nx", "1:\"\n\n\"|5:x")]
    [InlineData("\"a\nb\nc", "1:\"a\nb\nc")]                             // never closed
    [InlineData("\"a\"b\nc", "1:\"a\"b|2:c")]                            // wrong, but the next line is safe
    [InlineData(",\n,", "1:,|2:,")]
    [InlineData(" \n\r\n", "1: ")]
    public void Scan_Values_QuotedBreaksBelongToTheRow(string text, string rows) => Assert.Equal(rows, Rows(text, (byte)','));

    [Property(MaxTest = 300, Replay = "(11,3)")]
    public Property Scan_AnyFieldsWritten_AreFoundAgain() => Prop.ForAll(
        Gen.Elements("", "a", ",", "\"", "\n", "\r\n", "é🙂", " ", "\"\"", "x,y\nz").ListOf().Select(string.Concat).ArrayOf(3).ListOf().ToArbitrary(),
        rows =>
        {
            string text = string.Concat(rows.Select(row => string.Join(',', row.Select(field => $"\"{field.Replace("\"", "\"\"")}\"")) + "\r\n"));
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            RowLocation[] found = [.. new RowScanner("x", (byte)',').Scan(new MemoryStream(bytes))];
            Assert.Equal(rows, found.Select(row => CsvRow.Split(Encoding.UTF8.GetString(bytes, (int)row.Offset, row.Length), ',').ToArray()));
            Assert.All(found, row => Assert.Equal(row.Line, 1 + bytes.AsSpan(0, (int)row.Offset).Count((byte)'\n')));
        });

    [Property(MaxTest = 500, Replay = "(12,5)")]
    public void Scan_AnyBytes_GivesRowsInOrderThatCoverAllButBreaks(byte[] bytes, bool isCsv)
    {
        byte[] small = [.. bytes.Select(value => (byte)"\"\n\r,a {"[value % 7])];

        RowLocation[] rows = [.. new RowScanner("x", isCsv ? (byte)',' : null).Scan(new SlowStream(small))];

        long end = 0;
        foreach (RowLocation row in rows)
        {
            Assert.True(row.Offset >= end && row.Length >= 0 && row.Offset + row.Length <= small.Length);
            Assert.DoesNotContain(small[(int)end..(int)row.Offset], value => value is not ((byte)'\n' or (byte)'\r' or (byte)' '));
            end = row.Offset + row.Length;
        }

        Assert.DoesNotContain(small[(int)end..], value => value is not ((byte)'\n' or (byte)'\r' or (byte)' '));
    }

    [Fact]
    public void Scan_RowsAcrossBuffers_AreWhole()
    {
        string[] lines = [.. Enumerable.Range(0, 3000).Select(i => new string((char)('a' + i % 26), i % 97 + 1))];
        byte[] bytes = Encoding.UTF8.GetBytes(string.Join('\n', lines));

        Assert.True(bytes.Length > 2 * 65536);
        Assert.Equal(lines, new RowScanner("x", null).Scan(new MemoryStream(bytes)).Select(row => Encoding.UTF8.GetString(bytes, (int)row.Offset, row.Length)));
    }

    [Theory]
    [InlineData(0xFF, 0xFE)]
    [InlineData(0xFE, 0xFF)]
    public void Scan_Utf16_IsRefused(byte first, byte second)
    {
        TrainingDataException exception = Assert.Throws<TrainingDataException>(() => new RowScanner("x", null).Scan(new MemoryStream([first, second, 0, 0])).ToArray());

        Assert.Equal("x: the file is UTF-16; it must be UTF-8.", exception.Message);
    }

    [Theory]
    [InlineData((byte)'"', "x, line 2: the row is longer than 64 MiB; a closing quote may be missing.")]
    [InlineData((byte)'a', "x, line 2: the row is longer than 64 MiB.")]
    public void Scan_RowWithoutEnd_IsRefused(byte second, string message)
    {
        var stream = new EndlessStream([(byte)'a', (byte)'\n', second]);

        Assert.Equal(message, Assert.Throws<TrainingDataException>(() => new RowScanner("x", (byte)',').Scan(stream).Count()).Message);
    }

    private static string Rows(string text, byte? delimiter)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        string[] whole = Find(new MemoryStream(bytes)), slow = Find(new SlowStream(bytes));
        Assert.Equal(whole, slow);
        return string.Join('|', whole);

        string[] Find(Stream stream) => [.. new RowScanner("x", delimiter).Scan(stream).Select(row => $"{row.Line}:{Encoding.UTF8.GetString(bytes, (int)row.Offset, row.Length)}")];
    }

    /// <summary>Gives one byte at a time.</summary>
    private sealed class SlowStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(1, buffer.Length)]);
    }

    /// <summary>A beginning, then the letter b for ever.</summary>
    private sealed class EndlessStream(byte[] beginning) : MemoryStream
    {
        private bool _hasBegun;

        public override int Read(Span<byte> buffer)
        {
            buffer.Fill((byte)'b');
            if (!_hasBegun)
            {
                beginning.CopyTo(buffer);
                _hasBegun = true;
            }

            return buffer.Length;
        }
    }
}
