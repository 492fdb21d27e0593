using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Llama2;

/// <summary>Brings mapped matrices into the kernels' order while the model already answers.</summary>
/// <remarks>
/// Packing and forward passes take turns on the same threads, since the matrices may not change within a pass, and two jobs would only wait for each other. A pass that comes
/// while nobody computes waits for one piece, some milliseconds; after a pass packing gets as long as that took, but at most a quarter of a second; else it
/// has all the time. A pass ends before packing goes on, so the first answer does not wait.
/// </remarks>
internal sealed class BackgroundPacking : IDisposable
{
    private const long PieceBytes = 4 << 20;
    private static readonly TimeSpan _longestTurn = TimeSpan.FromSeconds(0.25);

    private readonly object _gate = new();               // of all that follows; Monitor.PulseAll tells of every change
    private readonly IReadOnlyList<(WeightMatrix Matrix, CheckpointTensor Tensor)> _work;
    private readonly WorkerGroup _workers;
    private readonly Action<int, int> _pack;
    private readonly Thread _thread;
    private WeightMatrix? _matrix;                       // what the threads pack
    private int _first;
    private bool _passing, _packing, _stopping;
    private int _waiting;                                // passes
    private TimeSpan _due;                               // for packing, before the next pass
    private long _passStart;
    private volatile bool _ended;
    private ExceptionDispatchInfo? _failure;

    /// <param name="work">The matrices, in the order of a pass; they outlive this.</param>
    /// <param name="workers">The threads of the model.</param>
    public BackgroundPacking(IReadOnlyList<(WeightMatrix Matrix, CheckpointTensor Tensor)> work, WorkerGroup workers)
    {
        (_work, _workers, _pack) = (work, workers, (_, stripe) => _matrix!.PackStripe(_first + stripe));
        _thread = new Thread(Run) { IsBackground = true, Name = "llama2 packing" };
        _thread.Start();
    }

    /// <summary>Waits for this pass's turn; <see cref="EndPass"/> has to follow.</summary>
    public void BeginPass()
    {
        if (_ended)
        {
            _failure?.Throw();
            return;
        }

        lock (_gate)
        {
            _waiting++;
            while (_packing || (_due > TimeSpan.Zero && !_ended))
            {
                Monitor.Wait(_gate);
            }

            _waiting--;
            _passing = true;
        }

        _passStart = Stopwatch.GetTimestamp();
    }

    /// <summary>Says that the pass is over.</summary>
    public void EndPass()
    {
        if (!_passing)
        {
            return;
        }

        TimeSpan taken = Stopwatch.GetElapsedTime(_passStart);
        lock (_gate)
        {
            (_passing, _due) = (false, taken < _longestTurn ? taken : _longestTurn);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until all is packed; no pass may run meanwhile.</summary>
    public void Wait()
    {
        _thread.Join();
        _failure?.Throw();
    }

    /// <summary>Stops after the piece that is being packed.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }

        _thread.Join();
    }

    private void Run()
    {
        try
        {
            foreach ((WeightMatrix matrix, CheckpointTensor tensor) in _work)
            {
                while (matrix.PackedStripes < matrix.Stripes)
                {
                    if (!TryBeginTurn())
                    {
                        return;
                    }

                    long start = Stopwatch.GetTimestamp();
                    PackPiece(matrix, tensor);
                    EndTurn(Stopwatch.GetElapsedTime(start));
                }
            }
        }
        catch (Exception failure)                        // rethrown by the next pass
        {
            _failure = ExceptionDispatchInfo.Capture(failure);
        }
        finally
        {
            lock (_gate)
            {
                (_packing, _ended) = (false, true);
                Monitor.PulseAll(_gate);
            }
        }
    }

    private void PackPiece(WeightMatrix matrix, CheckpointTensor tensor)
    {
        (_matrix, _first) = (matrix, matrix.PackedStripes);
        int count = Math.Min((int)Math.Max(1, PieceBytes * matrix.Stripes / matrix.ByteSize), matrix.Stripes - _first);
        _workers.For(count, _pack);
        matrix.PackedStripes += count;
        if (matrix.PackedStripes == matrix.Stripes)
        {
            tensor.ReleasePages();
        }
    }

    private bool TryBeginTurn()
    {
        lock (_gate)
        {
            while (!_stopping && (_passing || (_waiting > 0 && _due <= TimeSpan.Zero)))
            {
                Monitor.Wait(_gate);
            }

            return _packing = !_stopping;
        }
    }

    private void EndTurn(TimeSpan taken)
    {
        lock (_gate)
        {
            (_packing, _due) = (false, _due - taken);
            Monitor.PulseAll(_gate);
        }
    }
}
