namespace Llama2.Cli;

/// <summary>Ctrl-C as the commands see it: it ends the current step where there is one, else the command, else (a third time) the process.</summary>
internal sealed class Interrupts : IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _command = new();
    private CancellationTokenSource? _step;

    /// <summary>Cancelled when the command is to end.</summary>
    public CancellationToken Token => _command.Token;

    /// <summary>Begins something that Ctrl-C ends alone, such as one answer of a chat.</summary>
    /// <returns>The caller's to dispose, after <see cref="EndStep"/>.</returns>
    public CancellationTokenSource BeginStep()
    {
        lock (_lock)
        {
            _step = CancellationTokenSource.CreateLinkedTokenSource(_command.Token);
            return _step;
        }
    }

    /// <summary>Ends the step that <see cref="BeginStep"/> began.</summary>
    public void EndStep()
    {
        lock (_lock)
        {
            _step = null;
        }
    }

    /// <summary>Takes one Ctrl-C.</summary>
    /// <returns>Whether it was of use; otherwise the process should end the hard way.</returns>
    public bool Raise()
    {
        lock (_lock)
        {
            if (_step is null)
            {
                return RaiseAll();
            }

            Cancel(_step);
            _step = null;                                       // so that a second Ctrl-C goes to the command
            return true;
        }
    }

    /// <summary>Ends the command, whatever its step.</summary>
    /// <returns>Whether it was running on until now.</returns>
    public bool RaiseAll()
    {
        lock (_lock)
        {
            if (_command.IsCancellationRequested)
            {
                return false;
            }

            Cancel(_command);
            return true;
        }
    }

    public void Dispose() => _command.Dispose();

    // Whoever waits resumes on another thread: the signal's own thread must return at once.
    private static void Cancel(CancellationTokenSource source) => _ = source.CancelAsync();
}
