using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Evaluation.Tests;

public sealed class BleuTokenizerTests
{
    [SharedDataFact]
    public void Tokenize_GoldenTexts_EqualsSacrebleu()
    {
        int rows = 0;
        foreach (JsonElement row in TestData.Rows("metrics/bleu_tokenizer_golden.jsonl"))
        {
            string text = row.GetProperty("text").GetString()!;
            Assert.Equal((text, row.GetProperty("tok_13a").GetString()), (text, BleuTokenizer.Tokenize(text, BleuTokenization.Mteval13a)));
            Assert.Equal((text, row.GetProperty("tok_intl").GetString()), (text, BleuTokenizer.Tokenize(text, BleuTokenization.International)));
            rows++;
        }

        Assert.Equal(124, rows);
    }

    [Theory]
    [InlineData("It costs $5,000.50, doesn't it?", "It costs $ 5,000.50 , doesn't it ?")]
    [InlineData("a-b 3-4 &quot;x&quot; &amp;lt; <skipped>end-\nless", "a-b 3 - 4 \" x \" < endless")]
    [InlineData("wait...", "wait . . .")]
    [InlineData(".5 and 5.", ". 5 and 5 .")]
    [InlineData("\ud83d\ude42.x", "\ud83d\ude42 . x")]
    [InlineData("", "")]
    public void Tokenize_13a_PartsWesternPunctuation(string text, string expected) =>
        Assert.Equal(expected, BleuTokenizer.Tokenize(text, BleuTokenization.Mteval13a));

    [Theory]
    [InlineData("price: $5,000.", "price : $ 5,000.")]
    [InlineData("日本語、テスト。", "日本語 、 テスト 。")]
    [InlineData("x\ud83d\ude42y", "x \ud83d\ude42 y")]
    [InlineData("\U00010100a", "\U00010100 a")]      // Aegean word separator, punctuation beyond the first plane
    public void Tokenize_International_PartsAllScripts(string text, string expected) =>
        Assert.Equal(expected, BleuTokenizer.Tokenize(text, BleuTokenization.International));

    [Fact]
    public void Tokenize_LoneSurrogate_StaysAsItIs() => Assert.Equal("a\ud800 , b", BleuTokenizer.Tokenize("a\ud800,b", BleuTokenization.International));

    [Fact]
    public void Tokenize_Others_PartCharactersOrNothing()
    {
        Assert.Equal("a \ud83d\ude42 b", BleuTokenizer.Tokenize("a\ud83d\ude42 b", BleuTokenization.Character));
        Assert.Equal("a,b c", BleuTokenizer.Tokenize("\u001ca,b \u3000c\u001f", BleuTokenization.None));
        Assert.Throws<ArgumentOutOfRangeException>(() => BleuTokenizer.Tokenize("a", (BleuTokenization)7));
    }

    [Fact]
    public void Tokenize_LongText_GrowsItsBuffer()
    {
        string text = string.Concat(Enumerable.Repeat("a,", 5000));

        Assert.Equal(10_000, BleuTokenizer.Tokenize(text, BleuTokenization.Mteval13a).Split(' ').Length);
    }
}
