using System.Runtime.ExceptionServices;

namespace Llama2;

/// <summary>Threads that share the items of one job after another; the calling thread works too.</summary>
/// <remarks>
/// Workers spin for some microseconds after a job, since the next one of a forward pass is near, and then sleep. Starting a job allocates
/// nothing. One job at a time.
/// </remarks>
internal sealed class WorkerGroup : IDisposable
{
    private const int SpinsBeforeSleep = 200;
    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _asleep;                  // 1 while a worker sleeps or is about to; padded by 16 to a cache line each
    private readonly ManualResetEventSlim _done = new(initialState: false, spinCount: SpinsBeforeSleep);
    private Action<int, int> _body = (_, _) => { };
    private ExceptionDispatchInfo? _failure;
    private int _job;
    private int _count;
    private int _next;
    private int _working;
    private volatile bool _stopping;

    /// <param name="threads">Threads in all, the caller's included.</param>
    public WorkerGroup(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _threads = new Thread[threads - 1];
        _wake = new SemaphoreSlim[threads - 1];
        _asleep = new int[(threads - 1) * 16];
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
    public void For(int count, Action<int, int> body)
    {
        ObjectDisposedException.ThrowIf(_stopping, this);
        if (_threads.Length == 0 || count <= 1)
        {
            for (int item = 0; item < count; item++)
            {
                body(0, item);
            }

            return;
        }

        (_body, _count, _next, _failure) = (body, count, 0, null);
        _done.Reset();
        Volatile.Write(ref _working, _threads.Length);
        Interlocked.Increment(ref _job);                                     // publishes the fields above
        for (int i = 0; i < _threads.Length; i++)
        {
            if (Interlocked.Exchange(ref _asleep[i * 16], 0) == 1)
            {
                _wake[i].Release();
            }
        }

        TakeItems(_threads.Length);
        _done.Wait();
        _failure?.Throw();
    }

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

    private void AwaitJob(int worker, int seen)
    {
        for (int spin = 0; Volatile.Read(ref _job) == seen; spin++)
        {
            if (spin < SpinsBeforeSleep)
            {
                Thread.SpinWait(20);
                continue;
            }

            Volatile.Write(ref _asleep[worker * 16], 1);
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref _job) != seen && Interlocked.Exchange(ref _asleep[worker * 16], 0) == 1)
            {
                return;                                                       // the job came between; nobody will wake us for it
            }

            _wake[worker].Wait();
        }
    }

    private void TakeItems(int worker)
    {
        try
        {
            // Guided: large shares first, which lie together in memory, and small ones at the end, so that all threads end together.
            for (int start; (start = Volatile.Read(ref _next)) < _count;)
            {
                int end = start + Math.Max(1, (_count - start) / (2 * Threads));
                if (Interlocked.CompareExchange(ref _next, end, start) != start)
                {
                    continue;
                }

                for (int item = start; item < end; item++)
                {
                    _body(worker, item);
                }
            }
        }
        catch (Exception failure)                                             // rethrown by For on the calling thread
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(failure), null);
            Volatile.Write(ref _next, _count);
        }
    }
}
