using System.Text;
using System.Text.Json.Nodes;
using FsCheck.Xunit;

namespace Llama2.Tests;

public class TokenizerJsonReaderTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Read_EitherFormOfMerges_KeepsIdsAndKinds(bool arrayMerges)
    {
        LlamaTokenizer tokenizer = RunsOfLetters();
        LlamaTokenizer read = Read(TokenizerJson.Make(tokenizer, arrayMerges));
        Assert.Equal(tokenizer.Vocabulary.Select(entry => (entry.Piece, entry.Kind)), read.Vocabulary.Select(entry => (entry.Piece, entry.Kind)));
        Assert.Equal((1, 2, 0, true), (read.BeginOfTextId, read.EndOfTextId, read.UnknownId, read.AddDummyPrefix));
        var random = new Random(1);
        for (int length = 0; length < 300; length++)
        {
            string text = string.Concat(Enumerable.Range(0, length).Select(_ => (char)('a' + random.Next(4))));
            Assert.Equal(tokenizer.Encode(text), read.Encode(text));
        }
    }

    [Fact]
    public void Read_PieceWithoutMerge_NeverComesFromText()
    {
        JsonObject json = TokenizerJson.Make(RunsOfLetters());
        int id = json["model"]!["vocab"]!.AsObject().Count;
        json["model"]!["vocab"]!["abc"] = id;
        LlamaTokenizer tokenizer = Read(json);
        Assert.Equal(TokenKind.Unused, tokenizer.Vocabulary[id].Kind);
        Assert.DoesNotContain(id, tokenizer.Encode("abcabc"));
        Assert.Equal("abcabc", tokenizer.Decode([id, id]));
    }

    [Fact]
    public void Read_AddedTokens_AreControlWhenSpecialElseUserDefined()
    {
        JsonObject json = TokenizerJson.Make(RunsOfLetters());
        int id = json["model"]!["vocab"]!.AsObject().Count;
        AddToken(json, id, "<|end|>", special: true);
        AddToken(json, id + 1, "ab ba", special: false);
        AddToken(json, id + 2, "abba", special: false);
        LlamaTokenizer tokenizer = Read(json);
        Assert.Equal([TokenKind.Control, TokenKind.UserDefined, TokenKind.UserDefined], tokenizer.Vocabulary.Skip(id).Select(entry => entry.Kind));
        Assert.DoesNotContain(id, tokenizer.Encode("a<|end|>"));
        Assert.Contains(id + 2, tokenizer.Encode("aabba"));
    }

    [Fact]
    public void Read_NoAddedTokens_StillKeepsBeginAndEndOutOfText()
    {
        JsonObject json = TokenizerJson.Make(RunsOfLetters());
        json["added_tokens"] = null;
        LlamaTokenizer tokenizer = Read(json);
        Assert.Equal([TokenKind.Unknown, TokenKind.Control, TokenKind.Control], tokenizer.Vocabulary.Take(3).Select(entry => entry.Kind));
        Assert.DoesNotContain(tokenizer.BeginOfTextId, tokenizer.Encode("<s>a</s>"));
    }

    [Theory]
    [InlineData("first", true)]
    [InlineData("always", true)]
    [InlineData("never", false)]
    [InlineData(null, true)]
    public void Read_Metaspace_SaysWhetherASpaceIsPutInFront(string? scheme, bool expected)
    {
        JsonObject json = TokenizerJson.Make(RunsOfLetters());
        json["normalizer"] = null;
        var metaspace = new JsonObject { ["type"] = "Metaspace", ["replacement"] = "▁", ["split"] = false };
        json["pre_tokenizer"] = scheme is null ? new JsonObject { ["type"] = "Sequence", ["pretokenizers"] = new JsonArray(metaspace) } : metaspace;
        if (scheme is not null)
        {
            metaspace["prepend_scheme"] = scheme;
        }

        Assert.Equal(expected, Read(json).AddDummyPrefix);
        json["pre_tokenizer"] = null;
        json["normalizer"] = TokenizerJson.Make(TinyVocabularies.Create(1, addDummyPrefix: false))["normalizer"]!.DeepClone();
        Assert.False(Read(json).AddDummyPrefix);
    }

    [Fact]
    public void Read_OtherTokenizer_NamesFieldFoundAndExpected()
    {
        Refuses("model.type", "\"Unigram\"", json => json["model"]!["type"] = "Unigram");
        Refuses("model.dropout", "0.1", json => json["model"]!["dropout"] = 0.1);
        Refuses("model.ignore_merges", "true", json => json["model"]!["ignore_merges"] = true);
        Refuses("model.fuse_unk", "false", json => (json["model"]!["fuse_unk"], json["model"]!["byte_fallback"]) = (false, false));
        Refuses("model.end_of_word_suffix", "\"\\u003C/w\\u003E\"", json => json["model"]!["end_of_word_suffix"] = "</w>");
        Refuses("normalizer", "nothing", json => json["normalizer"] = null);
        Refuses("normalizer.type", "\"NFKC\"", json => json["normalizer"] = new JsonObject { ["type"] = "NFKC" });
        Refuses("normalizer.prepend", "\"_\"", json => json["normalizer"] = new JsonObject { ["type"] = "Prepend", ["prepend"] = "_" });
        Refuses("pre_tokenizer.type", "\"ByteLevel\"", json => json["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel" });
        Refuses("pre_tokenizer.split", "nothing", json => json["pre_tokenizer"] = new JsonObject { ["type"] = "Metaspace", ["replacement"] = "▁" });
        Refuses("pre_tokenizer.prepend_scheme", "'last'", json => json["pre_tokenizer"] =
            new JsonObject { ["type"] = "Metaspace", ["replacement"] = "▁", ["split"] = false, ["prepend_scheme"] = "last" });
        Refuses("model.vocab.a", "7000", json => json["model"]!["vocab"]!["a"] = 7000);
        Refuses("model.vocab.a", "\"1\"", json => json["model"]!["vocab"]!["a"] = "1");
        Refuses("model.vocab.a", "1", json => json["model"]!["vocab"]!["a"] = 1);
        Refuses("model.merges", "nothing", json => json["model"]!["merges"] = null);
        Refuses("model.merges[0]", "\"a\"", json => json["model"]!["merges"] = new JsonArray("a"));
        Refuses("model.merges[0]", "\"a \\u00E9\"", json => json["model"]!["merges"] = new JsonArray("a é"));
        Refuses("model.merges[0]", "\"a \\u003Cs\\u003E\"", json => json["model"]!["merges"] = new JsonArray("a <s>"));
        Refuses("model.merges[0]", "7", json => json["model"]!["merges"] = new JsonArray(7));
        Refuses("model.byte_fallback", "true", json =>
        {
            json["model"]!["vocab"]!.AsObject().Remove("<0x0A>");
            json["model"]!["vocab"]!["<0x0a>"] = 3 + 0x0A;
        });
        Refuses("model.byte_fallback", "1", json => json["model"]!["byte_fallback"] = 1);
        Refuses("model.vocab", "no '<none>'", json => json["model"]!["unk_token"] = "<none>");
        Refuses("added_tokens[1].id", "5", json => json["added_tokens"]![1]!["id"] = 5);
        Refuses("added_tokens[3].lstrip", "true", json => AddToken(json, 999, "a", special: false)["lstrip"] = true, fixId: true);
        Refuses("added_tokens", "{}", json => json["added_tokens"] = new JsonObject());
        Refuses("model", "nothing", json => json["model"] = null);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("""{"model":{"vocab":{"\ud800":0}}}""")]
    public void Read_NoTokenizer_IsRefused(string json) =>
        Assert.Throws<CheckpointException>(() => TokenizerJsonReader.Read("some.json", Encoding.UTF8.GetBytes(json), SpecialTokens.None));

    [Fact]
    public void Read_HalfASurrogatePair_IsRefused()
    {
        string json = TokenizerJson.Make(RunsOfLetters()).ToJsonString().Replace("\"a\":", "\"\\uD800\":", StringComparison.Ordinal);
        var exception = Assert.Throws<CheckpointException>(() => TokenizerJsonReader.Read("some.json", Encoding.UTF8.GetBytes(json), SpecialTokens.None));
        Assert.Equal("half of a surrogate pair", exception.Found);
    }

    [Property(MaxTest = 200, Replay = "31,41")]
    public void Read_MutatedFile_IsReadOrRefused((int Position, byte Value)[] changes)
    {
        byte[] bytes = TokenizerJson.Write(TinyVocabularies.Create(1, bytes: false), arrayMerges: false);
        foreach ((int position, byte value) in changes.Take(3))
        {
            bytes[(uint)position % bytes.Length] = value;
        }

        Exception? exception = Record.Exception(() => TokenizerJsonReader.Read("some.json", bytes, SpecialTokens.None).Encode("a bc"));
        Assert.True(exception is null or CheckpointException, $"{exception}");
    }

    /// <summary>Runs of the letters a to d with scores all different, so that pieces and merges rank alike.</summary>
    private static LlamaTokenizer RunsOfLetters()
    {
        List<VocabularyEntry> entries = [new("<unk>", 0, TokenKind.Unknown), new("<s>", 0, TokenKind.Control), new("</s>", 0, TokenKind.Control)];
        entries.AddRange(Enumerable.Range(0, 256).Select(value => new VocabularyEntry($"<0x{value:X2}>", 0, TokenKind.Byte)));
        string[] pieces = ["a", "b", "c", "d", "▁", "▁a", "ab", "ba", "▁ab", "cd", "abcd", "dd", "dddd", "▁d", "aba", "bab"];
        entries.AddRange(pieces.Select((piece, index) => new VocabularyEntry(piece, -index, TokenKind.Normal)));
        return new LlamaTokenizer(entries, 1, 2, 0);
    }

    private static JsonObject AddToken(JsonObject json, int id, string content, bool special)
    {
        var token = new JsonObject { ["id"] = id, ["content"] = content, ["special"] = special };
        json["added_tokens"]!.AsArray().Add((JsonNode)token);
        return token;
    }

    private static void Refuses(string field, string value, Action<JsonObject> change, bool fixId = false)
    {
        JsonObject json = TokenizerJson.Make(RunsOfLetters());
        change(json);
        if (fixId)
        {
            json["added_tokens"]![3]!["id"] = json["model"]!["vocab"]!["a"]!.GetValue<int>();
        }

        var exception = Assert.Throws<CheckpointException>(() => Read(json));
        Assert.Equal(("some.json", field, value), (exception.File, exception.Field, exception.Found));
    }

    private static LlamaTokenizer Read(JsonObject json) =>
        TokenizerJsonReader.Read("some.json", Encoding.UTF8.GetBytes(json.ToJsonString()), SpecialTokens.None);
}
