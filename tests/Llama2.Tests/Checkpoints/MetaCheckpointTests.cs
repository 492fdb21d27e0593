using Llama2.Testing;

namespace Llama2.Tests;

public class MetaCheckpointTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void Open_MetaFolder_HasTheSameRows(int parts, bool zip64)
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        MetaFolder.Write(source, folder.Path, parts, zip64: zip64);
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal(("Meta", folder.Path), (checkpoint.Layout, checkpoint.Path));
        Assert.Equal(source.Config with { ContextLength = 4096, EndOfTextIds = checkpoint.Config.EndOfTextIds }, checkpoint.Config);
        Assert.Equal([2], checkpoint.Config.EndOfTextIds);
        Rows.AssertEqual(source, checkpoint);
    }

    [Theory]
    [InlineData(WeightFormat.F16)]
    [InlineData(WeightFormat.BF16)]
    public void Open_HalfPrecision_IsTheFilesFormat(WeightFormat format)
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        MetaFolder.Write(source, folder.Path, parts: 2, format);
        using var checkpoint = Checkpoint.Open(folder["consolidated.00.pth"]);
        Assert.All(checkpoint.Tensors.Values, tensor => Assert.Equal(format, tensor.Format));
        Assert.Equal(Rows.Read(source.Tensors["lm_head.weight"], 3)[5], Rows.Read(checkpoint.Tensors["lm_head.weight"], 3)[5], 0.01f);
    }

    [Fact]
    public void Open_VocabularyOfMinusOne_IsTheEmbeddings()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        MetaFolder.Write(source, folder.Path, parts: 2, vocabularySize: -1);
        using var checkpoint = Checkpoint.Open(folder["params.json"]);
        Assert.Equal(320, checkpoint.Config.VocabularySize);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Region_TurnedOrAssembledRows_SaysSo(int parts)
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        MetaFolder.Write(source, folder.Path, parts: parts);
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal(parts == 1 ? source.Config.HeadSize : null, checkpoint.Tensors[TensorNames.Query(0)].Region?.InterleavedHeadSize);
        Assert.Equal(parts == 1 ? 0 : null, checkpoint.Tensors[TensorNames.Value(0)].Region?.InterleavedHeadSize);
    }

    [Fact]
    public void LoadTokenizer_BesideTheFolder_IsFound()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        string model = Directory.CreateDirectory(folder["llama-2-7b"]).FullName;
        MetaFolder.Write(source, model);
        using var checkpoint = Checkpoint.Open(model);
        Assert.Null(checkpoint.LoadTokenizer());
        SentencePieceModelWriter.Write(source.LoadTokenizer()!, folder["tokenizer.model"]);
        Assert.Equal(320, checkpoint.LoadTokenizer()!.VocabularySize);              // Meta keeps one beside the folders of its models
    }

    [Theory]
    [InlineData("\"n_heads\": 4", "\"n_heads\": 5", "n_heads")]
    [InlineData("\"n_heads\": 4", "\"n_heads\": 0", "n_heads")]
    [InlineData("\"norm_eps\"", "\"other\"", "norm_eps")]
    [InlineData("\"dim\"", "\"other\"", "dim")]
    [InlineData("\"dim\": 64", "\"dim\": \"64\"", "dim")]
    [InlineData("\"n_layers\": 2", "\"n_layers\": 3", "tensors")]
    [InlineData("\"n_layers\": 2", "\"n_layers\": 2000000000", "num_hidden_layers")]
    [InlineData("\"n_layers\": 2", "\"n_layers\": 2, \"use_scaled_rope\": true", "use_scaled_rope")]
    [InlineData("\"vocab_size\": 320", "\"vocab_size\": 321", "tensor 'tok_embeddings.weight'")]
    [InlineData("\"n_kv_heads\": 2", "\"n_kv_heads\": 4", "tensor 'layers.0.attention.wk.weight'")]
    public void Open_WrongParameter_NamesIt(string correct, string wrong, string field)
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        MetaFolder.Write(source, folder.Path);
        string text = File.ReadAllText(folder["params.json"]);
        Assert.Contains(correct, text);
        File.WriteAllText(folder["params.json"], text.Replace(correct, wrong));
        Assert.Equal(field, Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Field);
    }

    [Fact]
    public void Open_MissingPart_NamesIt()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        MetaFolder.Write(source, folder.Path, parts: 4);
        File.Delete(folder["consolidated.01.pth"]);
        var exception = Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path));
        Assert.Contains("consolidated.01.pth", exception.Expected);
        File.Delete(folder["consolidated.00.pth"]);
        File.Delete(folder["consolidated.02.pth"]);
        File.Delete(folder["consolidated.03.pth"]);
        Assert.Equal("weights", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Field);
    }

    [Fact]
    public void Open_PartOfAnotherModel_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var other = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        MetaFolder.Write(source, folder.Path, parts: 2);
        MetaFolder.Write(source, other.Path, parts: 2, WeightFormat.BF16);
        File.Copy(other["consolidated.01.pth"], folder["consolidated.01.pth"], overwrite: true);
        Assert.Contains("BF16", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Found);
    }

    [Fact]
    public void ReadRow_OutsideTheMatrix_Throws()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        MetaFolder.Write(source, folder.Path, parts: 2);
        using var checkpoint = Checkpoint.Open(folder.Path);
        CheckpointTensor tensor = checkpoint.Tensors[TensorNames.Query(1)];
        byte[] row = new byte[tensor.RowBytes];
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.ReadRow(-1, row));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.ReadRow(tensor.Rows, row));
    }
}
