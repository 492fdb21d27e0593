namespace Llama2.Training;

/// <summary>Rows shared between threads.</summary>
internal static class WorkerGroupExtensions
{
    /// <summary>Calls <paramref name="body"/>(first row, count of rows) for blocks of rows, each on any thread.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="blockRows">Rows of a block; it does not depend on the number of threads, so that sums by block do not either.</param>
    /// <param name="body">The work.</param>
    public static void ForRows(this WorkerGroup workers, int rows, int blockRows, Action<int, int> body) =>
        workers.For((rows + blockRows - 1) / blockRows, (_, block) => body(block * blockRows, Math.Min(blockRows, rows - block * blockRows)));
}
