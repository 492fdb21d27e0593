using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Cli.Tests;

/// <summary>The commands that read and write models: <c>synth</c>, <c>quantize</c>, <c>info</c>; and <c>chat</c> end to end.</summary>
public sealed class ModelFileTests(TinyModelFixture model) : IClassFixture<TinyModelFixture>
{
    [Theory]
    [InlineData("a.gguf", "f32")]
    [InlineData("b.gguf", "f16")]
    [InlineData("c.gguf", "bf16")]
    [InlineData("d.gguf", "q8_0")]
    [InlineData("e.gguf", "q4_0")]
    [InlineData("folder", "f32")]
    [InlineData("folder", "f16")]
    [InlineData("folder", "bf16")]
    public async Task Synth_EveryFormat_InfoTellsItBack(string name, string format)
    {
        using var folder = new TemporaryFolder();
        string path = folder[name];
        (await CliRunner.RunAsync(
            "synth", path, "--dim", "64", "--layers", "2", "--heads", "4", "--kv-heads", "2", "--ffn", "96", "--vocab", "300", "--context", "99",
            "--format", format, "--seed", "3", "--rope-theta", "50000", "--tie")).Succeeded();

        JsonElement info = JsonDocument.Parse((await CliRunner.RunAsync("info", path, "--json")).Succeeded().Output).RootElement;

        Assert.Equal((64, 2, 4, 2), (Number("hidden_size"), Number("layers"), Number("heads"), Number("key_value_heads")));
        Assert.Equal((96, 300, 99, 50000), (Number("intermediate_size"), Number("vocabulary_size"), Number("context_length"), Number("rope_theta")));
        Assert.True(info.GetProperty("has_tokenizer").GetBoolean());
        Assert.True(info.GetProperty("tied_embeddings").GetBoolean());
        JsonElement attention = info.GetProperty("tensors").EnumerateArray().Single(tensors => tensors.GetProperty("class").GetString() == "attention");
        Assert.Equal(format, attention.GetProperty("format").GetString()!.ToLowerInvariant());
        Assert.True(info.GetProperty("memory").GetProperty("total_bytes").GetInt64() > 0);
        Assert.Equal("cpu", info.GetProperty("device").GetString());

        int Number(string member) => info.GetProperty(member).GetInt32();
    }

    [Fact]
    public async Task Synth_SameSettings_SameBytes()
    {
        using var folder = new TemporaryFolder();
        await SynthAsync("a", "1");
        await SynthAsync("b", "1");
        await SynthAsync("c", "2");

        byte[] a = await File.ReadAllBytesAsync(folder["a.gguf"]);
        Assert.Equal(a, await File.ReadAllBytesAsync(folder["b.gguf"]));
        Assert.NotEqual(a, await File.ReadAllBytesAsync(folder["c.gguf"]));

        async Task SynthAsync(string name, string seed) => (await CliRunner.RunAsync(
            "synth", folder[name + ".gguf"], "--dim", "32", "--heads", "2", "--layers", "1", "--vocab", "30", "--seed", seed)).Succeeded();
    }

    [Theory]
    [InlineData("a Hugging Face folder holds", "folder", "--format", "q8_0")]
    [InlineData("heads do not divide", "x.gguf", "--dim", "10", "--heads", "3")]
    [InlineData("heads do not divide", "x.gguf", "--heads", "0")]
    [InlineData("num_key_value_heads", "x.gguf", "--heads", "4", "--kv-heads", "3")]
    [InlineData("num_hidden_layers", "x.gguf", "--layers", "0")]
    public async Task Synth_ImpossibleShape_ReturnsTwo(string message, string name, params string[] settings)
    {
        using var folder = new TemporaryFolder();

        CliResult result = await CliRunner.RunAsync(["synth", folder[name], .. settings]);

        Assert.Equal(CommandLine.Usage, result.Code);
        Assert.Contains(message, result.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public async Task Quantize_ExistingFile_NeedsForce()
    {
        using var folder = new TemporaryFolder();
        string output = folder["out.gguf"];
        await File.WriteAllTextAsync(output, "mine");

        CliResult refused = await CliRunner.RunAsync("quantize", model.Path, output, "--format", "q4_0");
        Assert.Equal(CommandLine.Failure, refused.Code);
        Assert.Contains("--force", refused.Error, StringComparison.Ordinal);
        Assert.Equal("mine", await File.ReadAllTextAsync(output));

        CliResult forced = (await CliRunner.RunAsync("quantize", model.Path, output, "--format", "q4_0", "--force")).Succeeded();
        Assert.Empty(forced.Output);
        Assert.Contains("Q4_0", (await CliRunner.RunAsync("info", output)).Succeeded().Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Quantize_NoSuchFolder_SaysSo()
    {
        CliResult result = await CliRunner.RunAsync("quantize", model.Path, model.Folder["none/out.gguf"], "--format", "f32");

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Contains("does not exist", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Synth_FolderWithASeparatorAtTheEnd_IsMade()
    {
        using var folder = new TemporaryFolder();

        (await CliRunner.RunAsync("synth", folder["new"] + "/", "--dim", "16", "--heads", "2", "--layers", "1", "--vocab", "30")).Succeeded();

        Assert.True(File.Exists(folder["new/config.json"]));
    }

    [Fact]
    public async Task Quantize_OntoAFolder_SaysSoBeforeAnyWork()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["out.gguf"]);

        CliResult result = await CliRunner.RunAsync("quantize", "no-such-model", folder["out.gguf"], "--format", "f16", "--force");

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Contains("out.gguf' is a folder", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Info_Piped_IsAlignedText()
    {
        CliResult result = (await CliRunner.RunAsync("info", model.PathWithoutTokenizer, "--context-length", "256")).Succeeded();

        Assert.Contains("layout        GGUF v3\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("vocabulary    40 tokens, no tokenizer\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("for 256 tokens", result.Output, StringComparison.Ordinal);
        Assert.StartsWith("warning: 256 tokens are more than the 128", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Info_AtTheTerminal_IsATable()
    {
        using var terminal = new TestTerminal("", interactive: true);

        Assert.Equal(0, await CommandLine.RunAsync(["info", model.Path], terminal.Streams));

        Assert.Contains("╭", terminal.Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("GGUF v3", terminal.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chat_Lines_AreAnswered()
    {
        CliResult result = (await CliRunner.RunAsync(
            "hi\n/reset\nhi\n", ["chat", model.Path, "--system", "brief", "--seed", "4", "--max-new-tokens", "5", "--ignore-eos", "true"])).Succeeded();

        string half = result.Output[..(result.Output.Length / 2)];
        Assert.Equal(half + half, result.Output);
        Assert.True(half.Length > 2);
        Assert.Empty(result.Error);
    }

    [Fact]
    public async Task Chat_AtTheTerminal_GreetsOnStandardError()
    {
        using var terminal = new TestTerminal("/exit\n", interactive: true);

        Assert.Equal(0, await CommandLine.RunAsync(["chat", model.Path], terminal.Streams));

        Assert.Contains("/help lists the commands", terminal.Error.ToString(), StringComparison.Ordinal);
        Assert.Empty(terminal.Output.ToString());
    }
}
