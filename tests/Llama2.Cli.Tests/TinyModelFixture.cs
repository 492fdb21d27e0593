using Llama2.Testing;

namespace Llama2.Cli.Tests;

/// <summary>A tiny model with a tokenizer, and one without, made by <c>synth</c> once for all tests of a class.</summary>
public sealed class TinyModelFixture : IAsyncLifetime
{
    private static readonly string[] _shape =
        ["--dim", "32", "--layers", "2", "--heads", "4", "--kv-heads", "2", "--ffn", "64", "--context", "128", "--seed", "7"];

    public TemporaryFolder Folder { get; } = new();

    /// <summary>A GGUF file with a tokenizer of 300 tokens.</summary>
    public string Path => Folder["tiny.gguf"];

    /// <summary>A GGUF file with 40 tokens and no tokenizer.</summary>
    public string PathWithoutTokenizer => Folder["bare.gguf"];

    public async Task InitializeAsync()
    {
        (await CliRunner.RunAsync(["synth", Path, "--vocab", "300", .. _shape])).Succeeded();
        (await CliRunner.RunAsync(["synth", PathWithoutTokenizer, "--vocab", "40", .. _shape])).Succeeded();
    }

    public Task DisposeAsync()
    {
        Folder.Dispose();
        return Task.CompletedTask;
    }
}
