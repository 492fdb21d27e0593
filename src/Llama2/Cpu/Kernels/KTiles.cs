using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>Products of K-quants with up to eight inputs: for each group of columns an exact integer sum, then one or two fused multiply-adds.</summary>
/// <remarks>
/// A weight is scale · (q − offset), or with a minimum scale · (q − offset) + (offset · scale − minimum). What is in the last brackets meets the
/// sum of the inputs, which all rows share. Scales and minima are multiplied out, exactly and once for all inputs. The order is that of the
/// columns, so the bits are the same with every instruction set and for any number of inputs.
/// </remarks>
internal static unsafe class KTiles
{
    /// <summary>Bytes before the scales of a superblock: [16] raised halves d and [16] raised halves −dmin.</summary>
    public const int ScalesAt = 2 * PanelRows * sizeof(ushort);

    /// <summary>Bytes before the weights: the halves, [groups, 16] scales and [groups, 16] minima.</summary>
    public const int HeadBytes = ScalesAt + 16 * PanelRows;

    private const int PanelRows = 16;
    private const int LineBytes = 4 * PanelRows;                              // of 16 rows and 4 columns of bytes, or 8 columns of nibbles

    /// <summary>Bytes of 256 columns of 16 rows; every register of weights begins at a multiple of 64.</summary>
    public static int SuperblockBytes<TWeights>()
        where TWeights : struct, IKWeights => HeadBytes + TWeights.Groups * (TWeights.NibbleLines + (TWeights.UpperBits > 0 ? 1 : 0)) * LineBytes;

    /// <summary>One register of rows.</summary>
    /// <param name="panel">
    /// The first superblock: a head, and of each group [columns ÷ 8, 16 rows, 4 columns] bytes of nibbles (the low ones are a group of four
    /// columns, the high ones the next) and behind them, if there are any, [16 rows, 4 columns] bytes of the bits above, from the lowest in that order.
    /// </param>
    /// <param name="row">The first row of the panel, from 0 to 15.</param>
    /// <param name="input">The inputs.</param>
    /// <param name="superblocks">Superblocks of 256 columns.</param>
    /// <param name="panels">Panels of 16 rows, one behind the other; several only where a register holds all rows of one.</param>
    /// <param name="sums">[inputs, <paramref name="stride"/>], of each panel 16 sums behind those of the one before.</param>
    /// <param name="stride">Distance of two inputs' sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TRows, TWeights, TBytes, TFloats, TAhead>(byte* panel, int row, ByteTile input, int superblocks, int panels, float* sums, int stride)
        where TRows : struct, ITileRows
        where TWeights : struct, IKWeights
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        int offset = 8 << TWeights.UpperBits;
        byte mask = (byte)(offset * 2 - 16);                                  // of the upper bits, in their place
        for (; panels > 0; panels--, sums += PanelRows)
        {
            TFloats f0 = default, f1 = default, f2 = default, f3 = default, f4 = default, f5 = default, f6 = default, f7 = default;
            sbyte* x = input.Values;
            float* xScales = input.Scales, xSums = input.Sums;
            int* starts = input.Starts(offset);
            for (int superblock = 0; superblock < superblocks; superblock++)
            {
                ushort* halves = (ushort*)panel + row;
                sbyte* scales = (sbyte*)panel + ScalesAt + row;
                byte* weights = panel + HeadBytes + 4 * row;
                for (int line = 0; line < HeadBytes; line += LineBytes)
                {
                    default(TAhead).Of(panel + line);
                }

                TFloats d = TFloats.LoadRaisedHalves(halves), least = TWeights.HasMinima ? TFloats.LoadRaisedHalves(halves + PanelRows) : default;
                for (int group = 0; group < TWeights.Groups; group++)
                {
                    TBytes s0 = TBytes.Start(starts[0]);
                    TBytes s1 = TRows.Count > 1 ? TBytes.Start(starts[1]) : default;
                    TBytes s2 = TRows.Count > 2 ? TBytes.Start(starts[2]) : default;
                    TBytes s3 = TRows.Count > 3 ? TBytes.Start(starts[3]) : default;
                    TBytes s4 = TRows.Count > 4 ? TBytes.Start(starts[4]) : default;
                    TBytes s5 = TRows.Count > 5 ? TBytes.Start(starts[5]) : default;
                    TBytes s6 = TRows.Count > 6 ? TBytes.Start(starts[6]) : default;
                    TBytes s7 = TRows.Count > 7 ? TBytes.Start(starts[7]) : default;
                    TBytes upper = TWeights.UpperBits > 0 ? TBytes.Load(weights + TWeights.NibbleLines * LineBytes) : default;
                    for (int line = 0; line < TWeights.NibbleLines; line++)
                    {
                        TBytes both = TBytes.Load(weights);
                        TBytes w = TBytes.LowNibbles(both);
                        w = TWeights.UpperBits > 0 ? TBytes.WithUpper(w, upper, 4, mask) : w;
                        s0 = TBytes.Add(s0, w, TBytes.Broadcast(x));
                        s1 = TRows.Count > 1 ? TBytes.Add(s1, w, TBytes.Broadcast(x + 4)) : s1;
                        s2 = TRows.Count > 2 ? TBytes.Add(s2, w, TBytes.Broadcast(x + 8)) : s2;
                        s3 = TRows.Count > 3 ? TBytes.Add(s3, w, TBytes.Broadcast(x + 12)) : s3;
                        s4 = TRows.Count > 4 ? TBytes.Add(s4, w, TBytes.Broadcast(x + 16)) : s4;
                        s5 = TRows.Count > 5 ? TBytes.Add(s5, w, TBytes.Broadcast(x + 20)) : s5;
                        s6 = TRows.Count > 6 ? TBytes.Add(s6, w, TBytes.Broadcast(x + 24)) : s6;
                        s7 = TRows.Count > 7 ? TBytes.Add(s7, w, TBytes.Broadcast(x + 28)) : s7;
                        x += 4 * TRows.Count;
                        w = TBytes.HighNibbles(both);
                        w = TWeights.UpperBits > 0 ? TBytes.WithUpper(w, upper, 4 - TWeights.UpperBits, mask) : w;
                        s0 = TBytes.Add(s0, w, TBytes.Broadcast(x));
                        s1 = TRows.Count > 1 ? TBytes.Add(s1, w, TBytes.Broadcast(x + 4)) : s1;
                        s2 = TRows.Count > 2 ? TBytes.Add(s2, w, TBytes.Broadcast(x + 8)) : s2;
                        s3 = TRows.Count > 3 ? TBytes.Add(s3, w, TBytes.Broadcast(x + 12)) : s3;
                        s4 = TRows.Count > 4 ? TBytes.Add(s4, w, TBytes.Broadcast(x + 16)) : s4;
                        s5 = TRows.Count > 5 ? TBytes.Add(s5, w, TBytes.Broadcast(x + 20)) : s5;
                        s6 = TRows.Count > 6 ? TBytes.Add(s6, w, TBytes.Broadcast(x + 24)) : s6;
                        s7 = TRows.Count > 7 ? TBytes.Add(s7, w, TBytes.Broadcast(x + 28)) : s7;
                        x += 4 * TRows.Count;
                        upper = TWeights.UpperBits > 0 ? TBytes.ShiftRight(upper, 2 * TWeights.UpperBits) : upper;
                        default(TAhead).Of(weights);
                        weights += LineBytes;
                    }

                    TFloats scale = TFloats.Multiply(d, TFloats.LoadBytes(scales));
                    f0 = TFloats.MultiplyAdd(TBytes.ToFloats(s0), TFloats.Multiply(scale, TFloats.Broadcast(xScales[0])), f0);
                    f1 = TRows.Count > 1 ? TFloats.MultiplyAdd(TBytes.ToFloats(s1), TFloats.Multiply(scale, TFloats.Broadcast(xScales[1])), f1) : f1;
                    f2 = TRows.Count > 2 ? TFloats.MultiplyAdd(TBytes.ToFloats(s2), TFloats.Multiply(scale, TFloats.Broadcast(xScales[2])), f2) : f2;
                    f3 = TRows.Count > 3 ? TFloats.MultiplyAdd(TBytes.ToFloats(s3), TFloats.Multiply(scale, TFloats.Broadcast(xScales[3])), f3) : f3;
                    f4 = TRows.Count > 4 ? TFloats.MultiplyAdd(TBytes.ToFloats(s4), TFloats.Multiply(scale, TFloats.Broadcast(xScales[4])), f4) : f4;
                    f5 = TRows.Count > 5 ? TFloats.MultiplyAdd(TBytes.ToFloats(s5), TFloats.Multiply(scale, TFloats.Broadcast(xScales[5])), f5) : f5;
                    f6 = TRows.Count > 6 ? TFloats.MultiplyAdd(TBytes.ToFloats(s6), TFloats.Multiply(scale, TFloats.Broadcast(xScales[6])), f6) : f6;
                    f7 = TRows.Count > 7 ? TFloats.MultiplyAdd(TBytes.ToFloats(s7), TFloats.Multiply(scale, TFloats.Broadcast(xScales[7])), f7) : f7;
                    if (TWeights.HasMinima)
                    {
                        TFloats minimum = TFloats.Multiply(least, TFloats.LoadBytes(scales + TWeights.Groups * PanelRows));
                        TFloats added = TFloats.MultiplyAdd(scale, TFloats.Broadcast(offset), minimum);
                        f0 = TFloats.MultiplyAdd(added, TFloats.Broadcast(xSums[0]), f0);
                        f1 = TRows.Count > 1 ? TFloats.MultiplyAdd(added, TFloats.Broadcast(xSums[1]), f1) : f1;
                        f2 = TRows.Count > 2 ? TFloats.MultiplyAdd(added, TFloats.Broadcast(xSums[2]), f2) : f2;
                        f3 = TRows.Count > 3 ? TFloats.MultiplyAdd(added, TFloats.Broadcast(xSums[3]), f3) : f3;
                        f4 = TRows.Count > 4 ? TFloats.MultiplyAdd(added, TFloats.Broadcast(xSums[4]), f4) : f4;
                        f5 = TRows.Count > 5 ? TFloats.MultiplyAdd(added, TFloats.Broadcast(xSums[5]), f5) : f5;
                        f6 = TRows.Count > 6 ? TFloats.MultiplyAdd(added, TFloats.Broadcast(xSums[6]), f6) : f6;
                        f7 = TRows.Count > 7 ? TFloats.MultiplyAdd(added, TFloats.Broadcast(xSums[7]), f7) : f7;
                    }

                    if (TWeights.UpperBits > 0)
                    {
                        default(TAhead).Of(weights);
                        weights += LineBytes;
                    }

                    starts += TRows.Count;
                    scales += PanelRows;
                    if (TWeights.HasMinima || group % 2 == 1)                     // two groups of 16 columns share a block of the inputs
                    {
                        xScales += TRows.Count;
                        xSums += TRows.Count;
                    }
                }

                panel += SuperblockBytes<TWeights>();
            }

            TileSums.Store<TRows, TFloats>(f0, f1, f2, f3, f4, f5, f6, f7, sums + row, stride);
        }
    }
}
