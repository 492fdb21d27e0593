namespace Llama2.Testing;

/// <summary>Counts what warmed-up code allocates.</summary>
public static class Allocations
{
    /// <summary>Bytes that an action allocates on this thread once it is warm: the least of many rounds.</summary>
    /// <remarks>
    /// A collection may empty the array pools in any round, and the generic code of the framework boxes until its optimised version is compiled in
    /// the background; so it waits, some seconds at most, for a round without allocations.
    /// </remarks>
    public static long Of(Action action)
    {
        long least = long.MaxValue;
        for (int round = 0; round < 100 && least > 0; round++)
        {
            if (round > 5)
            {
                Thread.Sleep(50);
            }

            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
