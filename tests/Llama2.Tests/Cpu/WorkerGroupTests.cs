namespace Llama2.Tests;

public class WorkerGroupTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void For_ManyJobs_EveryItemOnce(int threads)
    {
        using var workers = new WorkerGroup(threads);
        for (int job = 0; job < 2000; job++)
        {
            int[] seen = new int[job % 50];
            workers.For(seen.Length, (worker, item) =>
            {
                Assert.InRange(worker, 0, threads - 1);
                Interlocked.Increment(ref seen[item]);
            });
            Assert.All(seen, count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void For_AfterAPause_WakesTheSleepers()
    {
        using var workers = new WorkerGroup(3);
        for (int job = 0; job < 5; job++)
        {
            Thread.Sleep(20);
            int sum = 0;
            workers.For(100, (_, item) => Interlocked.Add(ref sum, item));
            Assert.Equal(4950, sum);
        }
    }

    [Fact]
    public void For_AnotherTakesLong_WakesTheCaller()
    {
        using var workers = new WorkerGroup(2);
        for (int job = 0; job < 5; job++)
        {
            int slept = 0;
            using var begun = new ManualResetEventSlim();
            workers.For(2, (worker, _) =>
            {
                if (worker == 0)
                {
                    begun.Set();
                    Thread.Sleep(20);                                         // much longer than the caller spins
                    Interlocked.Increment(ref slept);
                }
                else
                {
                    begun.Wait();
                }
            });
            Assert.NotEqual(0, slept);
        }
    }

    [Fact]
    public void ForRanges_ManyJobs_EveryItemOnce()
    {
        using var workers = new WorkerGroup(3);
        for (int job = 0; job < 500; job++)
        {
            int[] seen = new int[job];
            workers.ForRanges(seen.Length, (_, first, end) =>
            {
                Assert.True(first < end);
                for (; first < end; first++)
                {
                    Interlocked.Increment(ref seen[first]);
                }
            });
            Assert.All(seen, count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void For_OthersTakeEveryProcessor_StillEnds()
    {
        using var workers = new WorkerGroup(Environment.ProcessorCount);
        bool stop = false;
        Thread[] others = [.. Enumerable.Range(0, 2 * Environment.ProcessorCount).Select(_ => new Thread(() =>
        {
            while (!Volatile.Read(ref stop))
            {
            }
        }))];
        Array.ForEach(others, thread => thread.Start());
        try
        {
            for (int job = 0; job < 100; job++)
            {
                int sum = 0;
                workers.For(64, (_, item) => Interlocked.Add(ref sum, item));
                Assert.Equal(2016, sum);
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            Array.ForEach(others, thread => thread.Join());
        }
    }

    [Fact]
    public void For_ItemThrows_ThrowsThatAndStaysUsable()
    {
        using var workers = new WorkerGroup(3);
        Assert.Throws<FormatException>(() => workers.For(100, (_, item) =>
        {
            if (item == 57)
            {
                throw new FormatException();
            }
        }));
        int sum = 0;
        workers.For(100, (_, item) => Interlocked.Add(ref sum, item));
        Assert.Equal(4950, sum);
    }

    [Fact]
    public void Dispose_EndsTheThreads()
    {
        var workers = new WorkerGroup(3);
        workers.For(10, (_, _) => { });
        workers.Dispose();
        workers.Dispose();
        Assert.Throws<ObjectDisposedException>(() => workers.For(1, (_, _) => { }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerGroup(0));
    }
}
