using Spectre.Console;

namespace Llama2.Cli;

/// <summary>Shows how far a load or a conversion is: on standard error, only if that is a terminal and the work takes a while.</summary>
internal sealed class ProgressBar : IProgress<LoadProgress>
{
    private static readonly TimeSpan _patience = TimeSpan.FromMilliseconds(300);
    private readonly Lock _lock = new();
    private LoadProgress _last;

    /// <summary>Called on the working thread; the bar looks at its own pace.</summary>
    public void Report(LoadProgress value)
    {
        lock (_lock)
        {
            _last = value;
        }
    }

    public static async Task<T> ShowAsync<T>(Terminal terminal, string title, Func<IProgress<LoadProgress>, Task<T>> work)
    {
        var bar = new ProgressBar();
        Task<T> task = work(bar);
        if (terminal.ErrorIsTerminal && await Task.WhenAny(task, Task.Delay(_patience)) != task)
        {
            await Terminal.Rich(terminal.Error).Progress()
                .AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
                .StartAsync(context => bar.FollowAsync(context.AddTask(title), task));
        }

        return await task;
    }

    private async Task FollowAsync(ProgressTask shown, Task task)
    {
        while (!task.IsCompleted)
        {
            await Task.WhenAny(task, Task.Delay(50));
            lock (_lock)
            {
                shown.MaxValue = Math.Max(1, _last.TotalBytes);
                shown.Value = _last.LoadedBytes;
            }
        }
    }
}
