using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>Products of plain weights with up to eight inputs: one fused multiply-add per column, in their order.</summary>
/// <remarks>The bits are the same with every instruction set and for any number of inputs.</remarks>
internal static unsafe class FloatTiles
{
    /// <summary>Rows of a stripe.</summary>
    public const int StripeRows = 32;

    /// <summary>Two registers of rows: sums[m, r] += Σ weights[c, r] · inputs[m, c].</summary>
    /// <param name="weights">The first of the rows: [columns, 32].</param>
    /// <param name="inputs">[inputs, <paramref name="inputStride"/>].</param>
    /// <param name="inputStride">Distance of two inputs.</param>
    /// <param name="columns">Length of a dot product.</param>
    /// <param name="stripes">Stripes, one behind the other.</param>
    /// <param name="sums">[inputs, <paramref name="stride"/>], of each stripe 32 sums behind those of the one before.</param>
    /// <param name="stride">Distance of two inputs' sums.</param>
    /// <param name="ahead">How to read ahead.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add<TRows, TWeights, TFloats, TAhead>(byte* weights, float* inputs, nint inputStride, int columns, int stripes, float* sums, int stride, TAhead ahead)
        where TRows : struct, ITileRows
        where TWeights : struct, IPlainWeights
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        nint offset2 = 2 * inputStride, offset3 = 3 * inputStride, offset4 = 4 * inputStride, offset5 = 5 * inputStride, offset6 = 6 * inputStride, offset7 = 7 * inputStride;
        for (; stripes > 0; stripes--, sums += StripeRows)
        {
            TFloats s0 = TFloats.Load(sums);
            TFloats t0 = TFloats.Load(sums + TFloats.Count);
            TFloats s1 = TRows.Count > 1 ? TFloats.Load(sums + stride) : default;
            TFloats t1 = TRows.Count > 1 ? TFloats.Load(sums + stride + TFloats.Count) : default;
            TFloats s2 = TRows.Count > 2 ? TFloats.Load(sums + 2 * stride) : default;
            TFloats t2 = TRows.Count > 2 ? TFloats.Load(sums + 2 * stride + TFloats.Count) : default;
            TFloats s3 = TRows.Count > 3 ? TFloats.Load(sums + 3 * stride) : default;
            TFloats t3 = TRows.Count > 3 ? TFloats.Load(sums + 3 * stride + TFloats.Count) : default;
            TFloats s4 = TRows.Count > 4 ? TFloats.Load(sums + 4 * stride) : default;
            TFloats t4 = TRows.Count > 4 ? TFloats.Load(sums + 4 * stride + TFloats.Count) : default;
            TFloats s5 = TRows.Count > 5 ? TFloats.Load(sums + 5 * stride) : default;
            TFloats t5 = TRows.Count > 5 ? TFloats.Load(sums + 5 * stride + TFloats.Count) : default;
            TFloats s6 = TRows.Count > 6 ? TFloats.Load(sums + 6 * stride) : default;
            TFloats t6 = TRows.Count > 6 ? TFloats.Load(sums + 6 * stride + TFloats.Count) : default;
            TFloats s7 = TRows.Count > 7 ? TFloats.Load(sums + 7 * stride) : default;
            TFloats t7 = TRows.Count > 7 ? TFloats.Load(sums + 7 * stride + TFloats.Count) : default;
            float* xs = inputs;
            for (int column = 0; column < columns; column++)
            {
                TFloats w = TWeights.Load<TFloats>(weights), v = TWeights.Load<TFloats>(weights + TFloats.Count * TWeights.Size), x;
                x = TFloats.Broadcast(*xs);
                s0 = TFloats.MultiplyAdd(w, x, s0);
                t0 = TFloats.MultiplyAdd(v, x, t0);
                x = TRows.Count > 1 ? TFloats.Broadcast(xs[inputStride]) : default;
                s1 = TRows.Count > 1 ? TFloats.MultiplyAdd(w, x, s1) : s1;
                t1 = TRows.Count > 1 ? TFloats.MultiplyAdd(v, x, t1) : t1;
                x = TRows.Count > 2 ? TFloats.Broadcast(xs[offset2]) : default;
                s2 = TRows.Count > 2 ? TFloats.MultiplyAdd(w, x, s2) : s2;
                t2 = TRows.Count > 2 ? TFloats.MultiplyAdd(v, x, t2) : t2;
                x = TRows.Count > 3 ? TFloats.Broadcast(xs[offset3]) : default;
                s3 = TRows.Count > 3 ? TFloats.MultiplyAdd(w, x, s3) : s3;
                t3 = TRows.Count > 3 ? TFloats.MultiplyAdd(v, x, t3) : t3;
                x = TRows.Count > 4 ? TFloats.Broadcast(xs[offset4]) : default;
                s4 = TRows.Count > 4 ? TFloats.MultiplyAdd(w, x, s4) : s4;
                t4 = TRows.Count > 4 ? TFloats.MultiplyAdd(v, x, t4) : t4;
                x = TRows.Count > 5 ? TFloats.Broadcast(xs[offset5]) : default;
                s5 = TRows.Count > 5 ? TFloats.MultiplyAdd(w, x, s5) : s5;
                t5 = TRows.Count > 5 ? TFloats.MultiplyAdd(v, x, t5) : t5;
                x = TRows.Count > 6 ? TFloats.Broadcast(xs[offset6]) : default;
                s6 = TRows.Count > 6 ? TFloats.MultiplyAdd(w, x, s6) : s6;
                t6 = TRows.Count > 6 ? TFloats.MultiplyAdd(v, x, t6) : t6;
                x = TRows.Count > 7 ? TFloats.Broadcast(xs[offset7]) : default;
                s7 = TRows.Count > 7 ? TFloats.MultiplyAdd(w, x, s7) : s7;
                t7 = TRows.Count > 7 ? TFloats.MultiplyAdd(v, x, t7) : t7;
                ahead.Of(weights);
                if (TWeights.Size > sizeof(ushort))
                {
                    ahead.Of(weights + StripeRows * sizeof(ushort));
                }

                weights += StripeRows * TWeights.Size;
                xs++;
            }

            TileSums.Store<TRows, TFloats>(s0, s1, s2, s3, s4, s5, s6, s7, sums, stride);
            TileSums.Store<TRows, TFloats>(t0, t1, t2, t3, t4, t5, t6, t7, sums + TFloats.Count, stride);
        }
    }
}
