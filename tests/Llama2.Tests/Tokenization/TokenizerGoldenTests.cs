using System.Globalization;
using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Every row of the shared reference figures: sentencepiece 0.1.97 and llama.cpp on the real vocabularies.</summary>
public class TokenizerGoldenTests
{
    private static readonly Lazy<LlamaTokenizer> _real = new(() => LlamaTokenizer.Load(TestData.Path("tokenizer/tokenizer.model")));

    /// <summary>The real vocabulary by way of a tokenizer.json, which ranks merges instead of scoring pieces.</summary>
    private static readonly Lazy<LlamaTokenizer> _realJson = new(() =>
        TokenizerJsonReader.Read("tokenizer.json", TokenizerJson.Write(_real.Value, arrayMerges: true), SpecialTokens.None));

    [SharedDataTheory]
    [InlineData("tokenizer/encode_golden.jsonl", 339)]
    [InlineData("tokenizer/encode_llamacpp_spm_golden.jsonl", 46)]
    [InlineData("tokenizer/encode_thirdparty_golden.jsonl", 28)]
    public void Encode_RealVocabulary_EqualsGolden(string file, int rows) => CheckEncoding(_real.Value, file, "ids", rows);

    [SharedDataTheory]
    [InlineData("tokenizer/encode_golden.jsonl", 339)]
    [InlineData("tokenizer/encode_llamacpp_spm_golden.jsonl", 46)]
    [InlineData("tokenizer/encode_thirdparty_golden.jsonl", 28)]
    public void Encode_RealVocabularyFromMerges_EqualsGolden(string file, int rows) => CheckEncoding(_realJson.Value, file, "ids", rows);

    [SharedDataFact]
    public void Encode_SpecialTokensInText_ArePlainText() =>
        CheckEncoding(_real.Value, "tokenizer/special_tokens_golden.jsonl", "sentencepiece_plain", 16);

    [SharedDataTheory]
    [InlineData("stories260K")]
    [InlineData("stories260K-f16-untied")]
    public void Encode_StoriesFolder_EqualsGolden(string folder) =>
        CheckEncoding(LlamaTokenizer.Load(TestData.Path($"models/{folder}")), "models/stories260K_encode_golden.jsonl", "ids");

    [SharedDataFact]
    public void EncodeUtf8_InvalidBytes_EqualsGolden()
    {
        int rows = 0;
        foreach (JsonElement row in TestData.Rows("tokenizer/encode_invalid_utf8_golden.jsonl"))
        {
            byte[] bytes = Convert.FromHexString(row.GetProperty("bytes_hex").GetString()!);
            Assert.Equal(Ids(row, "ids"), _real.Value.EncodeUtf8(bytes));
            rows++;
        }

        Assert.Equal(34, rows);
    }

    [SharedDataFact]
    public void Decode_RealVocabulary_EqualsGolden()
    {
        int rows = 0;
        foreach (JsonElement row in TestData.Rows("tokenizer/decode_golden.jsonl"))
        {
            int[] ids = Ids(row, "ids");
            Assert.Equal(row.GetProperty("text").GetString(), _real.Value.Decode(ids));
            Assert.Equal(row.GetProperty("text").GetString(), _realJson.Value.Decode(ids));
            string bytes = string.Concat(ids.Select(id => Convert.ToHexStringLower(_real.Value.GetBytes(id))));
            Assert.Equal(row.GetProperty("raw_bytes_hex").GetString(), bytes);
            rows++;
        }

        Assert.Equal(478, rows);
    }

    [SharedDataFact]
    public void StreamingDecoder_RealVocabulary_EqualsGolden()
    {
        int rows = 0;
        foreach (JsonElement row in TestData.Rows("tokenizer/decode_streaming_golden.jsonl"))
        {
            int[] ids = Ids(row, "ids");
            string[] prefixes = [.. row.GetProperty("decode_of_prefix").EnumerateArray().Select(text => text.GetString()!)];
            StreamingDecoder decoder = _real.Value.CreateDecoder();
            string streamed = "";
            for (int count = 1; count <= ids.Length; count++)
            {
                streamed += decoder.Append(ids[count - 1]);
                Assert.Equal(prefixes[count - 1], _real.Value.Decode(ids.AsSpan(0, count)));
                Assert.Equal(prefixes[count - 1].TrimEnd('\uFFFD'), streamed);              // no row holds a real U+FFFD
            }

            Assert.Equal(row.GetProperty("text").GetString(), streamed + decoder.Flush());
            rows++;
        }

        Assert.Equal(11, rows);
    }

    [SharedDataFact]
    public void Vocabulary_Real_EqualsTable()
    {
        string[][] rows = [.. File.ReadLines(TestData.Path("tokenizer/vocab.tsv")).Select(line => line.Split('\t'))];
        Assert.Equal(32000, rows.Length);
        Assert.Equal(rows.Length, _real.Value.VocabularySize);
        Assert.Equal((1, 2, 0), (_real.Value.BeginOfTextId, _real.Value.EndOfTextId, _real.Value.UnknownId));
        for (int id = 0; id < rows.Length; id++)
        {
            (string piece, float score, TokenKind kind) = _real.Value.Vocabulary[id];
            Assert.Equal(id.ToString(CultureInfo.InvariantCulture), rows[id][0]);
            Assert.Equal(JsonSerializer.Deserialize<string>(rows[id][1]), piece);
            Assert.Equal(float.Parse(rows[id][2], CultureInfo.InvariantCulture), score);
            Assert.Equal(rows[id][3], kind.ToString(), ignoreCase: true);
            Assert.Equal(rows[id][4], Convert.ToHexStringLower(_real.Value.GetBytes(id)));
            Assert.Equal(piece, _real.Value.GetPiece(id));
        }
    }

    [SharedDataFact]
    public void Write_RealVocabulary_ReadsBackEqual()
    {
        using var stream = new MemoryStream();
        SentencePieceModelWriter.Write(_real.Value, stream);
        LlamaTokenizer read = SentencePieceModelReader.Read("tokenizer.model", stream.ToArray());
        Assert.Equal(_real.Value.Vocabulary, read.Vocabulary);
        CheckEncoding(read, "tokenizer/encode_golden.jsonl", "ids", 339);
    }

    private static void CheckEncoding(LlamaTokenizer tokenizer, string file, string field, int? expectedRows = null)
    {
        int rows = 0;
        foreach (JsonElement row in TestData.Rows(file))
        {
            string text = row.GetProperty("text").GetString()!;
            int[] expected = Ids(row, field);
            int[] ids = tokenizer.Encode(text);
            Assert.True(expected.SequenceEqual(ids), $"{file}: '{text}' gave [{string.Join(", ", ids)}], not [{string.Join(", ", expected)}].");
            Assert.Equal(expected.Length, tokenizer.CountTokens(text));
            rows++;
        }

        Assert.Equal(expectedRows ?? rows, rows);
        Assert.NotEqual(0, rows);
    }

    private static int[] Ids(JsonElement row, string field) => [.. row.GetProperty(field).EnumerateArray().Select(id => id.GetInt32())];
}
