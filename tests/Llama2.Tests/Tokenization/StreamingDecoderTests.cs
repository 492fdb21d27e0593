using FsCheck.Xunit;
using Llama2.Testing;

namespace Llama2.Tests;

public class StreamingDecoderTests
{
    private static readonly LlamaTokenizer _tokenizer = TinyVocabularies.Create(11);

    [Property(Replay = "12345,67891")]
    public void AppendAndFlush_AnyIds_ConcatenateToDecode(int[] numbers)
    {
        int[] ids = [.. numbers.Select(number => (int)((uint)number % _tokenizer.VocabularySize))];
        CheckStream(ids);
    }

    [Fact]
    public void AppendAndFlush_ByteHeavyIds_ConcatenateToDecode()
    {
        var random = new Random(3);
        byte[] likely = [0xF0, 0x9F, 0x99, 0x82, 0xE4, 0xBD, 0xA0, 0xC3, 0xA9, 0xED, 0xA0, 0x80, 0x20, 0x41, 0xFF, 0xC0, 0xF4, 0x90];
        for (int run = 0; run < 2000; run++)
        {
            int[] ids = [.. Enumerable.Range(0, random.Next(12)).Select(_ => random.Next(8) switch
            {
                0 => random.Next(_tokenizer.VocabularySize),
                1 => random.Next(3),
                _ => 3 + likely[random.Next(likely.Length)],
            })];
            CheckStream(ids);
        }
    }

    [Fact]
    public void Append_BytesOfOneCharacter_EmitsItWhole()
    {
        StreamingDecoder decoder = _tokenizer.CreateDecoder();
        Assert.Equal("", decoder.Append(3 + 0xF0));
        Assert.Equal("", decoder.Append(3 + 0x9F));
        Assert.Equal("", decoder.Append(3 + 0x99));
        Assert.Equal("🙂", decoder.Append(3 + 0x82));
        Assert.Equal("", decoder.Flush());
    }

    [Fact]
    public void Append_ControlTokenInsideACharacter_EndsIt()
    {
        StreamingDecoder decoder = _tokenizer.CreateDecoder();
        Assert.Equal("", decoder.Append(3 + 0xC3));
        Assert.Equal("\uFFFD", decoder.Append(_tokenizer.BeginOfTextId));
        Assert.Equal("\uFFFD", decoder.Append(3 + 0xA9));
        Assert.Equal("", decoder.Flush());
    }

    [Fact]
    public void Append_LeadingSpace_IsDroppedOnceAndOnlyWhenAsked()
    {
        int space = Find("▁");
        Assert.Equal((string[])["", " ", " "], Stream(_tokenizer.CreateDecoder(), space, space, space));
        Assert.Equal((string[])[" ", " ", " "], Stream(_tokenizer.CreateDecoder(dropLeadingSpace: false), space, space, space));
        Assert.Equal((string[])["", "", " "], Stream(_tokenizer.CreateDecoder(), _tokenizer.BeginOfTextId, space, space));
        Assert.Equal((string[])[" ", " "], Stream(_tokenizer.CreateDecoder(), 3 + ' ', space));      // a byte is not a piece's space
        Assert.Equal((string[])[" ⁇ ", " "], Stream(_tokenizer.CreateDecoder(), _tokenizer.UnknownId, space));
    }

    [Fact]
    public void Append_OrdinaryPiece_AllocatesNothing()
    {
        StreamingDecoder decoder = _tokenizer.CreateDecoder();
        int id = Find("a");
        decoder.Append(id);
        decoder.Append(id);
        Assert.Equal(0, Allocations.Of(() => decoder.Append(id)));
    }

    private static void CheckStream(int[] ids)
    {
        StreamingDecoder decoder = _tokenizer.CreateDecoder();
        string[] parts = [.. ids.Select(decoder.Append), decoder.Flush()];
        Assert.Equal(_tokenizer.Decode(ids), string.Concat(parts));
        Assert.All(parts, part => Assert.True(part.Length == 0 || (!char.IsLowSurrogate(part[0]) && !char.IsHighSurrogate(part[^1])), "half a character"));
    }

    private static string[] Stream(StreamingDecoder decoder, params int[] ids) => [.. ids.Select(decoder.Append)];

    private static int Find(string piece) => Enumerable.Range(0, _tokenizer.VocabularySize).Single(id => _tokenizer.GetPiece(id) == piece);
}
