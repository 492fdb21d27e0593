using Llama2.Testing;

namespace Llama2.Tests;

public sealed class TokenizerFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llama2-tokenizer-").FullName;
    private readonly LlamaTokenizer _tokenizer = TinyVocabularies.Create(1);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Load_NothingThere_ThrowsFileNotFound()
    {
        Assert.Throws<FileNotFoundException>(() => LlamaTokenizer.Load(In("tokenizer.model")));
        Assert.Throws<FileNotFoundException>(() => LlamaTokenizer.Load(_folder));
        Assert.Null(TokenizerFile.LoadFolder(_folder));
        Assert.Throws<ArgumentException>(() => LlamaTokenizer.Load(""));
        Assert.Throws<ArgumentNullException>(() => LlamaTokenizer.Load(null!));
    }

    [Fact]
    public void Load_FolderWithBoth_ReadsTheModel()
    {
        File.WriteAllText(In("tokenizer.json"), "damaged");
        WriteModel();
        Assert.Equal(_tokenizer.Vocabulary, LlamaTokenizer.Load(_folder).Vocabulary);
        File.Delete(In("tokenizer.model"));
        Assert.Throws<CheckpointException>(() => LlamaTokenizer.Load(_folder));
    }

    [Theory]
    [InlineData("tokenizer.json")]
    [InlineData("renamed.bin")]
    public void Load_JsonFile_IsKnownByNameOrFirstCharacter(string name)
    {
        ReadOnlySpan<byte> mark = name == "tokenizer.json" ? "\uFEFF"u8 : [];
        File.WriteAllBytes(In(name), [.. mark, .. " \n"u8, .. TokenizerJson.Write(_tokenizer, arrayMerges: true)]);
        LlamaTokenizer read = LlamaTokenizer.Load(In(name));
        Assert.Equal(_tokenizer.VocabularySize, read.VocabularySize);
        Assert.Equal(1, read.BeginOfTextId);
    }

    [Theory]
    [InlineData("tokenizer_config.json", """
        {"bos_token": "</s>", "eos_token": {"content": "<|end|>"}, "added_tokens_decoder": {"319": {"content": "<|end|>", "special": true}}}
        """)]
    [InlineData("special_tokens_map.json", """{"bos_token": "</s>", "eos_token": {"content": "<|end|>"}, "additional_special_tokens": ["<|end|>", "x"]}""")]
    public void Load_NamedTokens_BeginAndEndTheText(string name, string json)
    {
        WriteModel();
        File.WriteAllText(In(name), json);
        File.WriteAllText(In("added_tokens.json"), """{"<|user|>": 320, "<|end|>": 319}""");
        LlamaTokenizer read = LlamaTokenizer.Load(_folder);
        Assert.Equal(319, _tokenizer.VocabularySize);
        Assert.Equal((321, 2, 319), (read.VocabularySize, read.BeginOfTextId, read.EndOfTextId));
        Assert.Equal((TokenKind.Control, TokenKind.UserDefined), (read.Vocabulary[319].Kind, read.Vocabulary[320].Kind));
        Assert.Contains(320, read.Encode("a<|user|>"));
        Assert.DoesNotContain(319, read.Encode("a<|end|>"));
    }

    [Fact]
    public void Load_NamedTokensBesideJson_BeginAndEndTheText()
    {
        File.WriteAllBytes(In("tokenizer.json"), TokenizerJson.Write(_tokenizer, arrayMerges: false));
        File.WriteAllText(In("special_tokens_map.json"), """{"bos_token": "a", "eos_token": "a"}""");
        File.WriteAllText(In("tokenizer_config.json"), """{"bos_token": "</s>", "eos_token": "<s>", "pad_token": null}""");
        LlamaTokenizer read = LlamaTokenizer.Load(_folder);
        Assert.Equal((2, 1), (read.BeginOfTextId, read.EndOfTextId));
        Assert.Equal((2, 1), (LlamaTokenizer.Load(In("tokenizer.json")).BeginOfTextId, read.EndOfTextId));
    }

    [Theory]
    [InlineData("tokenizer_config.json", """{"bos_token": "<nowhere>"}""", "bos_token")]
    [InlineData("tokenizer_config.json", """{"eos_token": 7}""", "eos_token")]
    [InlineData("tokenizer_config.json", """{"eos_token": {"id": 7}}""", "eos_token.content")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"5000": {"content": "x"}}}""", "added_tokens_decoder.5000")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"-1": {"content": "x"}}}""", "added_tokens_decoder.-1")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"1": {"content": "x"}}}""", "added_tokens_decoder.1")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": []}""", "added_tokens_decoder")]
    [InlineData("tokenizer_config.json", "[]", "root")]
    [InlineData("tokenizer_config.json", "{", "line 1")]
    [InlineData("added_tokens.json", """{"x": -5}""", "x")]
    [InlineData("added_tokens.json", """{"x": "5"}""", "x")]
    public void Load_DamagedCompanion_NamesFileAndField(string name, string json, string field)
    {
        WriteModel();
        File.WriteAllText(In(name), json);
        var exception = Assert.Throws<CheckpointException>(() => LlamaTokenizer.Load(_folder));
        Assert.Equal((In(name), field), (exception.File, exception.Field));
    }

    [Theory]
    [InlineData("model.gguf")]
    [InlineData("renamed.bin")]
    public void Load_Gguf_ReadsTheVocabularyInside(string name)
    {
        using var checkpoint = TinyModels.Create();
        GgufFile.Write(checkpoint, In(name), WeightFormat.F32);
        Assert.Equal(checkpoint.LoadTokenizer()!.Vocabulary, LlamaTokenizer.Load(In(name)).Vocabulary);
    }

    [Fact]
    public void Load_GgufWithoutVocabulary_IsRefused()
    {
        using var checkpoint = TinyModels.Create(config: TinyModels.Config with { VocabularySize = 32 });
        GgufFile.Write(checkpoint, In("model.gguf"), WeightFormat.F32);
        Assert.Equal("tokenizer", Assert.Throws<CheckpointException>(() => LlamaTokenizer.Load(In("model.gguf"))).Field);
    }

    [Fact]
    public void Load_AbsurdlyLargeFile_IsRefusedUnread()
    {
        using (FileStream stream = File.Create(In("tokenizer.model")))
        {
            stream.SetLength(1L << 32);                    // a hole, which takes no space
        }

        Assert.Equal("size", Assert.Throws<CheckpointException>(() => LlamaTokenizer.Load(_folder)).Field);
    }

    [Fact]
    public void Load_LinkToAnAbsurdlyLargeFile_IsRefusedUnread()
    {
        using (FileStream stream = File.Create(In("large")))
        {
            stream.SetLength(1L << 32);
        }

        File.CreateSymbolicLink(In("tokenizer.model"), In("large"));
        Assert.Equal("size", Assert.Throws<CheckpointException>(() => LlamaTokenizer.Load(In("tokenizer.model"))).Field);
    }

    private string In(string name) => Path.Combine(_folder, name);

    private void WriteModel() => SentencePieceModelWriter.Write(_tokenizer, In("tokenizer.model"));
}
