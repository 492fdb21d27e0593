using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Llama2;

/// <summary>Threads that share the items of one job after another; the calling thread works too.</summary>
/// <remarks>
/// Each begins with an equal share of neighbouring items, which lie together in memory and are taken in their order; who is through takes half of
/// what another has left. Workers spin for some microseconds after a job, since the next one of a forward pass is near, and then sleep. Starting a
/// job allocates nothing. One job at a time.
/// </remarks>
internal sealed class WorkerGroup : IDisposable
{
    private const int SpinsBeforeSleep = 200;
    private const int LineInts = 16, LineLongs = 8;  // a cache line for each thread's numbers
    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _asleep;                  // 1 while a worker sleeps or is about to
    private readonly long[] _shares;                 // the items that a thread still has: the first in the lower half, the end in the upper one
    private readonly ManualResetEventSlim _done = new(initialState: false, spinCount: SpinsBeforeSleep);
    private Action<int, int>? _item;                 // the job's body: for every item
    private Action<int, int, int>? _range;           // or for some at a time
    private ExceptionDispatchInfo? _failure;
    private int _job;
    private int _working;
    private volatile bool _stopping;

    /// <param name="threads">Threads in all, the caller's included.</param>
    public WorkerGroup(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _threads = new Thread[threads - 1];
        _wake = new SemaphoreSlim[threads - 1];
        _asleep = new int[(threads - 1) * LineInts];
        _shares = new long[threads * LineLongs];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i;
            _wake[i] = new SemaphoreSlim(0);
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"llama2 worker {i + 1}" };
            _threads[i].Start();
        }
    }

    /// <summary>Threads in all, the caller's included.</summary>
    public int Threads => _threads.Length + 1;

    /// <summary>Calls <paramref name="body"/>(worker, item) for every item, each on any thread, and waits for all.</summary>
    /// <param name="count">The number of items; their order is not defined.</param>
    /// <param name="body">A cached delegate; worker is from 0 to <see cref="Threads"/> − 1, for buffers of its own.</param>
    public void For(int count, Action<int, int> body) => Run(count, body, null);

    /// <summary>Calls <paramref name="body"/>(worker, first, end) for neighbouring items, on any thread, until there was a call for all, and waits for all.</summary>
    /// <param name="count">The number of items; their order is not defined.</param>
    /// <param name="body">A cached delegate; it is handed the items from first to end − 1, at least one.</param>
    public void ForRanges(int count, Action<int, int, int> body) => Run(count, null, body);

    public void Dispose()
    {
        if (_stopping)
        {
            return;
        }

        _stopping = true;
        Interlocked.Increment(ref _job);
        foreach (SemaphoreSlim wake in _wake)
        {
            wake.Release();
        }

        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        Array.ForEach(_wake, wake => wake.Dispose());
        _done.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Run(int count, Action<int, int>? item, Action<int, int, int>? range)
    {
        ObjectDisposedException.ThrowIf(_stopping, this);
        if (_threads.Length == 0 || count <= 1)
        {
            Call(item, range, 0, 0, count);
            return;
        }

        (_item, _range, _failure) = (item, range, null);
        for (int worker = 0; worker < Threads; worker++)
        {
            _shares[worker * LineLongs] = Share((int)((long)count * worker / Threads), (int)((long)count * (worker + 1) / Threads));
        }

        _done.Reset();
        Volatile.Write(ref _working, _threads.Length);
        Interlocked.Increment(ref _job);                                     // publishes the fields above
        for (int i = 0; i < _threads.Length; i++)
        {
            if (Interlocked.Exchange(ref _asleep[i * LineInts], 0) == 1)
            {
                _wake[i].Release();
            }
        }

        TakeItems(_threads.Length);
        _done.Wait();
        _failure?.Throw();
    }

    private void Work(int worker)
    {
        for (int seen = 0; ;)
        {
            AwaitJob(worker, seen);
            if (_stopping)
            {
                return;
            }

            seen++;                                                           // a job ends only when every worker has seen it
            TakeItems(worker);
            if (Interlocked.Decrement(ref _working) == 0)
            {
                _done.Set();
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AwaitJob(int worker, int seen)
    {
        for (int spin = 0; Volatile.Read(ref _job) == seen; spin++)
        {
            if (spin < SpinsBeforeSleep)
            {
                Thread.SpinWait(20);
                continue;
            }

            Volatile.Write(ref _asleep[worker * LineInts], 1);
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref _job) != seen && Interlocked.Exchange(ref _asleep[worker * LineInts], 0) == 1)
            {
                return;                                                       // the job came between; nobody will wake us for it
            }

            _wake[worker].Wait();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TakeItems(int worker)
    {
        try
        {
            do
            {
                while (TryTake(worker, out int first, out int end))
                {
                    Call(_item, _range, worker, first, end);
                }
            }
            while (TryTakeOver(worker));
        }
        catch (Exception failure)                                             // rethrown by For on the calling thread
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(failure), null);
            for (int other = 0; other < Threads; other++)
            {
                Volatile.Write(ref _shares[other * LineLongs], 0);
            }
        }
    }

    /// <summary>The next items of a thread's own share: an eighth of what is left, so that there is little to wait for and still something to take over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryTake(int worker, out int first, out int end)
    {
        ref long share = ref _shares[worker * LineLongs];
        for (long seen; (first = (int)(seen = Volatile.Read(ref share))) < (int)(seen >> 32);)
        {
            int last = (int)(seen >> 32);
            end = first + (last - first + 7) / 8;
            if (Interlocked.CompareExchange(ref share, Share(end, last), seen) == seen)
            {
                return true;
            }
        }

        end = first;
        return false;
    }

    /// <summary>Makes the latter half of what another thread has left a thread's own share. A share never comes back within a job, so none is taken for another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryTakeOver(int worker)
    {
        for (int step = 1; step < Threads; step++)
        {
            ref long share = ref _shares[(worker + step) % Threads * LineLongs];
            for (long seen; (int)(seen = Volatile.Read(ref share)) < (int)(seen >> 32);)
            {
                int first = (int)seen, end = (int)(seen >> 32), middle = first + (end - first) / 2;
                if (Interlocked.CompareExchange(ref share, Share(first, middle), seen) == seen)
                {
                    Volatile.Write(ref _shares[worker * LineLongs], Share(middle, end));
                    return true;
                }
            }
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Call(Action<int, int>? item, Action<int, int, int>? range, int worker, int first, int end)
    {
        if (first < end)
        {
            range?.Invoke(worker, first, end);
        }

        for (; item is not null && first < end; first++)
        {
            item(worker, first);
        }
    }

    private static long Share(int first, int end) => (long)end << 32 | (uint)first;
}
