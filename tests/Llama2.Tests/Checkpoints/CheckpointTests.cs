using Llama2.Testing;

namespace Llama2.Tests;

public class CheckpointTests
{
    [Theory]
    [InlineData("")]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    public void Open_HuggingFaceFolderOrItsFile_IsHuggingFace(string file)
    {
        using TemporaryFolder folder = HuggingFace();
        using var checkpoint = Checkpoint.Open(folder[file]);
        Assert.Equal("Hugging Face", checkpoint.Layout);
    }

    [Theory]
    [InlineData("model.safetensors.index.json")]
    [InlineData("model-00001-of-00021.safetensors")]
    public void Open_FileOfAShardedFolder_IsHuggingFace(string file)
    {
        using TemporaryFolder folder = HuggingFace(shardBytes: 1);
        using var checkpoint = Checkpoint.Open(folder[file]);
        Assert.Equal(21, checkpoint.Tensors.Count);
    }

    [Fact]
    public void Open_OtherConfig_CountsInstead()
    {
        using TemporaryFolder folder = HuggingFace();
        File.WriteAllText(folder["config.long.json"], File.ReadAllText(folder["config.json"]).Replace("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}"));
        using var checkpoint = Checkpoint.Open(folder["config.long.json"]);
        Assert.Equal(new RopeScaling(RopeScalingKind.Linear, 4), checkpoint.Config.RopeScaling);
    }

    [Fact]
    public void Open_BothConfigs_TakesTheOneWithWeights()
    {
        using TemporaryFolder folder = HuggingFace();
        MetaFolder.Write(TinyModels.Create(), folder.Path);
        using (var checkpoint = Checkpoint.Open(folder.Path))
        {
            Assert.Equal("Hugging Face", checkpoint.Layout);
        }

        File.Delete(folder["model.safetensors"]);
        using var meta = Checkpoint.Open(folder.Path);
        Assert.Equal("Meta", meta.Layout);
    }

    [Fact]
    public void Open_Nothing_SaysWhatWasLookedFor()
    {
        using var folder = new TemporaryFolder();
        var exception = Assert.Throws<FileNotFoundException>(() => Checkpoint.Open(folder["missing"]));
        Assert.Contains("config.json", exception.Message);
        Assert.Contains(".gguf", exception.Message);
        Assert.Throws<ArgumentException>(() => Checkpoint.Open(" "));
    }

    [Fact]
    public void Open_UnknownThing_SaysWhatIsUnderstood()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.model"], "x");
        Assert.Contains("params.json", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Expected);
        Assert.Contains("params.json", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder["tokenizer.model"])).Expected);
        File.WriteAllText(folder["model.safetensors"], "x");
        Assert.Contains("config.json", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder["model.safetensors"])).Found);
    }

    [Fact]
    public void Open_SeveralGgufFiles_AsksForOne()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.gguf"], "GGUF");
        File.WriteAllText(folder["b.gguf"], "GGUF");
        var exception = Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path));
        Assert.Contains("a.gguf, b.gguf", exception.Found);
    }

    [Fact]
    public void Dispose_Mapped_RefusesReads()
    {
        using TemporaryFolder folder = HuggingFace();
        var checkpoint = Checkpoint.Open(folder.Path);
        CheckpointTensor tensor = checkpoint.Tensors[TensorNames.OutputNorm];
        byte[] row = new byte[tensor.RowBytes];
        tensor.ReadRow(0, row);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.ReadRow(1, row));
        checkpoint.Dispose();
        checkpoint.Dispose();
        Assert.Throws<ObjectDisposedException>(() => tensor.ReadRow(0, row));
    }

    [Fact]
    public void Open_HundredTimes_KeepsNoMapping()
    {
        using TemporaryFolder folder = HuggingFace(shardBytes: 1);
        for (int i = 0; i < 100; i++)
        {
            using var checkpoint = Checkpoint.Open(folder.Path);
        }

        if (OperatingSystem.IsLinux())
        {
            Assert.DoesNotContain(folder.Path, File.ReadAllText("/proc/self/maps"));
        }

        File.Delete(folder["model-00001-of-00021.safetensors"]);                  // Windows refuses this while a mapping is left
        Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path));
    }

    internal static TemporaryFolder HuggingFace(long shardBytes = long.MaxValue, LlamaConfig? config = null)
    {
        var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create(config: config);
        HuggingFaceFolder.Write(source, folder.Path, WeightFormat.F32, shardBytes);
        return folder;
    }
}
