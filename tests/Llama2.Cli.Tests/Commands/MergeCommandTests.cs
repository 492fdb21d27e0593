namespace Llama2.Cli.Tests;

/// <summary>What a merge refuses; that it adds the adapter is tested with the run that trains one.</summary>
public sealed class MergeCommandTests(TinyModelFixture model) : IClassFixture<TinyModelFixture>
{
    [Fact]
    public async Task Merge_NoAdapter_SaysWhatIsMissing()
    {
        CliResult result = await CliRunner.RunAsync("merge", model.Path, model.Folder["no-adapter"], model.Folder["merged"]);

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Contains("adapter_config.json", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(model.Folder["merged"]));
    }

    [Fact]
    public async Task Merge_FolderInBlocks_IsWrongUsage()
    {
        CliResult result = await CliRunner.RunAsync("merge", model.Path, "adapter", model.Folder["merged"], "--format", "q8_0");

        Assert.Equal(CommandLine.Usage, result.Code);
        Assert.Contains("give a name that ends with .gguf", result.Error, StringComparison.Ordinal);
    }
}
