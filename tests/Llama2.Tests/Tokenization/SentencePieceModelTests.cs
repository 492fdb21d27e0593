using System.Text;
using FsCheck.Xunit;

namespace Llama2.Tests;

public sealed class SentencePieceModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llama2-tokenizer-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void WriteThenLoad_RandomVocabulary_IsEqual(bool bytes, bool addDummyPrefix)
    {
        string path = Path.Combine(_folder, "tokenizer.model");
        for (int seed = 0; seed < 10; seed++)
        {
            LlamaTokenizer tokenizer = TinyVocabularies.Create(seed, bytes, userDefined: true, unused: true, addDummyPrefix: addDummyPrefix);
            SentencePieceModelWriter.Write(tokenizer, path);                       // over the one before
            LlamaTokenizer read = LlamaTokenizer.Load(path);
            Assert.Equal(tokenizer.Vocabulary, read.Vocabulary);
            Assert.Equal((1, 2, 0, addDummyPrefix), (read.BeginOfTextId, read.EndOfTextId, read.UnknownId, read.AddDummyPrefix));
            string text = TinyVocabularies.Text(new Random(seed), 50);
            Assert.Equal(tokenizer.Encode(text), read.Encode(text));
        }

        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public void Write_OtherUnknownText_IsKept()
    {
        LlamaTokenizer tokenizer = Read([.. Specials(), .. Trainer(Text(44, "?")), .. Normalizer()]);
        using var stream = new MemoryStream();
        SentencePieceModelWriter.Write(tokenizer, stream);
        Assert.Equal("?", Read(stream.ToArray()).Decode([0]));
    }

    [Fact]
    public void Write_GgufKinds_BecomeThoseOfSentencePiece()
    {
        VocabularyEntry[] entries =
        [
            new("<unk>", 0, TokenKind.Normal),
            new("<s>", 0, TokenKind.UserDefined),
            new("</s>", 0, TokenKind.Normal),
            new("<pad>", 0, TokenKind.Unknown),
        ];
        using var stream = new MemoryStream();
        SentencePieceModelWriter.Write(new LlamaTokenizer(entries, 1, 2, 0), stream);
        TokenKind[] kinds = [TokenKind.Unknown, TokenKind.Control, TokenKind.Control, TokenKind.Control];
        Assert.Equal(kinds, Read(stream.ToArray()).Vocabulary.Select(entry => entry.Kind));
    }

    [Fact]
    public void Write_NowhereToWrite_LeavesNothing()
    {
        string occupied = Path.Combine(_folder, "taken");
        Directory.CreateDirectory(occupied);
        Assert.ThrowsAny<Exception>(() => SentencePieceModelWriter.Write(TinyVocabularies.Create(1), occupied));
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public void Read_UnknownFields_AreSkipped()
    {
        byte[] strange = [.. Number(99, 7), .. Text(100, "later"), .. Tag(101, 5), 1, 2, 3, 4, .. Tag(102, 1), 1, 2, 3, 4, 5, 6, 7, 8];
        byte[] piece = Message(1, [.. Text(1, "a"), .. strange]);
        byte[] normalizer = Message(3, [.. Number(4, 0), .. strange]);
        LlamaTokenizer tokenizer = Read(
            [.. Specials(), .. piece, .. Trainer(strange), .. normalizer, .. Message(4, strange), .. Message(5, strange), .. strange]);
        Assert.Equal(4, tokenizer.VocabularySize);
        Assert.True(tokenizer.AddDummyPrefix);
    }

    [Fact]
    public void Read_OtherKindOfModel_NamesFieldFoundAndExpected()
    {
        Refuses("trainer_spec.model_type", "1 (unigram)", Trainer(Number(3, 1)));
        Refuses("trainer_spec.model_type", "3 (word)", Trainer(Number(3, 3)));
        Refuses("trainer_spec.model_type", "4 (char)", Trainer(Number(3, 4)));
        Refuses("trainer_spec.model_type", "9", Trainer(Number(3, 9)));
        Refuses("trainer_spec.model_type", "1 (unigram)", Message(2, []));          // the format's default
        Refuses("trainer_spec.treat_whitespace_as_suffix", "true", Trainer(Number(24, 1)));
        Refuses("trainer_spec.byte_fallback", "true", Trainer(Number(35, 1)));
        Refuses("begin-of-text id", "-1", Trainer(Number(41, -1)));
        Refuses("end-of-text id", "3", Trainer(Number(42, 3)));
        Refuses("trainer_spec.bos_id", "0, a Unknown piece", Trainer(Number(41, 0)));
        Refuses("trainer_spec.eos_id", "0, a Unknown piece", Trainer(Number(42, 0)));
        Refuses("trainer_spec.unk_id", "2, a Control piece", Trainer(Number(40, 2)));
        Refuses("trainer_spec, field 3", "wire type 2", Trainer(Text(3, "BPE")));
        Refuses("normalizer_spec.precompiled_charsmap", "3 bytes", Trainer(), Message(3, [.. Number(4, 0), .. Text(2, "map")]));
        Refuses("denormalizer_spec.precompiled_charsmap", "3 bytes", Trainer(), [.. Normalizer(), .. Message(5, Text(2, "map"))]);
        Refuses("normalizer_spec.remove_extra_whitespaces", "true", Trainer(), Message(3, Number(4, 1)));
        Refuses("normalizer_spec.remove_extra_whitespaces", "true", Trainer(), []); // the format's default
        Refuses("normalizer_spec.escape_whitespaces", "false", Trainer(), Message(3, Number(5, 0)));
        Refuses("piece 3.type", "7", [.. Message(1, [.. Text(1, "a"), .. Number(3, 7)]), .. Trainer()]);
        Refuses("piece 3, field 1", "bytes C3", [.. Message(1, [.. Tag(1, 2), 1, 0xC3]), .. Trainer()]);
        Refuses("piece 3, field 1", "200 bytes wanted, 1 left", [.. Message(1, [.. Tag(1, 2), 200, 1, 65]), .. Trainer()]);
        Refuses("piece 3", "score NaN", [.. Message(1, [.. Text(1, "a"), .. Tag(2, 5), 0, 0, 0xC0, 0x7F]), .. Trainer()]);
        Refuses("piece 3", "'<s>' a second time", [.. Message(1, [.. Text(1, "<s>"), .. Number(3, 3)]), .. Trainer()]);
        Refuses("model, tag", "field number 0", [0]);
        Refuses("model, field 4", "wire type 3", [4 << 3 | 3]);
        Refuses("model, tag", "the end of the data", [0x80], []);
        Refuses("model, tag", "more than 10 bytes", [.. Enumerable.Repeat((byte)0xFF, 12)], []);
    }

    [Fact]
    public void Read_NothingOrText_IsRefused()
    {
        Assert.Throws<CheckpointException>(() => Read([]));
        Assert.Throws<CheckpointException>(() => Read("not a model"u8.ToArray()));
    }

    [Fact]
    public void Read_EveryTruncation_IsRefusedOrWhole()
    {
        byte[] bytes = Written(bytes: false);
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<CheckpointException>(() => Read(bytes[..length]));      // the normalizer comes last and is needed
        }
    }

    [Property(MaxTest = 400, Replay = "4711,815")]
    public void Read_MutatedModel_IsReadOrRefused((int Position, byte Value)[] changes, bool byteFallback)
    {
        byte[] bytes = Written(byteFallback);
        foreach ((int position, byte value) in changes)
        {
            bytes[(uint)position % bytes.Length] = value;
        }

        Exception? exception = Record.Exception(() => Read(bytes).Encode("a bc"));
        Assert.True(exception is null or CheckpointException, $"{exception}");
    }

    [Property(MaxTest = 400, Replay = "4711,815")]
    public void Read_AnyBytes_IsRefused(byte[] bytes) => Assert.IsType<CheckpointException>(Record.Exception(() => Read(bytes)));

    private static void Refuses(string field, string found, byte[] trainer, byte[]? normalizer = null)
    {
        var exception = Assert.Throws<CheckpointException>(() => Read([.. Specials(), .. trainer, .. normalizer ?? Normalizer()]));
        Assert.Equal(("some.model", field, found), (exception.File, exception.Field, exception.Found));
    }

    private static LlamaTokenizer Read(byte[] bytes) => SentencePieceModelReader.Read("some.model", bytes);

    private static byte[] Written(bool bytes)
    {
        using var stream = new MemoryStream();
        SentencePieceModelWriter.Write(TinyVocabularies.Create(1, bytes), stream);
        return stream.ToArray();
    }

    private static byte[] Specials() =>
    [
        .. Message(1, [.. Text(1, "<unk>"), .. Number(3, 2)]),
        .. Message(1, [.. Text(1, "<s>"), .. Number(3, 3)]),
        .. Message(1, [.. Text(1, "</s>"), .. Number(3, 3)]),
    ];

    private static byte[] Trainer(params byte[] more) => Message(2, [.. Number(3, 2), .. more]);

    private static byte[] Normalizer() => Message(3, Number(4, 0));

    private static byte[] Message(int field, byte[] content) => [.. Tag(field, 2), .. Varint((ulong)content.Length), .. content];

    private static byte[] Text(int field, string text) => Message(field, Encoding.UTF8.GetBytes(text));

    private static byte[] Number(int field, int value) => [.. Tag(field, 0), .. Varint(unchecked((ulong)(long)value))];

    private static byte[] Tag(int field, int wireType) => Varint((ulong)(field << 3 | wireType));

    private static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        return [.. bytes, (byte)value];
    }
}
