using System.Text.RegularExpressions;

namespace Llama2.Tests;

public class RegexParserTests
{
    private static readonly string[] _atoms =
        ["a", "b", "é", "字", "(?:🙂)", ".", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "[ab]", "[^a]", "[a-c1]", "[^\\d]", "[\\w-]", "[^\\S]", "\\n", "\\x41", "\\u00e9", "\\.", "\\["];

    private static readonly string[] _repetitions = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?", "??"];

    /// <summary>On ASCII the language is that of .NET; beyond it, what is allowed here matches there as well.</summary>
    [Fact]
    public void Regex_RandomExpressionsAndTexts_AgreeWithDotNet()
    {
        var random = new Random(7);
        int matches = 0, drawn = 0;
        for (int i = 0; i < 1500; i++)
        {
            string pattern = Pattern(random, 2);
            GenerationConstraint constraint = GenerationConstraint.Regex(pattern);
            var expected = new Regex($@"\A(?:{pattern})\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
            for (int j = 0; j < 20; j++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => "aabc1A .[\n-"[random.Next(11)]));
                bool accepts = ConstraintWalk.Accepts(constraint, text);
                Assert.True(accepts == expected.IsMatch(text), $"{pattern} on '{text}'");
                matches += accepts ? 1 : 0;
            }

            // .NET counts UTF-16 units: beyond the basic plane its dot is two.
            if (i % 5 == 0 && new ConstraintWalk(constraint).Text(random, 60) is { } made && !made.Any(char.IsSurrogate))
            {
                Assert.Matches(expected, made);
                drawn++;
            }
        }

        Assert.True(matches > 2000 && drawn > 50, $"{matches} matches, {drawn} texts");
    }

    [Theory]
    [InlineData("", "", "a")]
    [InlineData("^abc$", "abc", "ab")]
    [InlineData("^a$|^b$", "a b", "ab")]
    [InlineData("(?<year>\\d{4})-(?:0[1-9]|1[0-2])", "2026-11", "2026-13")]
    [InlineData("[]-]?", "x", "y", true)]
    [InlineData("[\\]\\-\\\\^]", "] - \\ ^", "a")]
    [InlineData("[-a]", "- a", "b")]
    [InlineData("[a-]", "- a", "b")]
    [InlineData("\\u{1F642}\\0?", "🙂 🙂\0", "a")]
    [InlineData("}]", "}]", "}")]
    [InlineData("a{0}b", "b", "ab")]
    [InlineData("(){3}a", "a", "aa")]
    [InlineData("(a?)*b", "b aab", "a")]
    [InlineData("[\\b]", "\b", "b")]
    public void Regex_Expression_AllowsAndRefuses(string pattern, string allowed, string refused, bool fails = false)
    {
        if (fails)
        {
            Assert.Throws<GenerationConstraintException>(() => GenerationConstraint.Regex(pattern));
            return;
        }

        GenerationConstraint constraint = GenerationConstraint.Regex(pattern);
        Assert.All(allowed.Split(' '), text => Assert.True(ConstraintWalk.Accepts(constraint, text), text));
        Assert.All(refused.Split(' '), text => Assert.False(ConstraintWalk.Accepts(constraint, text), text));
    }

    [Theory]
    [InlineData("ab(", "2")]
    [InlineData("ab)", "2")]
    [InlineData("a(^b)", "2")]
    [InlineData("a^b", "1")]
    [InlineData("a$b", "1")]
    [InlineData("(?=a)", "0")]
    [InlineData("(?!a)", "0")]
    [InlineData("(?<=a)", "0")]
    [InlineData("(?<a", "0")]
    [InlineData("(?i)a", "0")]
    [InlineData("(?>a)", "0")]
    [InlineData("(?<>a)", "0")]
    [InlineData("(a)\\1", "3")]
    [InlineData("\\b", "0")]
    [InlineData("\\p{L}", "0")]
    [InlineData("\\k<a>", "0")]
    [InlineData("\\", "0")]
    [InlineData("\\x4", "0")]
    [InlineData("\\x-1", "0")]
    [InlineData("\\ud83d", "0")]
    [InlineData("\\u{110000}", "0")]
    [InlineData("\\u{}", "0")]
    [InlineData("\\u{12", "0")]
    [InlineData("*a", "0")]
    [InlineData("a**", "2")]
    [InlineData("a{2}{3}", "4")]
    [InlineData("a{2,1}", "1")]
    [InlineData("a{10001}", "1")]
    [InlineData("a{99999999999}", "1")]
    [InlineData("a{x}", "1")]
    [InlineData("a{", "1")]
    [InlineData("[", "0")]
    [InlineData("[a", "0")]
    [InlineData("[]", "0")]
    [InlineData("[b-a]", "1")]
    [InlineData("[a-\\d]", "1")]
    [InlineData("[a-z-[b]]", "5")]
    public void Regex_MalformedOrUnsupported_NamesTheOffset(string pattern, string offset)
    {
        GenerationConstraintException exception = Assert.Throws<GenerationConstraintException>(() => GenerationConstraint.Regex(pattern));
        Assert.Equal(offset, exception.Location);
        Assert.Contains($"offset {offset}:", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("((a{100}){100}){100}")]
    [InlineData("(?:字{10000}){10000}")]
    public void Regex_TooLarge_Throws(string pattern) =>
        Assert.Contains("too large", Assert.Throws<GenerationConstraintException>(() => GenerationConstraint.Regex(pattern)).Message, StringComparison.Ordinal);

    [Fact]
    public void Regex_LoneSurrogate_Throws() => Assert.Equal("1", Assert.Throws<GenerationConstraintException>(() => GenerationConstraint.Regex("a\ud83d")).Location);

    [Fact]
    public void Regex_DeepGroups_Throw() =>
        Assert.Throws<GenerationConstraintException>(() => GenerationConstraint.Regex(new string('(', 5000) + new string(')', 5000)));

    private static string Pattern(Random random, int depth)
    {
        string[] parts = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Part(random, depth))];
        return string.Concat(parts);
    }

    private static string Part(Random random, int depth)
    {
        string part = depth == 0 || random.Next(3) > 0
            ? _atoms[random.Next(_atoms.Length)]
            : $"({(random.Next(2) == 0 ? "?:" : "")}{Pattern(random, depth - 1)}|{Pattern(random, depth - 1)})";
        return part + _repetitions[random.Next(_repetitions.Length)];
    }
}
