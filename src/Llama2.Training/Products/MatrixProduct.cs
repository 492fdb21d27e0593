namespace Llama2.Training;

/// <summary>A matrix as an operand: element (i, j) is start[i · stride + j], or start[j · stride + i] where it is transposed.</summary>
internal readonly unsafe struct Operand(float* start, nint stride, bool transposed = false)
{
    public float* Start { get; } = start;

    public nint Stride { get; } = stride;

    public bool IsTransposed { get; } = transposed;

    public static Operand Transposed(float* start, nint stride) => new(start, stride, transposed: true);
}

/// <summary>Products of large single-precision matrices on all threads.</summary>
/// <remarks>
/// The depth is cut into blocks that are added one after another, rows of the result are shared between the threads: no sum depends on how
/// many threads there are. The right operand's block is packed once for all threads, the left one's by the thread that needs it.
/// One product at a time.
/// </remarks>
internal sealed unsafe class MatrixProduct(WorkerGroup workers) : IDisposable
{
    private const int BlockDepth = 384;              // a panel of 32 columns is then 48 KiB
    private const int BlockRows = 96;                // 144 KiB of the left operand, which stay in the second-level cache
    private const int BlockColumns = 2048;           // 3 MiB of the right operand, which stay in the third-level cache
    private readonly AlignedMemory _right = new((long)BlockDepth * BlockColumns * sizeof(float));
    private readonly AlignedMemory _left = new((long)workers.Threads * BlockDepth * BlockRows * sizeof(float));

    public WorkerGroup Workers => workers;

    /// <summary>c = (accumulate ? c : 0) + a · b.</summary>
    /// <param name="rows">Rows of a and c.</param>
    /// <param name="columns">Columns of b and c.</param>
    /// <param name="depth">Columns of a, rows of b.</param>
    /// <param name="a">The left operand.</param>
    /// <param name="b">The right operand.</param>
    /// <param name="c">The result.</param>
    /// <param name="stride">Distance of two rows of c.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    public void Multiply(int rows, int columns, int depth, Operand a, Operand b, float* c, nint stride, bool accumulate = false)
    {
        // Enough blocks of rows that no thread waits long for another, each of whole panels.
        int blockRows = Math.Clamp(Panels.RoundUp(rows / (4 * workers.Threads), TileKernels.Rows), TileKernels.Rows, BlockRows);
        for (int column = 0; column < columns; column += BlockColumns)
        {
            int width = Math.Min(BlockColumns, columns - column);
            for (int first = 0; first < depth; first += BlockDepth)
            {
                int length = Math.Min(BlockDepth, depth - first);
                bool add = accumulate || first > 0;
                (int panels, int left, int top) = ((width + TileKernels.Columns - 1) / TileKernels.Columns, column, first);
                workers.For(panels, (_, panel) => PackRight(b, left + panel * TileKernels.Columns, left + width, top, length, panel));
                workers.For((rows + blockRows - 1) / blockRows, (worker, block) =>
                {
                    int row = block * blockRows, height = Math.Min(blockRows, rows - row);
                    float* packed = _left.Floats + (nint)worker * BlockDepth * BlockRows;
                    PackLeft(a, row, height, top, length, packed);
                    Panels.Multiply(height, width, length, packed, _right.Floats, length, c + row * stride + left, stride, add);
                });
            }
        }
    }

    public void Dispose()
    {
        _right.Dispose();
        _left.Dispose();
    }

    private static void PackLeft(Operand a, int row, int height, int top, int length, float* panels)
    {
        if (a.IsTransposed)
        {
            Panels.PackColumns(a.Start + top * a.Stride + row, a.Stride, height, length, TileKernels.Rows, panels);
        }
        else
        {
            Panels.PackRows(a.Start + row * a.Stride + top, a.Stride, height, length, TileKernels.Rows, panels);
        }
    }

    private void PackRight(Operand b, int column, int end, int top, int length, int panel)
    {
        float* panels = _right.Floats + (nint)panel * length * TileKernels.Columns;
        int count = Math.Min(TileKernels.Columns, end - column);
        if (b.IsTransposed)
        {
            Panels.PackRows(b.Start + column * b.Stride + top, b.Stride, count, length, TileKernels.Columns, panels);
        }
        else
        {
            Panels.PackColumns(b.Start + top * b.Stride + column, b.Stride, count, length, TileKernels.Columns, panels);
        }
    }
}
