using FsCheck.Xunit;
using Llama2.Testing;

namespace Llama2.Tests;

public sealed class PeftFolderTests : IDisposable
{
    private static readonly LlamaConfig _config = TinyModels.Config with { HiddenSize = 12, IntermediateSize = 20, HeadCount = 2, HeadSize = 6, VocabularySize = 12 };
    private readonly TemporaryFolder _root = new();
    private readonly LoraAdapter _adapter = TinyAdapters.Create(1, TinyAdapters.Options with { Dropout = 0.25f }, _config);

    public PeftFolderTests() => PeftFolder.Write(_adapter, Folder, "meta-llama/Llama-2-7b-chat-hf");

    private string Folder => _root["adapter"];

    private string Config => Path.Combine(Folder, "adapter_config.json");

    private string Weights => Path.Combine(Folder, "adapter_model.safetensors");

    public void Dispose() => _root.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Read_Written_IsTheSame(bool rankStabilized)
    {
        LoraAdapter adapter = TinyAdapters.Create(1, TinyAdapters.Options with { Dropout = 0.25f, RankStabilized = rankStabilized }, _config);
        PeftFolder.Write(adapter, _root["other"], "meta-llama/Llama-2-7b-chat-hf");
        LoraAdapter read = PeftFolder.Read(_root["other"], _config);

        Assert.Equal("meta-llama/Llama-2-7b-chat-hf", read.BaseModel);
        Assert.Equal(adapter.Options with { TargetModules = read.Options.TargetModules }, read.Options);
        Assert.Equal(adapter.Options.TargetModules, read.Options.TargetModules);
        Assert.Equal(adapter.ParameterCount, read.ParameterCount);
        Assert.Equal("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", read.Tensors.First().Name);
        Assert.Equal("base_model.model.model.layers.1.mlp.down_proj.lora_B.weight", read.Tensors.Last().Name);
        Assert.All(adapter.Tensors.Zip(read.Tensors), pair => Assert.Equal(pair.First.ReadAll(), pair.Second.ReadAll()));
    }

    [Fact]
    public void Read_HalfPrecision_IsDecoded()
    {
        File.Delete(Weights);
        SafetensorsWriter.Write(Weights, "", [.. _adapter.Tensors], WeightFormat.BF16, _ => { }, CancellationToken.None, vectors: false);
        float[] expected = _adapter.Tensors.First().ReadAll(), actual = PeftFolder.Read(Folder, _config).Tensors.First().ReadAll();
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 0.002f));
    }

    [Theory]
    [InlineData("\"all-linear\"")]
    [InlineData("\".*(self_attn|mlp).*_proj\"")]
    public void Read_PatternForTheTargets_TakesThoseThatTheFileHas(string pattern)
    {
        string text = File.ReadAllText(Config);
        int start = text.IndexOf('[', StringComparison.Ordinal), end = text.IndexOf(']', StringComparison.Ordinal);
        File.WriteAllText(Config, text[..start] + pattern + text[(end + 1)..]);
        Assert.Equal(LoraOptions.AllModules, PeftFolder.Read(Folder, _config).Options.TargetModules);
    }

    [Theory]
    [InlineData("\"init_lora_weights\": true", "\"init_lora_weights\": \"gaussian\"")]
    [InlineData("\"modules_to_save\": null", "\"modules_to_save\": [], \"rank_pattern\": {}, \"exclude_modules\": \"\", \"eva_config\": {\"rho\": 2}")]
    [InlineData("\"lora_dropout\": 0.25", "\"lora_dropout\": null, \"peft_version\": \"0.17.0\", \"revision\": null")]
    public void Read_SettingsOfTheTraining_ArePassedOver(string from, string to)
    {
        Replace(from, to);
        Assert.Equal(_adapter.ParameterCount, PeftFolder.Read(Folder, _config).ParameterCount);
    }

    [Theory]
    [InlineData("\"peft_type\": \"LORA\"", "\"peft_type\": \"IA3\"", "peft_type")]
    [InlineData("\"use_dora\": false", "\"use_dora\": true", "use_dora")]
    [InlineData("\"use_dora\": false", "\"use_dora\": 1", "use_dora")]
    [InlineData("\"use_dora\": false", "\"use_qalora\": true", "use_qalora")]
    [InlineData("\"use_dora\": false", "\"lora_bias\": true", "lora_bias")]
    [InlineData("\"fan_in_fan_out\": false", "\"fan_in_fan_out\": true", "fan_in_fan_out")]
    [InlineData("\"use_rslora\": false", "\"use_rslora\": \"yes\"", "use_rslora")]
    [InlineData("\"bias\": \"none\"", "\"bias\": \"all\"", "bias")]
    [InlineData("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]", "modules_to_save")]
    [InlineData("\"modules_to_save\": null", "\"rank_pattern\": {\"q_proj\": 4}", "rank_pattern")]
    [InlineData("\"modules_to_save\": null", "\"alpha_pattern\": {\"q_proj\": 4}", "alpha_pattern")]
    [InlineData("\"modules_to_save\": null", "\"layers_to_transform\": 0", "layers_to_transform")]
    [InlineData("\"modules_to_save\": null", "\"layer_replication\": [[0, 1]]", "layer_replication")]
    [InlineData("\"modules_to_save\": null", "\"exclude_modules\": \"lm_head\"", "exclude_modules")]
    [InlineData("\"modules_to_save\": null", "\"target_parameters\": [\"experts\"]", "target_parameters")]
    [InlineData("\"modules_to_save\": null", "\"trainable_token_indices\": [3]", "trainable_token_indices")]
    [InlineData("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa_niter_4\"", "init_lora_weights")]
    [InlineData("\"r\": 3", "\"r\": 0", "Rank")]
    [InlineData("\"r\": 3", "\"r\": 1e9", "r")]
    [InlineData("\"r\": 3", "\"r\": 4", "lora_A")]
    [InlineData("\"lora_alpha\": 6", "\"lora_alpha\": null", "lora_alpha")]
    [InlineData("\"lora_alpha\": 6", "\"lora_alpha\": -6", "Alpha")]
    [InlineData("\"q_proj\",", "", "q_proj")]
    [InlineData("\"q_proj\",", "\"q_proj\", \"lm_head\",", "lm_head")]
    [InlineData("\"target_modules\": [", "\"target_modules\": [1, ", "target_modules")]
    [InlineData("\"target_modules\": [", "\"other\": [", "target_modules")]
    public void Read_ConfigOfAnotherKind_NamesTheField(string from, string to, string field)
    {
        Replace(from, to);
        var failure = Assert.Throws<CheckpointException>(() => PeftFolder.Read(Folder, _config));
        Assert.Contains(field, failure.Field + failure.Expected + failure.Found, StringComparison.Ordinal);
        Assert.StartsWith(Folder, failure.File, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_ForAnotherModel_NamesTheTensor()
    {
        Assert.Equal("base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight", FieldFor(_config with { LayerCount = 3 }));
        Assert.Equal("base_model.model.model.layers.1.mlp.down_proj.lora_A.weight", FieldFor(_config with { LayerCount = 1 }));
        Assert.Equal("base_model.model.model.layers.0.mlp.gate_proj.lora_B.weight", FieldFor(_config with { IntermediateSize = 24 }));

        string FieldFor(LlamaConfig config) => Assert.Throws<CheckpointException>(() => PeftFolder.Read(Folder, config)).Field;
    }

    [Fact]
    public void Read_FileMissing_SaysWhich()
    {
        File.Move(Weights, Path.Combine(Folder, "adapter_model.bin"));
        Assert.Contains("Python", Assert.Throws<CheckpointException>(() => PeftFolder.Read(Folder, _config)).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(Folder, "adapter_model.bin"));
        Assert.Equal(Weights, Assert.Throws<FileNotFoundException>(() => PeftFolder.Read(Folder, _config)).FileName);
        Assert.Throws<FileNotFoundException>(() => PeftFolder.Read(_root["nowhere"], _config));
    }

    [Property(MaxTest = 300, Replay = "(1,1)")]
    public void Read_ChangedConfig_ReadsOrFailsCleanly(int kind, uint place, byte value) => Attack("adapter/adapter_config.json", kind, place, value);

    [Property(MaxTest = 300, Replay = "(2,1)")]
    public void Read_ChangedWeights_ReadsOrFailsCleanly(int kind, uint place, byte value) => Attack("adapter/adapter_model.safetensors", kind, place, value);

    [Fact]
    public void Write_FolderThatHoldsSomething_RefusesAndLeavesIt()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["mine"], "x");
        Assert.Throws<IOException>(() => PeftFolder.Write(_adapter, folder.Path));
        Assert.Equal([folder["mine"]], Directory.EnumerateFileSystemEntries(folder.Path));
    }

    private void Attack(string name, int kind, uint place, byte value) =>
        FileAttack.Run(_root, name, kind, place, value, _ => Assert.Equal(_adapter.Factors.Count, PeftFolder.Read(Folder, _config).Factors.Count));

    private void Replace(string from, string to)
    {
        string text = File.ReadAllText(Config), changed = text.Replace(from, to, StringComparison.Ordinal);
        Assert.NotEqual(text, changed);
        File.WriteAllText(Config, changed);
    }
}
