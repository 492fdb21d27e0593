namespace Llama2.Testing;

/// <summary>Counts what warmed-up code allocates.</summary>
public static class Allocations
{
    /// <summary>Bytes that an action allocates on this thread once it is warm: the least of many rounds.</summary>
    /// <remarks>
    /// A collection may empty the array pools in any round, and the generic code of the framework boxes until its optimised version is compiled in
    /// the background; so it waits, some seconds at most, for a round without allocations.
    /// </remarks>
    public static long Of(Action action) => Least(action, GC.GetAllocatedBytesForCurrentThread, 0);

    /// <summary>Bytes that the whole process allocates meanwhile, other threads and the test host included: the least of the rounds.</summary>
    public static long OfProcess(Action action) => Least(action, () => GC.GetTotalAllocatedBytes(precise: true), 1024);

    private static long Least(Action action, Func<long> allocated, long enough)
    {
        long least = long.MaxValue;
        for (int round = 0; round < 100 && least > enough; round++)
        {
            if (round > 5)
            {
                Thread.Sleep(50);
            }

            long before = allocated();
            action();
            least = Math.Min(least, allocated() - before);
        }

        return least;
    }
}
