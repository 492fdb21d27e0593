using System.Diagnostics;
using System.Globalization;
using Llama2.Evaluation;

namespace Llama2.Cli;

/// <summary>Says on standard error how far an evaluation is: one line that changes on a terminal, else a line now and then.</summary>
internal sealed class EvaluationProgressLine(Terminal terminal, int total) : IProgress<EvaluationProgress>
{
    private static readonly TimeSpan _terminalPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _logPause = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private TimeSpan _shown;
    private int _done;
    private int _width;

    public void Report(EvaluationProgress value)
    {
        lock (_lock)
        {
            TimeSpan now = Stopwatch.GetElapsedTime(_start);
            if (value.Done > _done && (now - _shown >= (terminal.ErrorIsTerminal ? _terminalPause : _logPause)))
            {
                (_shown, _done) = (now, value.Done);
                Show(Line(value, now));
            }
        }
    }

    /// <summary>Takes the line away.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            if (_width > 0)
            {
                terminal.Error.Write($"\r{new string(' ', _width)}\r");
                _width = 0;
            }
        }
    }

    private string Line(EvaluationProgress value, TimeSpan now)
    {
        TimeSpan left = now * ((double)(total - value.Done) / value.Done);
        string failed = value.Failed > 0 ? $", {value.Failed} failed" : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{value.Done} of {total} items{failed}, {value.Done / now.TotalSeconds:0.0} per second, {left:h\\:mm\\:ss} left");
    }

    private void Show(string line)
    {
        if (!terminal.ErrorIsTerminal)
        {
            terminal.Error.WriteLine(line);
            return;
        }

        terminal.Error.Write($"\r{line.PadRight(_width)}");
        _width = line.Length;
    }
}
