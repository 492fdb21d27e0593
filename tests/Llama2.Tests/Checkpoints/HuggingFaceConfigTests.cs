using Llama2.Testing;

namespace Llama2.Tests;

public class HuggingFaceConfigTests
{
    private const string Required =
        """
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 320, "max_position_embeddings": 256
        """;

    [Fact]
    public void ReadConfig_RequiredFieldsOnly_HasTheFormatsDefaults()
    {
        LlamaConfig config = Read(Required);
        Assert.Equal((4, 16, 1e-6f, 10_000f), (config.KeyValueHeadCount, config.HeadSize, config.RmsNormEpsilon, config.RopeTheta));
        Assert.Null(config.RopeScaling);
        Assert.False(config.TieWordEmbeddings);
        Assert.Equal(1, config.BeginOfTextId);
        Assert.Equal([2], config.EndOfTextIds);
    }

    [Theory]
    [InlineData("hidden_size")]
    [InlineData("intermediate_size")]
    [InlineData("num_hidden_layers")]
    [InlineData("num_attention_heads")]
    [InlineData("vocab_size")]
    [InlineData("max_position_embeddings")]
    public void ReadConfig_MissingField_NamesIt(string field)
    {
        var exception = Assert.Throws<CheckpointException>(() => Read(Required.Replace($"\"{field}\"", "\"other\"")));
        Assert.Equal((field, "nothing"), (exception.Field, exception.Found));
        Assert.EndsWith("config.json", exception.File);
        Assert.Equal("[]", Assert.Throws<CheckpointException>(() => Read($"{Required}, \"{field}\": []")).Found);
    }

    [Theory]
    [InlineData("\"model_type\": \"mistral\"", "model_type")]
    [InlineData("\"model_type\": null", "model_type")]
    [InlineData("\"model_type\": null, \"architectures\": [\"OPTForCausalLM\"]", "model_type")]
    [InlineData("\"model_type\": 3", "model_type")]
    [InlineData("\"hidden_act\": \"gelu\"", "hidden_act")]
    [InlineData("\"attention_bias\": true", "attention_bias")]
    [InlineData("\"mlp_bias\": true", "mlp_bias")]
    [InlineData("\"mlp_bias\": 1", "mlp_bias")]
    [InlineData("\"quantization_config\": {\"bits\": 4}", "quantization_config")]
    [InlineData("\"num_attention_heads\": 0", "num_attention_heads")]
    [InlineData("\"num_attention_heads\": 3", "hidden_size")]
    [InlineData("\"hidden_size\": 64.5", "hidden_size")]
    [InlineData("\"hidden_size\": 99999999999", "hidden_size")]
    [InlineData("\"rms_norm_eps\": \"small\"", "rms_norm_eps")]
    [InlineData("\"rope_theta\": 1e999", "rope_theta")]
    [InlineData("\"rope_scaling\": []", "rope_scaling")]
    [InlineData("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}", "rope_scaling.rope_type")]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 2}", "rope_scaling.rope_type")]
    [InlineData("\"rope_scaling\": {\"type\": \"linear\"}", "rope_scaling.factor")]
    [InlineData("\"rope_scaling\": {\"factor\": 2}", "rope_scaling.rope_type")]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"yarn\"}", "rope_parameters.rope_type")]
    [InlineData("\"eos_token_id\": \"2\"", "eos_token_id")]
    [InlineData("\"eos_token_id\": [2, \"3\"]", "eos_token_id")]
    public void ReadConfig_WhatWeDoNotRun_IsRefusedByName(string field, string name) =>
        Assert.Equal(name, Assert.Throws<CheckpointException>(() => Read($"{Required}, {field}")).Field);

    [Theory]
    [InlineData("")]
    [InlineData("[1]")]
    [InlineData("3")]
    [InlineData("\"x\"")]
    [InlineData("null")]
    [InlineData("{\"a\": }")]
    [InlineData("{\"model_type\": \"\\ud800\"}")]
    public void ReadConfig_NoObject_IsRefused(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], text);
        Assert.Throws<CheckpointException>(() => HuggingFaceConfig.ReadConfig(folder["config.json"]));
    }

    [Fact]
    public void ReadConfig_TooLong_IsRefusedUnread()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["config.json"], new byte[(1 << 20) + 1]);
        Assert.Equal("length", Assert.Throws<CheckpointException>(() => HuggingFaceConfig.ReadConfig(folder["config.json"])).Field);
    }

    [Fact]
    public void ReadConfig_LongValue_IsCutInTheMessage() =>
        Assert.Equal(80, Assert.Throws<CheckpointException>(() => Read($"{Required}, \"hidden_size\": \"{new string('x', 999)}\"")).Found.Length);

    [Fact]
    public void ReadConfig_ByteOrderMarkAndArchitectureAlone_AreAccepted()
    {
        LlamaConfig config = Read('\uFEFF', Required.Replace("\"model_type\": \"llama\"", "\"architectures\": [\"LlamaForCausalLM\"]"));
        Assert.Equal(64, config.HiddenSize);
    }

    [Theory]
    [InlineData("\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}", RopeScalingKind.Linear, 4f, 10_000f)]
    [InlineData("\"rope_scaling\": {\"type\": \"linear\", \"rope_type\": \"dynamic\", \"factor\": 2}, \"rope_theta\": 5", RopeScalingKind.Dynamic, 2f, 5f)]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"dynamic\", \"factor\": 2, \"rope_theta\": 1000000.0}, \"rope_theta\": 5", RopeScalingKind.Dynamic, 2f, 1e6f)]
    public void ReadConfig_RopeScaling_IsRead(string field, RopeScalingKind kind, float factor, float theta)
    {
        LlamaConfig config = Read($"{Required}, {field}");
        Assert.Equal((new RopeScaling(kind, factor), theta), (config.RopeScaling, config.RopeTheta));
    }

    [Theory]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"default\"}")]
    [InlineData("\"rope_parameters\": {\"rope_theta\": 10000.0}")]
    public void ReadConfig_DefaultRope_IsNotScaled(string field) => Assert.Null(Read($"{Required}, {field}").RopeScaling);

    [Theory]
    [InlineData("7", new[] { 7 })]
    [InlineData("[2, 9]", new[] { 2, 9 })]
    [InlineData("[]", new int[0])]
    [InlineData("null", new int[0])]
    public void ReadConfig_EndIds_AreOneOrMany(string value, int[] expected) => Assert.Equal(expected, Read($"{Required}, \"eos_token_id\": {value}").EndOfTextIds);

    [Fact]
    public void ReadConfig_TooManyEndIds_IsRefused() =>
        Assert.Equal("eos_token_id", Assert.Throws<CheckpointException>(() => Read($"{Required}, \"eos_token_id\": [{string.Join(',', new int[1025])}]")).Field);

    [Fact]
    public void ReadGeneration_Llama2Chat_HasItsSettings()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["g.json"],
            """{"_from_model_config": true, "bos_token_id": 1, "do_sample": true, "eos_token_id": 2, "max_length": 4096, "temperature": 0.6, "top_p": 0.9, "num_beams": 1, "top_k": null}""");
        (GenerationOptions options, int[] ids) = HuggingFaceConfig.ReadGeneration(folder["g.json"]);
        Assert.Equal(new GenerationOptions { DoSample = true, Temperature = 0.6f, TopP = 0.9f }, options);
        Assert.Equal([2], ids);
    }

    [Fact]
    public void ReadGeneration_OutOfRange_IsRefusedByName()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["g.json"], """{"top_p": 1.5}""");
        Assert.Contains("top_p", Assert.Throws<CheckpointException>(() => HuggingFaceConfig.ReadGeneration(folder["g.json"])).Found);
    }

    private static LlamaConfig Read(string fields) => Read(null, fields);

    private static LlamaConfig Read(char? mark, string fields)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], $"{mark}{{{fields}}}");
        return HuggingFaceConfig.ReadConfig(folder["config.json"]);
    }
}
