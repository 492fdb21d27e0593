namespace Llama2.Cli.Tests;

public sealed class ProgressBarTests
{
    [Fact]
    public async Task Show_SlowWorkAtTheTerminal_ShowsHowFarItIs()
    {
        using var terminal = new TestTerminal("", interactive: true);

        int result = await ProgressBar.ShowAsync(terminal.Streams, "working", WorkAsync);

        Assert.Equal(42, result);
        Assert.Contains("working", terminal.Error.ToString(), StringComparison.Ordinal);
        Assert.Contains("50%", terminal.Error.ToString(), StringComparison.Ordinal);
        Assert.Empty(terminal.Output.ToString());
    }

    [Fact]
    public async Task Show_SlowWorkWithoutTerminal_Silent()
    {
        using var terminal = new TestTerminal("");

        Assert.Equal(42, await ProgressBar.ShowAsync(terminal.Streams, "working", WorkAsync));
        Assert.Empty(terminal.Error.ToString());
    }

    [Fact]
    public async Task Show_QuickWork_Silent()
    {
        using var terminal = new TestTerminal("", interactive: true);

        Assert.Equal(1, await ProgressBar.ShowAsync(terminal.Streams, "working", _ => Task.FromResult(1)));
        Assert.Empty(terminal.Error.ToString());
    }

    private static async Task<int> WorkAsync(IProgress<LoadProgress> progress)
    {
        progress.Report(new LoadProgress(5, 10, "half"));
        await Task.Delay(TimeSpan.FromSeconds(1));
        return 42;
    }
}
