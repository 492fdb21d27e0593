using Llama2.Testing;

namespace Llama2.Tests;

public class BadWordsProcessorTests
{
    [Fact]
    public void Process_WordsOfOneAndMoreTokens_ForbidsWhatWouldCompleteThem()
    {
        var processor = new BadWordsProcessor([[4], [5, 6], [5, 6, 7], [9, 8]]);
        var history = new TokenHistory([1, 5], 4);
        Assert.Equal([4, 6], Forbidden(processor, history));
        history.Append(6);
        Assert.Equal([4, 7], Forbidden(processor, history));
        history.Append(0);
        Assert.Equal([4], Forbidden(processor, history));
    }

    [Fact]
    public void Process_WordLongerThanHistory_IsNoConcern() =>
        Assert.Empty(Forbidden(new BadWordsProcessor([[1, 2, 3, 4]]), new TokenHistory([2, 3], 1)));

    [Fact]
    public void Create_Word_IsEncodedAfterSpaceAndInsideWord()
    {
        string[] pieces = ["▁", "a", "b", "ab", "▁ab"];
        VocabularyEntry[] vocabulary =
        [
            new("<unk>", 0, TokenKind.Unknown), new("<s>", 0, TokenKind.Control), new("</s>", 0, TokenKind.Control),
            .. Enumerable.Range(0, 256).Select(b => new VocabularyEntry($"<0x{b:X2}>", 0, TokenKind.Byte)),
            .. pieces.Select((piece, i) => new VocabularyEntry(piece, i - 10, TokenKind.Normal)),
        ];
        var tokenizer = new LlamaTokenizer(vocabulary, 1, 2, 0);
        int inside = 259 + 3, afterSpace = 259 + 4;
        var history = new TokenHistory([1], 4);
        float[] logits = new float[vocabulary.Length];
        BadWordsProcessor.Create(["ab"], tokenizer, logits.Length).Process(logits, history);
        Assert.Equal([inside, afterSpace], Enumerable.Range(0, logits.Length).Where(id => logits[id] < 0));

        float[] shorter = new float[afterSpace];    // a model with fewer rows than the tokenizer has pieces
        BadWordsProcessor.Create(["ab"], tokenizer, shorter.Length).Process(shorter, history);
        Assert.Equal([inside], Enumerable.Range(0, shorter.Length).Where(id => shorter[id] < 0));
    }

    [SharedDataFact]
    public void Create_RealTokenizer_ForbidsWordAfterSpaceAndInsideWord()
    {
        LlamaTokenizer tokenizer = LlamaTokenizer.Load(TestData.Path("tokenizer/tokenizer.model"));
        var options = new GenerationOptions { DoSample = false, BadWords = ["world"] };
        var sampler = new Sampler(options, tokenizer, tokenizer.VocabularySize, [], [1, 15043]);
        float[] logits = new float[tokenizer.VocabularySize];
        (logits[3186], logits[11526], logits[29991]) = (3, 2, 1);
        Assert.Equal("▁world", tokenizer.GetPiece(3186));
        Assert.Equal("world", tokenizer.GetPiece(11526));
        Assert.Equal(29991, sampler.Next(logits));
        Assert.Equal(3186, new Sampler(options with { BadWords = ["worlds apart"] }, tokenizer, logits.Length, [], [1]).Next(logits));
    }

    private static int[] Forbidden(BadWordsProcessor processor, TokenHistory history)
    {
        float[] logits = new float[10];
        processor.Process(logits, history);
        return [.. Enumerable.Range(0, 10).Where(id => logits[id] == float.NegativeInfinity)];
    }
}
