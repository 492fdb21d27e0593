using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Llama2.Training;

/// <summary>Packs operands into panels and multiplies packed panels, on one thread.</summary>
/// <remarks>
/// A panel holds a number of lanes (12 rows of the left operand, 32 columns of the right one) as [depth, lanes]; the last one is filled up
/// with zeros. Packing is what makes the tile kernel fast: rows a power of two apart would fall into one set of the cache.
/// </remarks>
internal static unsafe class Panels
{
    /// <summary>Rounds up to whole panels.</summary>
    public static int RoundUp(int count, int lanes) => (count + lanes - 1) / lanes * lanes;

    /// <summary>Packs lanes that are the rows of the source: element (lane, p) is source[lane · stride + p].</summary>
    public static void PackRows(float* source, nint stride, int count, int depth, int lanes, float* panels)
    {
        for (int first = 0; first < count; first += lanes, panels += (nint)depth * lanes)
        {
            int filled = Math.Min(lanes, count - first), lane = 0;
            for (; lane + 4 <= filled; lane += 4)
            {
                Transpose(source + (first + lane) * stride, stride, depth, lanes, panels + lane);
            }

            for (; lane < lanes; lane++)
            {
                float* row = source + (first + lane) * stride;
                for (int p = 0; p < depth; p++)
                {
                    panels[(nint)p * lanes + lane] = lane < filled ? row[p] : 0;
                }
            }
        }
    }

    /// <summary>Packs lanes that are the columns of the source: element (lane, p) is source[p · stride + lane].</summary>
    public static void PackColumns(float* source, nint stride, int count, int depth, int lanes, float* panels)
    {
        int full = count / lanes * lanes;
        for (int p = 0; p < depth; p++, source += stride)
        {
            float* to = panels + (nint)p * lanes;
            for (int lane = 0; lane < full; lane += lanes, to += (nint)depth * lanes)
            {
                Copy(source + lane, to, lanes);
            }

            if (full < count)
            {
                new Span<float>(to, lanes).Clear();
                new ReadOnlySpan<float>(source + full, count - full).CopyTo(new Span<float>(to, lanes));
            }
        }
    }

    /// <summary>c[i, j] = (accumulate ? c[i, j] : 0) + Σ a[i, p] · b[p, j] over packed operands.</summary>
    /// <param name="rows">Rows of c.</param>
    /// <param name="columns">Columns of c.</param>
    /// <param name="depth">Length of the sums.</param>
    /// <param name="a">Panels of 12 rows.</param>
    /// <param name="b">Panels of 32 columns.</param>
    /// <param name="panelDepth">The depth that b's panels were packed with; a sum may stop earlier.</param>
    /// <param name="c">The result.</param>
    /// <param name="stride">Distance of two rows of c.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    public static void Multiply(int rows, int columns, int depth, float* a, float* b, int panelDepth, float* c, nint stride, bool accumulate)
    {
        float* edge = stackalloc float[TileKernels.Rows * TileKernels.Columns];
        for (int column = 0; column < columns; column += TileKernels.Columns, b += (nint)panelDepth * TileKernels.Columns)
        {
            int width = Math.Min(TileKernels.Columns, columns - column);
            float* panel = a;
            for (int row = 0; row < rows; row += TileKernels.Rows, panel += (nint)depth * TileKernels.Rows)
            {
                int height = Math.Min(TileKernels.Rows, rows - row);
                float* target = c + row * stride + column;
                if (width == TileKernels.Columns && height == TileKernels.Rows)
                {
                    TileKernels.Multiply(depth, panel, b, target, stride, accumulate);
                }
                else
                {
                    TileKernels.Multiply(depth, panel, b, edge, TileKernels.Columns, accumulate: false);
                    CopyEdge(edge, height, width, target, stride, accumulate);
                }
            }
        }
    }

    private static void CopyEdge(float* edge, int height, int width, float* c, nint stride, bool accumulate)
    {
        for (int row = 0; row < height; row++, edge += TileKernels.Columns, c += stride)
        {
            for (int column = 0; column < width; column++)
            {
                c[column] = accumulate ? edge[column] + c[column] : edge[column];
            }
        }
    }

    /// <summary>Four rows of the source become four neighbouring lanes, four elements at a time.</summary>
    private static void Transpose(float* source, nint stride, int depth, int lanes, float* to)
    {
        float* row1 = source + stride, row2 = row1 + stride, row3 = row2 + stride;
        int p = 0;
        for (; p + 4 <= depth; p += 4, to += 4 * lanes)
        {
            Vector128<float> x0 = Vector128.Load(source + p), x1 = Vector128.Load(row1 + p), x2 = Vector128.Load(row2 + p), x3 = Vector128.Load(row3 + p);
            (Vector128<float> low02, Vector128<float> high02) = Interleave(x0, x2);
            (Vector128<float> low13, Vector128<float> high13) = Interleave(x1, x3);
            (Vector128<float> first, Vector128<float> second) = Interleave(low02, low13);
            (Vector128<float> third, Vector128<float> fourth) = Interleave(high02, high13);
            first.Store(to);
            second.Store(to + lanes);
            third.Store(to + 2 * lanes);
            fourth.Store(to + 3 * lanes);
        }

        for (; p < depth; p++, to += lanes)
        {
            (to[0], to[1], to[2], to[3]) = (source[p], row1[p], row2[p], row3[p]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<float> Low, Vector128<float> High) Interleave(Vector128<float> x, Vector128<float> y) =>
        Sse.IsSupported
            ? (Sse.UnpackLow(x, y), Sse.UnpackHigh(x, y))
            : (Vector128.Create(x[0], y[0], x[1], y[1]), Vector128.Create(x[2], y[2], x[3], y[3]));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(float* from, float* to, int count)
    {
        for (int i = 0; i < count; i += 4)                       // 12 and 32 are multiples of 4
        {
            Vector128.Load(from + i).Store(to + i);
        }
    }
}
