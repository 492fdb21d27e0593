using System.Diagnostics;
using System.Text;
using Llama2.Testing;

namespace Llama2.Tests;

public class LlamaTokenizerTests
{
    [Theory]
    [InlineData(true, false, false, false)]
    [InlineData(false, false, false, false)]
    [InlineData(true, true, false, false)]
    [InlineData(true, false, true, false)]
    [InlineData(false, true, true, true)]
    [InlineData(true, true, true, true)]
    public void Encode_RandomVocabularyAndText_EqualsSlowReference(bool bytes, bool userDefined, bool unused, bool missingLetters)
    {
        for (int seed = 0; seed < 40; seed++)
        {
            LlamaTokenizer tokenizer = TinyVocabularies.Create(seed, bytes, userDefined, unused, missingLetters, addDummyPrefix: seed % 4 != 0);
            var random = new Random(seed);
            for (int length = 0; length < 40; length++)
            {
                string text = TinyVocabularies.Text(random, length);
                int[] expected = TinyVocabularies.EncodeSlowly(tokenizer, text);
                Assert.Equal(expected, tokenizer.Encode(text));
                Assert.Equal(expected, tokenizer.EncodeUtf8(Encoding.UTF8.GetBytes(text)));
                Assert.Equal(expected.Length, tokenizer.CountTokens(text));
            }
        }
    }

    [Fact]
    public void Encode_RandomCheckpointVocabulary_EqualsSlowReference()
    {
        LlamaTokenizer tokenizer = TinyModels.Create().LoadTokenizer()!;
        const string Text = "the quick brown fox: ababab aaaa  zz";
        Assert.Equal(TinyVocabularies.EncodeSlowly(tokenizer, Text), tokenizer.Encode(Text));
        Assert.Equal(Text, tokenizer.Decode(tokenizer.Encode(Text)));
    }

    [Fact]
    public void Encode_ControlTokensInText_AreNeverEmitted()
    {
        LlamaTokenizer tokenizer = TinyVocabularies.Create(1);
        int[] ids = tokenizer.Encode("<s>a</s><unk><0x0A>");
        Assert.All(ids, id => Assert.True(id > 2, $"id {id}"));
        Assert.Equal("<s>a</s><unk><0x0A>", tokenizer.Decode(ids));
    }

    [Fact]
    public void Encode_UserDefinedPiece_IsMatchedLongestFirstAndNeverMerged()
    {
        var tokenizer = new LlamaTokenizer(
            [
                new("<unk>", 0, TokenKind.Unknown),
                new("<s>", 0, TokenKind.Control),
                new("</s>", 0, TokenKind.Control),
                new("a", 0, TokenKind.Normal),
                new("b", 0, TokenKind.Normal),
                new("aa", -1, TokenKind.UserDefined),
                new("aab", -2, TokenKind.UserDefined),
                new("aabb", 9, TokenKind.Normal),
                new("aabbb", 9, TokenKind.UserDefined),
            ],
            1,
            2,
            0,
            addDummyPrefix: false);
        Assert.Equal([6, 4], tokenizer.Encode("aabb"));
        Assert.Equal([5, 5, 3], tokenizer.Encode("aaaaa"));
        Assert.Equal([8], tokenizer.Encode("aabbb"));
        Assert.Equal("aabb", tokenizer.Decode([6, 4]));
    }

    [Fact]
    public void Encode_UnusedPiece_FallsApartIntoWhatItWasMadeOf()
    {
        var tokenizer = new LlamaTokenizer(
            [
                new("<unk>", 0, TokenKind.Unknown),
                new("<s>", 0, TokenKind.Control),
                new("</s>", 0, TokenKind.Control),
                new("a", 0, TokenKind.Normal),
                new("ab", -1, TokenKind.Unused),
                new("abc", -2, TokenKind.Unused),
                new("c", 0, TokenKind.Normal),
            ],
            1,
            2,
            0,
            addDummyPrefix: false);
        Assert.Equal([3, 0, 6], tokenizer.Encode("abc"));                 // b is no piece
        Assert.Equal("abc", tokenizer.Decode([5]));
    }

    [Fact]
    public void Encode_EveryMergeOffersTwoMore_EqualsSlowReference()
    {
        VocabularyEntry[] specials = [new("<unk>", 0, TokenKind.Unknown), new("<s>", 0, TokenKind.Control), new("</s>", 0, TokenKind.Control)];
        var runs = Enumerable.Range(1, 63).Select(length => new VocabularyEntry(new string('a', length), length, TokenKind.Normal));
        var prefixed = Enumerable.Range(0, 64).Select(length => new VocabularyEntry("▁" + new string('a', length), -100, TokenKind.Normal));
        var tokenizer = new LlamaTokenizer([.. specials, .. runs, .. prefixed], 1, 2, 0);
        string text = new('a', 63);                                       // with its prefix it fills a rented array of 64
        Assert.Equal(TinyVocabularies.EncodeSlowly(tokenizer, text), tokenizer.Encode(text));
    }

    [Fact]
    public void Encode_NoByteFallback_WritesOneUnknownForARun()
    {
        LlamaTokenizer tokenizer = TinyVocabularies.Create(3, bytes: false);
        int[] ids = tokenizer.Encode("zzz🚀z");
        Assert.Equal(1, ids.Count(id => id == tokenizer.UnknownId));
        Assert.Equal(" ⁇ ", tokenizer.Decode(ids));
        Assert.True(tokenizer.GetBytes(tokenizer.UnknownId).IsEmpty);
    }

    [Fact]
    public void Encode_LoneSurrogate_CountsAsReplacementCharacter()
    {
        LlamaTokenizer tokenizer = TinyVocabularies.Create(2);
        foreach ((string text, string whole) in ((string, string)[])       // not inline data, which the runner would repair
            [
                ("\uD83D", "\uFFFD"),
                ("a\uDE42b", "a\uFFFDb"),
                ("\uDE42\uD83D", "\uFFFD\uFFFD"),
                ("\uD83D\uD83D\uDE42\uDE42", "\uFFFD🙂\uFFFD"),
            ])
        {
            Assert.Equal(tokenizer.Encode(whole), tokenizer.Encode(text));
            Assert.Equal(whole, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void EncodeUtf8_InvalidBytes_CountOneReplacementCharacterEach()
    {
        LlamaTokenizer tokenizer = TinyVocabularies.Create(2);
        foreach ((byte[] bytes, string text) in ((byte[], string)[])
            [
                ([0xF0, 0x9F, 0x91], "\uFFFD\uFFFD\uFFFD"),
                ([0xE5, 0xAD, (byte)'a'], "\uFFFD\uFFFDa"),
                ([0xC0, 0x80, 0x20], "\uFFFD\uFFFD "),
                ([0xED, 0xA0, 0x80], "\uFFFD\uFFFD\uFFFD"),
                ([0xFF, (byte)'a', 0xC3, 0xA9], "\uFFFDaé"),
                ([0xEF, 0xBF, 0xBD], "\uFFFD"),
            ])
        {
            Assert.Equal(tokenizer.Encode(text), tokenizer.EncodeUtf8(bytes));
        }
    }

    [Fact]
    public void Decode_OfEncode_IsTheText()
    {
        LlamaTokenizer tokenizer = TinyVocabularies.Create(5);
        var random = new Random(5);
        for (int length = 0; length < 200; length++)
        {
            string text = TinyVocabularies.Text(random, length).Replace('▁', ' ');
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void Decode_NoDummyPrefix_KeepsTheLeadingSpace()
    {
        LlamaTokenizer tokenizer = TinyVocabularies.Create(4, addDummyPrefix: false);
        Assert.Equal("  a", tokenizer.Decode(tokenizer.Encode("  a")));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    [InlineData(int.MaxValue)]
    public void IdOutsideTheVocabulary_Throws(int id)
    {
        LlamaTokenizer tokenizer = TinyVocabularies.Create(1);
        foreach (int outside in (int[])[id, tokenizer.VocabularySize])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([outside]));
            Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.GetPiece(outside));
            Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.GetBytes(outside).Length);
            Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.CreateDecoder().Append(outside));
        }
    }

    [Fact]
    public void Constructor_ContradictoryVocabulary_NamesTheField()
    {
        VocabularyEntry[] good = [new("<unk>", 0, TokenKind.Unknown), new("<s>", 0, TokenKind.Control), new("</s>", 0, TokenKind.Control)];
        Refuses("vocabulary", []);
        Refuses("begin-of-text id", good, begin: 3);
        Refuses("end-of-text id", good, end: -1);
        Refuses("unknown id", good, unknown: int.MaxValue);
        Refuses("piece 4", [.. good, new("a", 0, TokenKind.Normal), new("a", -1, TokenKind.Normal)]);
        Refuses("piece 3", [.. good, new("<s>", 0, TokenKind.Control)]);
        Refuses("piece 3", [.. good, new("", 0, TokenKind.Normal)]);
        Refuses("piece 3", [.. good, new("a", float.NaN, TokenKind.Normal)]);
        Refuses("piece 3", [.. good, new("<0xZZ>", 0, TokenKind.Byte)]);
        Refuses("byte pieces", [.. good, new("<0x0A>", 0, TokenKind.Byte)]);
        VocabularyEntry[] bytes = [.. Enumerable.Range(0, 256).Select(value => new VocabularyEntry($"<0x{value:X2}>", 0, TokenKind.Byte))];
        Refuses("piece 259", [.. good, .. bytes, new("<0x0a>", 0, TokenKind.Byte)]);

        static void Refuses(string field, VocabularyEntry[] entries, int begin = 1, int end = 2, int unknown = 0)
        {
            var exception = Assert.Throws<CheckpointException>(() => new LlamaTokenizer(entries, begin, end, unknown, file: "some.gguf"));
            Assert.Equal(("some.gguf", field), (exception.File, exception.Field));
        }
    }

    [Theory]
    [InlineData("letter")]
    [InlineData("spaces")]
    [InlineData("mixed")]
    public void Encode_OneMegabyte_TakesNoQuadraticTime(string kind)
    {
        LlamaTokenizer tokenizer = TinyVocabularies.Create(7);
        var random = new Random(1);
        string text = kind switch
        {
            "letter" => new string('a', 1 << 20),
            "spaces" => new string(' ', 1 << 20),
            _ => TinyVocabularies.Text(random, 1 << 20).Replace('▁', ' '),
        };
        var clock = Stopwatch.StartNew();
        int[] ids = tokenizer.Encode(text);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"{clock.Elapsed}");          // quadratic work would take hours
        Assert.Equal(text, tokenizer.Decode(ids));
    }

    [Fact]
    public void CountTokens_ShortText_AllocatesNothing()
    {
        LlamaTokenizer tokenizer = TinyVocabularies.Create(1);
        const string Text = "ab ca z éa bac 🙂 abcabc";
        Assert.Equal(0, Allocations.Of(() => tokenizer.CountTokens(Text)));
    }

    [Fact]
    public void Encode_FromManyThreads_GivesTheSameIds()
    {
        LlamaTokenizer tokenizer = TinyVocabularies.Create(8, unused: true, userDefined: true);
        string[] texts = [.. Enumerable.Range(0, 64).Select(seed => TinyVocabularies.Text(new Random(seed), 300))];
        int[][] alone = [.. texts.Select(text => tokenizer.Encode(text))];
        Parallel.For(0, 640, index =>
        {
            int[] ids = tokenizer.Encode(texts[index % 64]);
            Assert.Equal(alone[index % 64], ids);
            Assert.Equal(texts[index % 64].Replace('▁', ' '), tokenizer.Decode(ids));
        });
    }
}
