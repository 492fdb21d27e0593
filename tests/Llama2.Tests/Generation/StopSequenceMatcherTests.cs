using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace Llama2.Tests;

public class StopSequenceMatcherTests
{
    [Fact]
    public void Append_NoSequences_PassesTextThrough()
    {
        var matcher = new StopSequenceMatcher([]);
        Assert.Equal("any text", matcher.Append("any text"));
        Assert.Equal("", matcher.Flush());
        Assert.Null(matcher.Matched);
    }

    [Fact]
    public void Append_SequenceAcrossPieces_NeverLeaksIt()
    {
        var matcher = new StopSequenceMatcher(["</end>"]);
        Assert.Equal("story", matcher.Append("story</"));
        Assert.Equal("", matcher.Append("en"));
        Assert.Equal("", matcher.Append("d> and more"));
        Assert.Equal("</end>", matcher.Matched);
        Assert.Equal("", matcher.Append("more"));
        Assert.Equal("", matcher.Flush());
    }

    [Fact]
    public void Append_SequenceDoesNotCome_ReturnsWhatWasHeld()
    {
        var matcher = new StopSequenceMatcher(["</end>"]);
        Assert.Equal("", matcher.Append("</en"));
        Assert.Equal("</enm", matcher.Append("m<"));
        Assert.Equal("<", matcher.Flush());
        Assert.Equal("", matcher.Flush());
        Assert.Null(matcher.Matched);
    }

    [Fact]
    public void Append_SelfOverlappingSequence_HoldsLongestBeginning()
    {
        var matcher = new StopSequenceMatcher(["aab"]);
        Assert.Equal("aa", matcher.Append("aaaa"));
        Assert.Equal("", matcher.Append("b"));
        Assert.Equal("aab", matcher.Matched);
    }

    [Theory]
    [InlineData("xabcdy", new[] { "bcd", "c" }, "xab", "c")]          // complete first
    [InlineData("xabcdy", new[] { "cd", "abcd", "d" }, "x", "abcd")]  // complete together: the longest
    [InlineData("xabcdy", new[] { "ab", "abcd" }, "x", "ab")]
    [InlineData("abcabd", new[] { "abd" }, "abc", "abd")]
    [InlineData("a\U0001F600b", new[] { "\U0001F600" }, "a", "\U0001F600")]
    [InlineData("\U0001F601\U0001F600", new[] { "\U0001F600" }, "\U0001F601", "\U0001F600")]
    public void Append_SeveralSequences_FirstCompleteAndThenLongestWins(string text, string[] sequences, string before, string matched)
    {
        var matcher = new StopSequenceMatcher(sequences);
        Assert.Equal(before, matcher.Append(text));
        Assert.Equal(matched, matcher.Matched);
    }

    [Fact]
    public void Append_SurrogatePair_IsHeldOrReturnedWhole()
    {
        var matcher = new StopSequenceMatcher(["\U0001F600!"]);
        Assert.Equal("hi ", matcher.Append("hi \U0001F600"));
        Assert.Equal("\U0001F600?", matcher.Append("?"));
    }

    [Fact]
    public void Constructor_EmptySequence_Throws() =>
        Assert.Throws<ArgumentException>(() => new StopSequenceMatcher(["ok", ""]));

    [Fact]
    public void Append_LongSequenceAndTextPieceByPiece_TakesLinearTime()
    {
        var matcher = new StopSequenceMatcher([new string('a', 200_000) + "b"]);
        var answer = new StringBuilder();
        for (int i = 0; i < 400_000; i++)
        {
            answer.Append(matcher.Append("a"));   // with quadratic time, 6·10¹⁰ characters
        }

        Assert.Equal(200_000, answer.Length);
        Assert.Equal(200_000, matcher.Flush().Length);
    }

    [Property(MaxTest = 3000)]
    public Property Append_AnyTextInAnyPieces_AgreesWithSearchOfWholeText() => Prop.ForAll(Arb.From(Cases), static test =>
    {
        (string text, string[] sequences, int[] cuts) = test;
        var matcher = new StopSequenceMatcher(sequences);
        var answer = new StringBuilder();
        int fed = 0;
        foreach (int cut in cuts.Select(cut => cut % (text.Length + 1)).Order().Append(text.Length))
        {
            answer.Append(matcher.Append(text[fed..cut]));
            fed = cut;
            if (matcher.Matched is null)
            {
                int held = Enumerable.Range(0, fed + 1).First(start =>
                    start == fed || sequences.Any(s => s.StartsWith(text[start..fed], StringComparison.Ordinal)));
                Assert.Equal(text[..held], answer.ToString());
            }
        }

        answer.Append(matcher.Flush());
        (string? matched, string before) = Search(text, sequences);
        Assert.Equal(matched, matcher.Matched);
        Assert.Equal(before, answer.ToString());
    });

    private static Gen<(string Text, string[] Sequences, int[] Cuts)> Cases =>
        from text in TextOf(0, 30)
        from count in Gen.Choose(1, 4)
        from sequences in TextOf(1, 5).ArrayOf(count)
        from cuts in Gen.Choose(0, 1000).ArrayOf(6)
        select (text, sequences, cuts);

    private static Gen<string> TextOf(int least, int most) =>
        from length in Gen.Choose(least, most)
        from letters in Gen.Elements('a', 'b', 'c').ArrayOf(length)
        select new string(letters);

    private static (string? Matched, string Before) Search(string text, string[] sequences)
    {
        for (int end = 1; end <= text.Length; end++)
        {
            string? longest = sequences.Where(s => text[..end].EndsWith(s, StringComparison.Ordinal)).MaxBy(s => s.Length);
            if (longest is not null)
            {
                return (longest, text[..(end - longest.Length)]);
            }
        }

        return (null, text);
    }
}
