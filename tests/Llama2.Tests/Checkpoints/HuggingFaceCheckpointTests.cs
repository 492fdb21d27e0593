using System.Text;
using Llama2.Testing;

namespace Llama2.Tests;

public class HuggingFaceCheckpointTests
{
    [Theory]
    [InlineData("../model-00001-of-00021.safetensors")]
    [InlineData("sub/model-00001-of-00021.safetensors")]
    [InlineData("sub\\\\model-00001-of-00021.safetensors")]
    [InlineData("C:model.safetensors")]
    [InlineData("/etc/model.safetensors")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("config.json")]
    [InlineData("a\\u0000.safetensors")]
    public void Open_ShardOutsideTheFolder_IsRefused(string shard)
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace(shardBytes: 1);
        Replace(folder["model.safetensors.index.json"], "model-00001-of-00021.safetensors", shard);
        var exception = Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path));
        Assert.Equal("weight_map.model.embed_tokens.weight", exception.Field);
    }

    [Theory]
    [InlineData("\"weight_map\"", "\"other\"")]
    [InlineData("\"model-00001-of-00021.safetensors\"", "3")]
    [InlineData("model-00001-of-00021.safetensors", "model-00002-of-00021.safetensors")]
    [InlineData("model-00001-of-00021.safetensors", "model-00099-of-00021.safetensors")]
    [InlineData("\"lm_head.weight\"", "\"model.norm.weight\"")]
    [InlineData("\"lm_head.weight\"", "\"lm_head.weigh\"")]
    public void Open_IndexThatContradictsTheShards_IsRefused(string correct, string wrong)
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace(shardBytes: 1);
        Replace(folder["model.safetensors.index.json"], correct, wrong);
        Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path));
    }

    [Fact]
    public void Open_TooManyShards_IsRefused()
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace(shardBytes: 1);
        File.WriteAllText(folder["model.safetensors.index.json"], $"{{\"weight_map\": {{{string.Join(',', Enumerable.Range(0, 1025).Select(i => $"\"{i}\": \"{i}.safetensors\""))}}}}}");
        Assert.Contains("1,025", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Found);
    }

    [Fact]
    public void Open_TensorInTwoShards_IsRefused()
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace(shardBytes: 1);
        File.Copy(folder["model-00001-of-00021.safetensors"], folder["model-00002-of-00021.safetensors"], overwrite: true);
        Assert.Contains("another one", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Found);
    }

    [Fact]
    public void Open_LinkedWeights_AreFollowed()
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace(), snapshot = new();
        File.CreateSymbolicLink(snapshot["config.json"], folder["config.json"]);           // as the hub's cache keeps its snapshots
        File.CreateSymbolicLink(snapshot["model.safetensors"], folder["model.safetensors"]);
        using Checkpoint expected = Checkpoint.Open(folder.Path), actual = Checkpoint.Open(snapshot.Path);
        Rows.AssertEqual(expected, actual);
    }

    [Theory]
    [InlineData("model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weighs", "tensors")]
    [InlineData("\"dtype\":\"F32\",\"shape\":[320,64]", "\"dtype\":\"I32\",\"shape\":[320,64]", "tensor 'model.embed_tokens.weight'")]
    [InlineData("\"dtype\":\"F32\",\"shape\":[320,64]", "\"dtype\":\"F32\",\"shape\":[64,320]", "tensor 'model.embed_tokens.weight'")]
    [InlineData("\"dtype\":\"F32\",\"shape\":[64]", "\"dtype\":\"F64\",\"shape\":[32]", "tensor 'model.layers.0.input_layernorm.weight'")]
    public void Open_TensorThatDoesNotFit_IsNamed(string correct, string wrong, string field)
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace();
        Replace(folder["model.safetensors"], correct, wrong);
        Assert.Equal(field, Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Field);
    }

    [Fact]
    public void Open_MoreLayersThanTensors_CountsTheMissing()
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace();
        Replace(folder["config.json"], "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
        Assert.Equal(
            "no 'model.layers.2.input_layernorm.weight', 'model.layers.2.self_attn.q_proj.weight', 'model.layers.2.self_attn.k_proj.weight' and 6 more",
            Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Found);
    }

    [Fact]
    public void Open_UntiedWithoutHead_IsRefused()
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace(config: TinyModels.Config with { TieWordEmbeddings = true });
        Replace(folder["config.json"], "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
        Assert.Equal("no 'lm_head.weight'", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Found);
    }

    [Fact]
    public void Open_TiedWithHead_LeavesTheHeadOut()
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace();
        Replace(folder["config.json"], "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.DoesNotContain(TensorNames.Head, checkpoint.Tensors.Keys);
    }

    [Fact]
    public void Open_NoWeights_SaysWhatIsThere()
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace();
        File.Delete(folder["model.safetensors"]);
        Assert.Equal("none", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Found);
        File.WriteAllText(folder["pytorch_model-00001-of-00002.bin"], "");
        Assert.Contains("pytorch_model.bin", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Found);
    }

    [Fact]
    public void GenerationDefaults_Changed_StayTheFiles()
    {
        using TemporaryFolder folder = CheckpointTests.HuggingFace();
        using var checkpoint = Checkpoint.Open(folder.Path);
        checkpoint.GenerationDefaults.TopK = 3;
        Assert.Equal(new GenerationOptions(), checkpoint.GenerationDefaults);
        File.Delete(folder["generation_config.json"]);
        using var without = Checkpoint.Open(folder.Path);
        Assert.Equal(new GenerationOptions(), without.GenerationDefaults);
    }

    /// <summary>Replaces text of the same bytes in a file that need not be text.</summary>
    private static void Replace(string path, string correct, string wrong)
    {
        string text = Encoding.Latin1.GetString(File.ReadAllBytes(path));
        Assert.Contains(correct, text);
        File.WriteAllBytes(path, Encoding.Latin1.GetBytes(text.Replace(correct, wrong)));
    }
}
