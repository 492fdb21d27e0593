namespace Llama2.Cli.Tests;

public sealed class ProgressBarTests
{
    [Fact]
    public async Task Show_SlowWorkAtTheTerminal_ShowsHowFarItIs()
    {
        using var terminal = new TestTerminal("", interactive: true, new WatchedWriter("50%"));
        var screen = (WatchedWriter)terminal.Error;

        int result = await ProgressBar.ShowAsync(terminal.Streams, "working", async progress =>
        {
            progress.Report(new LoadProgress(5, 10, "half"));
            await screen.Seen.WaitAsync(TimeSpan.FromSeconds(60));
            return 42;
        });

        Assert.Equal(42, result);
        Assert.Contains("working", screen.ToString(), StringComparison.Ordinal);
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
        await Task.Delay(TimeSpan.FromMilliseconds(500));
        return 42;
    }

    /// <summary>Says when a text has been written.</summary>
    private sealed class WatchedWriter(string text) : StringWriter
    {
        private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Seen => _seen.Task;

        public override void Write(string? value)
        {
            base.Write(value);
            if (GetStringBuilder().ToString().Contains(text, StringComparison.Ordinal))
            {
                _seen.TrySetResult();
            }
        }
    }
}
