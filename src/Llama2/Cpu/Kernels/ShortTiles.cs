using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>Products of 16-bit weights with up to six inputs: for each block of 32 columns an exact integer sum, then one fused multiply-add.</summary>
/// <remarks>
/// A stripe is 32 rows: for two blocks of columns [2, 32 rows] exponents, which the weights of a block of a row share, then for each of them [16, 32 rows, 2 columns] integers.
/// sum[m, r] = Σ over the blocks, in their order, of (Σ weight · input over the block) · (2^exponent · input scale). Nothing else enters, so the bits are the same
/// with every instruction set and for any number of inputs.
/// </remarks>
internal static unsafe class ShortTiles
{
    /// <summary>Bytes of two columns of a row.</summary>
    public const int PairBytes = 2 * sizeof(short);

    /// <summary>Bytes of two columns of all rows.</summary>
    public const int LineBytes = Rows * PairBytes;

    private const int Rows = FloatTiles.StripeRows;
    private const int BlocksOfHead = 2;                                       // whose exponents are a cache line
    private const int HeadBytes = BlocksOfHead * Rows;
    private const int BlockBytes = ShortTile.BlockLength / 2 * LineBytes;

    /// <summary>Bytes of one stripe, a multiple of 64.</summary>
    public static long StripeBytes(int columns)
    {
        long blocks = ShortTile.BlocksOf(columns);
        return blocks * BlockBytes + (blocks + BlocksOfHead - 1) / BlocksOfHead * HeadBytes;
    }

    /// <summary>Of one block: [32 rows] exponents as a single stores them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Exponents(byte* stripe, int block) =>
        stripe + (nint)(block / BlocksOfHead) * (HeadBytes + BlocksOfHead * BlockBytes) + block % BlocksOfHead * Rows;

    /// <summary>Of one block: [16, 32 rows, 2 columns] integers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Weights(byte* stripe, int block) =>
        stripe + (nint)(block / BlocksOfHead + 1) * HeadBytes + (nint)block * BlockBytes;

    /// <summary>Two registers of rows, so that each broadcast input serves both.</summary>
    /// <param name="stripe">The stripe.</param>
    /// <param name="row">The first row.</param>
    /// <param name="input">The inputs.</param>
    /// <param name="blocks">Blocks of 32 columns.</param>
    /// <param name="sums">[inputs, <paramref name="stride"/>].</param>
    /// <param name="stride">Distance of two inputs' sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TRows, TShorts, TFloats, TAhead>(byte* stripe, int row, ShortTile input, int blocks, float* sums, int stride)
        where TRows : struct, ITileRows
        where TShorts : struct, IShortLanes<TShorts, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        TFloats f0 = default, f1 = default, f2 = default, f3 = default, f4 = default, f5 = default;
        TFloats g0 = default, g1 = default, g2 = default, g3 = default, g4 = default, g5 = default;
        short* x = input.Values;
        for (int block = 0; block < blocks; block++)
        {
            byte* exponents = Exponents(stripe, block) + row, weights = Weights(stripe, block) + row * PairBytes;
            default(TAhead).Of(exponents);
            TShorts s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default;
            TShorts t0 = default, t1 = default, t2 = default, t3 = default, t4 = default, t5 = default;
            for (int pair = 0; pair < ShortTile.BlockLength / 2; pair++)
            {
                TShorts w = TShorts.Load(weights), v = TShorts.Load(weights + TFloats.Count * PairBytes);
                s0 = TShorts.Add(s0, w, TShorts.Broadcast(x));
                t0 = TShorts.Add(t0, v, TShorts.Broadcast(x));
                s1 = TRows.Count > 1 ? TShorts.Add(s1, w, TShorts.Broadcast(x + 2)) : s1;
                t1 = TRows.Count > 1 ? TShorts.Add(t1, v, TShorts.Broadcast(x + 2)) : t1;
                s2 = TRows.Count > 2 ? TShorts.Add(s2, w, TShorts.Broadcast(x + 4)) : s2;
                t2 = TRows.Count > 2 ? TShorts.Add(t2, v, TShorts.Broadcast(x + 4)) : t2;
                s3 = TRows.Count > 3 ? TShorts.Add(s3, w, TShorts.Broadcast(x + 6)) : s3;
                t3 = TRows.Count > 3 ? TShorts.Add(t3, v, TShorts.Broadcast(x + 6)) : t3;
                s4 = TRows.Count > 4 ? TShorts.Add(s4, w, TShorts.Broadcast(x + 8)) : s4;
                t4 = TRows.Count > 4 ? TShorts.Add(t4, v, TShorts.Broadcast(x + 8)) : t4;
                s5 = TRows.Count > 5 ? TShorts.Add(s5, w, TShorts.Broadcast(x + 10)) : s5;
                t5 = TRows.Count > 5 ? TShorts.Add(t5, v, TShorts.Broadcast(x + 10)) : t5;
                x += 2 * TRows.Count;
                default(TAhead).Of(weights);
                if (2 * TFloats.Count == FloatTiles.StripeRows)
                {
                    default(TAhead).Of(weights + LineBytes / 2);
                }

                weights += LineBytes;
            }

            float* xScales = input.Scales + (nint)block * TRows.Count;
            TFloats scale = TFloats.LoadPowers(exponents), scale2 = TFloats.LoadPowers(exponents + TFloats.Count);
            f0 = TFloats.MultiplyAdd(TShorts.ToFloats(s0), TFloats.Multiply(scale, TFloats.Broadcast(xScales[0])), f0);
            g0 = TFloats.MultiplyAdd(TShorts.ToFloats(t0), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[0])), g0);
            f1 = TRows.Count > 1 ? TFloats.MultiplyAdd(TShorts.ToFloats(s1), TFloats.Multiply(scale, TFloats.Broadcast(xScales[1])), f1) : f1;
            g1 = TRows.Count > 1 ? TFloats.MultiplyAdd(TShorts.ToFloats(t1), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[1])), g1) : g1;
            f2 = TRows.Count > 2 ? TFloats.MultiplyAdd(TShorts.ToFloats(s2), TFloats.Multiply(scale, TFloats.Broadcast(xScales[2])), f2) : f2;
            g2 = TRows.Count > 2 ? TFloats.MultiplyAdd(TShorts.ToFloats(t2), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[2])), g2) : g2;
            f3 = TRows.Count > 3 ? TFloats.MultiplyAdd(TShorts.ToFloats(s3), TFloats.Multiply(scale, TFloats.Broadcast(xScales[3])), f3) : f3;
            g3 = TRows.Count > 3 ? TFloats.MultiplyAdd(TShorts.ToFloats(t3), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[3])), g3) : g3;
            f4 = TRows.Count > 4 ? TFloats.MultiplyAdd(TShorts.ToFloats(s4), TFloats.Multiply(scale, TFloats.Broadcast(xScales[4])), f4) : f4;
            g4 = TRows.Count > 4 ? TFloats.MultiplyAdd(TShorts.ToFloats(t4), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[4])), g4) : g4;
            f5 = TRows.Count > 5 ? TFloats.MultiplyAdd(TShorts.ToFloats(s5), TFloats.Multiply(scale, TFloats.Broadcast(xScales[5])), f5) : f5;
            g5 = TRows.Count > 5 ? TFloats.MultiplyAdd(TShorts.ToFloats(t5), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[5])), g5) : g5;
        }

        TileSums.Store<TRows, TFloats>(f0, f1, f2, f3, f4, f5, default, default, sums, stride);
        TileSums.Store<TRows, TFloats>(g0, g1, g2, g3, g4, g5, default, default, sums + TFloats.Count, stride);
    }
}
