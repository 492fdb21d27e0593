using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Llama2;

/// <summary>Threads that share the items of one job after another; the calling thread works too.</summary>
/// <remarks>
/// Each begins with an equal share of neighbouring items, which lie together in memory and are taken in their order; who is through takes half of
/// what another has left. Who waits, for a job or for the others' end, spins for some microseconds, since what it waits for is near in a forward pass, and
/// then sleeps. Starting a job allocates nothing. One job at a time.
/// </remarks>
internal sealed class WorkerGroup : IDisposable
{
    private const int SpinsBeforeSleep = 4000;       // each some tens of nanoseconds, so that what is waited for is seen at once
    private const int PartsOfItems = 8, PartsOfRanges = 2;
    private const int LineInts = 16, LineLongs = 8;  // a cache line for each thread's numbers
    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;          // of every thread, the caller's last
    private readonly int[] _asleep;                  // 1 while a thread sleeps or is about to
    private readonly long[] _shares;                 // the items that a thread still has: the first in the lower half, the end in the upper one
    private Action<int, int>? _item;                 // the job's body: for every item
    private Action<int, int, int>? _range;           // or for some at a time
    private ExceptionDispatchInfo? _failure;
    private int _begun;                              // jobs
    private int _ended;
    private int _working;                            // workers that have not ended the job
    private volatile bool _stopping;

    /// <param name="threads">Threads in all, the caller's included.</param>
    public WorkerGroup(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _threads = new Thread[threads - 1];
        _wake = [.. Enumerable.Range(0, threads).Select(_ => new SemaphoreSlim(0))];
        _asleep = new int[threads * LineInts];
        _shares = new long[threads * LineLongs];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i;
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
    /// <param name="count">The number of items, each much shorter than those of <see cref="For"/>; their order is not defined.</param>
    /// <param name="body">A cached delegate; it is handed the items from first to end − 1, at least one.</param>
    public void ForRanges(int count, Action<int, int, int> body) => Run(count, null, body);

    public void Dispose()
    {
        if (_stopping)
        {
            return;
        }

        _stopping = true;
        Interlocked.Increment(ref _begun);
        foreach (SemaphoreSlim wake in _wake)
        {
            wake.Release();
        }

        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        Array.ForEach(_wake, wake => wake.Dispose());
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

        for (int worker = 0; worker < Threads; worker++)
        {
            _shares[worker * LineLongs] = Share((int)((long)count * worker / Threads), (int)((long)count * (worker + 1) / Threads));
        }

        int ended = _ended;
        (_item, _range, _failure, _working) = (item, range, null, _threads.Length);
        Interlocked.Increment(ref _begun);                                   // publishes the fields above
        for (int worker = 0; worker < _threads.Length; worker++)
        {
            Wake(worker);
        }

        TakeItems(_threads.Length);
        AwaitChange(ref _ended, ended, _threads.Length);
        _failure?.Throw();
    }

    private void Work(int worker)
    {
        for (int seen = 0; ; seen++)                                          // a job ends only when every worker has seen it
        {
            AwaitChange(ref _begun, seen, worker);
            if (_stopping)
            {
                return;
            }

            TakeItems(worker);
            if (Interlocked.Decrement(ref _working) == 0)
            {
                Interlocked.Increment(ref _ended);
                Wake(_threads.Length);
            }
        }
    }

    /// <summary>Returns once a number is another; who changes it wakes the thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AwaitChange(ref int number, int seen, int thread)
    {
        for (int spin = 0; Volatile.Read(ref number) == seen; spin++)
        {
            if (spin < SpinsBeforeSleep)
            {
                Thread.SpinWait(1);
                continue;
            }

            ref int asleep = ref _asleep[thread * LineInts];
            Volatile.Write(ref asleep, 1);
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref number) != seen && Interlocked.Exchange(ref asleep, 0) == 1)
            {
                return;                                                       // it changed between; nobody will wake us for it
            }

            _wake[thread].Wait();
        }
    }

    private void Wake(int thread)
    {
        if (Interlocked.Exchange(ref _asleep[thread * LineInts], 0) == 1)
        {
            _wake[thread].Release();
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

    /// <summary>The next items of a thread's own share: a part of what is left, so that there is little to wait for and still something to take over.</summary>
    /// <remarks>A locked instruction waits for all that is being read, and what follows for it. Beside what an item takes by itself that is little, but not beside a stripe of weights.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryTake(int worker, out int first, out int end)
    {
        int parts = _range is null ? PartsOfItems : PartsOfRanges;
        ref long share = ref _shares[worker * LineLongs];
        for (long seen; (first = (int)(seen = Volatile.Read(ref share))) < (int)(seen >> 32);)
        {
            int last = (int)(seen >> 32);
            end = first + (last - first + parts - 1) / parts;
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
