using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>The end of every kernel.</summary>
internal static unsafe class TileSums
{
    /// <summary>Stores one register for each input of a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TRows, TFloats>(TFloats s0, TFloats s1, TFloats s2, TFloats s3, TFloats s4, TFloats s5, TFloats s6, TFloats s7, float* sums, int stride)
        where TRows : struct, ITileRows
        where TFloats : struct, IFloatLanes<TFloats>
    {
        TFloats.Store(s0, sums);
        if (TRows.Count > 1)
        {
            TFloats.Store(s1, sums + stride);
        }

        if (TRows.Count > 2)
        {
            TFloats.Store(s2, sums + 2 * stride);
        }

        if (TRows.Count > 3)
        {
            TFloats.Store(s3, sums + 3 * stride);
        }

        if (TRows.Count > 4)
        {
            TFloats.Store(s4, sums + 4 * stride);
        }

        if (TRows.Count > 5)
        {
            TFloats.Store(s5, sums + 5 * stride);
        }

        if (TRows.Count > 6)
        {
            TFloats.Store(s6, sums + 6 * stride);
        }

        if (TRows.Count > 7)
        {
            TFloats.Store(s7, sums + 7 * stride);
        }
    }
}
