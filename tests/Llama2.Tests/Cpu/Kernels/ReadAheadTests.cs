namespace Llama2.Tests;

public sealed unsafe class ReadAheadTests
{
    private const long Line = 64, PageLines = 64, Pages = 8;

    /// <summary>From wherever a stream begins, each line that is more than eight pages away is asked for once, before the stream is there, and those of a page in their order.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(21)]
    [InlineData(63)]
    public void PagesAhead_StreamOfLines_AsksForEachOnceAndInOrder(long begin)
    {
        const long Count = 24 * PageLines;
        var asked = new Dictionary<long, long>();
        for (long line = begin; line < begin + Count; line++)
        {
            long ahead = (long)PagesAhead.Ahead((byte*)(line * Line)) / Line;
            Assert.InRange(ahead / PageLines - line / PageLines, 1, Pages);
            Assert.True(asked.TryAdd(ahead, line), $"Line {ahead} is asked for twice.");
        }

        for (long line = begin + (Pages + 1) * PageLines; line < begin + Count; line++)
        {
            Assert.True(asked.TryGetValue(line, out long when), $"Line {line} is never asked for.");
            Assert.True(line % PageLines == 0 || when > asked[line - 1]);
        }
    }

    /// <summary>Pieces of two pages that lie anywhere, each read with a list of its own pages and what comes then.</summary>
    [Fact]
    public void ListedPagesAhead_PiecesAnywhere_AsksForEachOnceAndInOrder()
    {
        const int Pieces = 12, PiecePages = 2, Count = Pieces * PiecePages;
        byte** pages = stackalloc byte*[Count];
        for (int i = 0; i < Count; i++)
        {
            pages[i] = (byte*)((1 + 7 * (i / PiecePages) % Pieces * 1000L + i % PiecePages) * PageLines * Line);
        }

        List<long> asked = [];
        for (int piece = 0; piece + (Pages / PiecePages) < Pieces; piece++)
        {
            byte** list = pages + piece * PiecePages;
            var ahead = new ListedPagesAhead(list);
            for (long line = 0; line < PiecePages * PageLines; line++)
            {
                asked.Add((long)ahead.Ahead(list[0] + line * Line));
            }
        }

        Assert.Equal(asked.Count, asked.Distinct().Count());
        for (int page = (int)Pages; page < Count - (int)Pages; page++)
        {
            long[] lines = [.. asked.Where(address => address / (PageLines * Line) == (long)pages[page] / (PageLines * Line))];
            Assert.Equal(Enumerable.Range(0, (int)PageLines).Select(line => (long)pages[page] + line * Line), lines);
        }
    }

    /// <summary>Blocks of 288 and 544 bytes are no whole number of lines; their loads and their scales still meet every line.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    public void PagesAhead_BlocksWithScales_AskForEveryLine(int loads)
    {
        const int Blocks = 400;
        long blockBytes = loads * Line + Line / 2;
        HashSet<long> asked = [];
        for (long block = 0; block < Blocks; block++)
        {
            for (int load = 0; load <= loads; load++)
            {
                asked.Add((long)PagesAhead.Ahead((byte*)(block * blockBytes + load * Line)) / Line);
            }
        }

        for (long line = (Pages + 1) * PageLines; line < Blocks * blockBytes / Line; line++)
        {
            Assert.Contains(line, asked);
        }
    }
}
