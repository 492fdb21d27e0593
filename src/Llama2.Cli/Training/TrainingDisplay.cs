using Llama2.Training;
using Spectre.Console;

namespace Llama2.Cli;

/// <summary>Shows how training is going, on standard error: a line now and then, and under them a bar where somebody watches.</summary>
/// <param name="terminal">The streams.</param>
/// <param name="loggingSteps">The steps between two lines; null for a line each epoch.</param>
/// <param name="metric">What evaluations measure beside the loss, if anything.</param>
internal sealed class TrainingDisplay(Terminal terminal, int? loggingSteps, BestModelMetric metric = BestModelMetric.Loss) : IProgress<TrainingProgress>
{
    private readonly Lock _lock = new();
    private readonly Queue<string> _waiting = [];
    private readonly Meter _inAll = new();
    private Meter _sinceLine = new();
    private TrainingProgress? _last;

    /// <summary>Tokens per second over all reports; 0 before the first.</summary>
    public double TokensPerSecond => _inAll.TokensPerSecond;

    /// <summary>Runs the training and shows it.</summary>
    /// <param name="train">Trains, and reports every step.</param>
    public async Task<T> ShowAsync<T>(Func<IProgress<TrainingProgress>, T> train)
    {
        Task<T> task = Task.Run(() => train(this));
        if (terminal.ErrorIsTerminal)
        {
            IAnsiConsole console = Terminal.Rich(terminal.Error);
            await console.Progress()
                .AutoClear(true)
                .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
                .StartAsync(context => FollowAsync(console, context.AddTask("first step", maxValue: 1), task));
        }

        return await task;
    }

    /// <summary>Called on the training thread.</summary>
    public void Report(TrainingProgress value)
    {
        lock (_lock)
        {
            _last = value;
            _inAll.Add(value);
            _sinceLine.Add(value);
            bool isDue = loggingSteps is int steps ? value.Step % steps == 0 : value.Epoch == Math.Floor(value.Epoch);
            if (isDue || value.Step == value.TotalSteps)
            {
                Say(Line(value, _sinceLine));
                _sinceLine = new();
            }

            if (value.Evaluation is { Loss: double loss } evaluation)
            {
                string measured = evaluation.Metric is double figure ? $", {AnswerMetric.NameOf(metric)} {figure:0.0000}" : "";
                string best = evaluation.IsBest ? ", the best so far" : "";
                Say($"step {value.Step}: validation loss {loss:0.0000}, perplexity {Math.Exp(loss):0.00}{measured}{best}");
            }
        }
    }

    /// <summary>Writes a line without breaking the bar.</summary>
    public void Say(string line)
    {
        lock (_lock)
        {
            if (terminal.ErrorIsTerminal)
            {
                _waiting.Enqueue(line);
            }
            else
            {
                terminal.Error.WriteLine(line);
            }
        }
    }

    /// <summary>Two units are enough: 2 h 05 min, 3 min 20 s, 12 s.</summary>
    public static string Duration(TimeSpan time) =>
        time.TotalHours >= 1 ? $"{(long)time.TotalHours} h {time.Minutes:00} min" :
        time.TotalMinutes >= 1 ? $"{time.Minutes} min {time.Seconds:00} s" : $"{Math.Ceiling(time.TotalSeconds):0} s";

    private static string Line(TrainingProgress value, Meter meter) =>
        $"step {value.Step}/{value.TotalSteps}, epoch {value.Epoch:0.00}: loss {meter.Loss:0.0000}, learning rate {value.LearningRate:0.0#e-0}, " +
        $"{meter.TokensPerSecond:N0} tokens/s, {Duration(value.TimeLeft)} left";

    private async Task FollowAsync(IAnsiConsole console, ProgressTask shown, Task task)
    {
        bool ended = false;
        while (!ended)
        {
            await Task.WhenAny(task, Task.Delay(100));
            ended = task.IsCompleted;                           // read before the lines, so that the last ones are seen
            lock (_lock)
            {
                while (_waiting.TryDequeue(out string? line))
                {
                    console.WriteLine(line);
                }

                if (_last is { } value)
                {
                    (shown.MaxValue, shown.Value) = (value.TotalSteps, value.Step);
                    shown.Description = Markup.Escape(
                        $"step {value.Step}/{value.TotalSteps}, loss {value.Loss:0.000}, {value.TokensPerSecond:N0} tokens/s, {Duration(value.TimeLeft)} left");
                }
            }
        }
    }

    /// <summary>Means over some steps.</summary>
    private sealed class Meter
    {
        private double _losses;
        private double _seconds;
        private long _steps;
        private long _tokens;

        public double Loss => _losses / _steps;

        public double TokensPerSecond => _seconds > 0 ? _tokens / _seconds : 0;

        public void Add(TrainingProgress step)
        {
            _losses += step.Loss;
            _seconds += step.Tokens / step.TokensPerSecond;
            _tokens += step.Tokens;
            _steps++;
        }
    }
}
