namespace Llama2.Testing;

/// <summary>Holds a <see cref="FakeBackend"/> at the beginning of a forward pass.</summary>
public sealed class Gate : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly FakeBackend _backend;
    private readonly Action<LlamaBatch>? _inner;
    private readonly ManualResetEventSlim _reached = new();
    private readonly ManualResetEventSlim _open = new();

    /// <summary>Closes the gate; what <see cref="FakeBackend.OnForward"/> did before still happens, after the gate.</summary>
    public Gate(FakeBackend backend)
    {
        (_backend, _inner) = (backend, backend.OnForward);
        backend.OnForward = Pass;
    }

    /// <summary>Blocks until a forward pass waits at the gate.</summary>
    public void WaitUntilReached()
    {
        if (!_reached.Wait(_patience))
        {
            throw new TimeoutException("No forward pass came to the gate.");
        }
    }

    public void Open()
    {
        _backend.OnForward = _inner;
        _open.Set();
    }

    public void Dispose()
    {
        Open();
        _reached.Dispose();
    }

    private void Pass(LlamaBatch batch)
    {
        _reached.Set();
        if (!_open.Wait(_patience))
        {
            throw new TimeoutException("The gate stayed closed.");
        }

        _inner?.Invoke(batch);
    }
}
