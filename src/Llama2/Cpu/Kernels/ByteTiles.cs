using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>Products of integer weights with up to eight inputs, of 8 bits in two registers with up to six: for each block of 32 columns an exact integer sum, then one fused multiply-add.</summary>
/// <remarks>
/// sum[m, r] = Σ over the blocks, in their order, of (Σ weight · input over the block) · (weight scale · input scale). Nothing else enters, so
/// the bits are the same with every instruction set and for any number of inputs. The methods are compiled once and for good: the first token
/// should not wait for a second compilation.
/// </remarks>
internal static unsafe class ByteTiles
{
    private const int PanelRows = 16;
    private const int LineBytes = 4 * PanelRows;                              // of 16 rows and 4 columns of bytes, or 8 columns of nibbles
    private const int ScaleBytes = PanelRows * sizeof(ushort);
    private const int ByteBlock = PanelRows * ByteTile.BlockLength + ScaleBytes;

    /// <summary>One register of rows, weights of 4 bits, or of 8 where a dot product of bytes is one instruction.</summary>
    /// <param name="weights">Of the first block: [4, 16 rows, 4 columns] bytes; the low nibbles are a group of columns, the high ones the next. Or [8, 16 rows, 4 columns] bytes.</param>
    /// <param name="scales">[16] raised halves behind the weights of each block.</param>
    /// <param name="input">The inputs.</param>
    /// <param name="blocks">Blocks of 32 columns.</param>
    /// <param name="panels">Panels of 16 rows, one behind the other; several only where a register holds all rows of one.</param>
    /// <param name="sums">[inputs, <paramref name="stride"/>], of each panel 16 sums behind those of the one before.</param>
    /// <param name="stride">Distance of two inputs' sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OneRegister<TRows, TWeights, TBytes, TFloats, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, int panels, float* sums, int stride)
        where TRows : struct, ITileRows
        where TWeights : struct, IBlockWeights
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (; panels > 0; panels--, sums += PanelRows)
        {
            TFloats f0 = default, f1 = default, f2 = default, f3 = default, f4 = default, f5 = default, f6 = default, f7 = default;
            sbyte* x = input.Values;
            int* starts = input.Starts(TWeights.Offset);
            for (int block = 0; block < blocks; block++)
            {
                int* start = starts + (nint)block * TRows.Count;
                TBytes s0 = TWeights.Start<TBytes, TFloats>(start[0]);
                TBytes s1 = TRows.Count > 1 ? TWeights.Start<TBytes, TFloats>(start[1]) : default;
                TBytes s2 = TRows.Count > 2 ? TWeights.Start<TBytes, TFloats>(start[2]) : default;
                TBytes s3 = TRows.Count > 3 ? TWeights.Start<TBytes, TFloats>(start[3]) : default;
                TBytes s4 = TRows.Count > 4 ? TWeights.Start<TBytes, TFloats>(start[4]) : default;
                TBytes s5 = TRows.Count > 5 ? TWeights.Start<TBytes, TFloats>(start[5]) : default;
                TBytes s6 = TRows.Count > 6 ? TWeights.Start<TBytes, TFloats>(start[6]) : default;
                TBytes s7 = TRows.Count > 7 ? TWeights.Start<TBytes, TFloats>(start[7]) : default;
                for (int two = 0; two < 4; two++)
                {
                    (TBytes w, TBytes next) = TWeights.Load<TBytes, TFloats>(weights);
                    s0 = TBytes.Add(s0, w, TBytes.Broadcast(x));
                    s1 = TRows.Count > 1 ? TBytes.Add(s1, w, TBytes.Broadcast(x + 4)) : s1;
                    s2 = TRows.Count > 2 ? TBytes.Add(s2, w, TBytes.Broadcast(x + 8)) : s2;
                    s3 = TRows.Count > 3 ? TBytes.Add(s3, w, TBytes.Broadcast(x + 12)) : s3;
                    s4 = TRows.Count > 4 ? TBytes.Add(s4, w, TBytes.Broadcast(x + 16)) : s4;
                    s5 = TRows.Count > 5 ? TBytes.Add(s5, w, TBytes.Broadcast(x + 20)) : s5;
                    s6 = TRows.Count > 6 ? TBytes.Add(s6, w, TBytes.Broadcast(x + 24)) : s6;
                    s7 = TRows.Count > 7 ? TBytes.Add(s7, w, TBytes.Broadcast(x + 28)) : s7;
                    w = next;
                    x += 4 * TRows.Count;
                    s0 = TBytes.Add(s0, w, TBytes.Broadcast(x));
                    s1 = TRows.Count > 1 ? TBytes.Add(s1, w, TBytes.Broadcast(x + 4)) : s1;
                    s2 = TRows.Count > 2 ? TBytes.Add(s2, w, TBytes.Broadcast(x + 8)) : s2;
                    s3 = TRows.Count > 3 ? TBytes.Add(s3, w, TBytes.Broadcast(x + 12)) : s3;
                    s4 = TRows.Count > 4 ? TBytes.Add(s4, w, TBytes.Broadcast(x + 16)) : s4;
                    s5 = TRows.Count > 5 ? TBytes.Add(s5, w, TBytes.Broadcast(x + 20)) : s5;
                    s6 = TRows.Count > 6 ? TBytes.Add(s6, w, TBytes.Broadcast(x + 24)) : s6;
                    s7 = TRows.Count > 7 ? TBytes.Add(s7, w, TBytes.Broadcast(x + 28)) : s7;
                    x += 4 * TRows.Count;
                    default(TAhead).Of(weights);
                    if (TWeights.Lines > 1)
                    {
                        default(TAhead).Of(weights + LineBytes);
                    }

                    weights += TWeights.Lines * LineBytes;
                }

                float* xScales = input.Scales + (nint)block * TRows.Count;
                default(TAhead).Of((byte*)scales);                                         // blocks are no whole number of lines
                TFloats scale = TFloats.LoadRaisedHalves(scales);
                scales += (4 * TWeights.Lines * LineBytes + ScaleBytes) / sizeof(ushort);
                weights += ScaleBytes;
                f0 = TFloats.MultiplyAdd(TBytes.ToFloats(s0), TFloats.Multiply(scale, TFloats.Broadcast(xScales[0])), f0);
                f1 = TRows.Count > 1 ? TFloats.MultiplyAdd(TBytes.ToFloats(s1), TFloats.Multiply(scale, TFloats.Broadcast(xScales[1])), f1) : f1;
                f2 = TRows.Count > 2 ? TFloats.MultiplyAdd(TBytes.ToFloats(s2), TFloats.Multiply(scale, TFloats.Broadcast(xScales[2])), f2) : f2;
                f3 = TRows.Count > 3 ? TFloats.MultiplyAdd(TBytes.ToFloats(s3), TFloats.Multiply(scale, TFloats.Broadcast(xScales[3])), f3) : f3;
                f4 = TRows.Count > 4 ? TFloats.MultiplyAdd(TBytes.ToFloats(s4), TFloats.Multiply(scale, TFloats.Broadcast(xScales[4])), f4) : f4;
                f5 = TRows.Count > 5 ? TFloats.MultiplyAdd(TBytes.ToFloats(s5), TFloats.Multiply(scale, TFloats.Broadcast(xScales[5])), f5) : f5;
                f6 = TRows.Count > 6 ? TFloats.MultiplyAdd(TBytes.ToFloats(s6), TFloats.Multiply(scale, TFloats.Broadcast(xScales[6])), f6) : f6;
                f7 = TRows.Count > 7 ? TFloats.MultiplyAdd(TBytes.ToFloats(s7), TFloats.Multiply(scale, TFloats.Broadcast(xScales[7])), f7) : f7;
            }

            TileSums.Store<TRows, TFloats>(f0, f1, f2, f3, f4, f5, f6, f7, sums, stride);
        }
    }

    /// <summary>One register of rows, weights of 8 bits, each taken as two nibbles: for processors whose byte products would not fit their sums.</summary>
    /// <param name="weights">Of the first block: [8, 16 rows, 4 columns] bytes.</param>
    /// <param name="scales">[16] raised halves behind the weights of each block.</param>
    /// <param name="input">The inputs.</param>
    /// <param name="blocks">Blocks of 32 columns.</param>
    /// <param name="sums">[inputs, <paramref name="stride"/>].</param>
    /// <param name="stride">Distance of two inputs' sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void BytesAsNibbles<TRows, TBytes, TFloats, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums, int stride)
        where TRows : struct, ITileRows
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        TFloats f0 = default, f1 = default, f2 = default, f3 = default, f4 = default, f5 = default;
        sbyte* x = input.Values;
        int* starts = input.Starts(8);
        for (int block = 0; block < blocks; block++)
        {
            int* start = starts + (nint)block * TRows.Count;
            TBytes l0 = default, l1 = default, l2 = default, l3 = default, l4 = default, l5 = default;
            TBytes h0 = TBytes.Start(start[0]);
            TBytes h1 = TRows.Count > 1 ? TBytes.Start(start[1]) : default;
            TBytes h2 = TRows.Count > 2 ? TBytes.Start(start[2]) : default;
            TBytes h3 = TRows.Count > 3 ? TBytes.Start(start[3]) : default;
            TBytes h4 = TRows.Count > 4 ? TBytes.Start(start[4]) : default;
            TBytes h5 = TRows.Count > 5 ? TBytes.Start(start[5]) : default;
            for (int group = 0; group < 8; group++)
            {
                TBytes both = TBytes.Load(weights);
                TBytes low = TBytes.LowNibbles(both), high = TBytes.HighNibbles(both);
                l0 = TBytes.Add(l0, low, TBytes.Broadcast(x));
                h0 = TBytes.Add(h0, high, TBytes.Broadcast(x));
                l1 = TRows.Count > 1 ? TBytes.Add(l1, low, TBytes.Broadcast(x + 4)) : l1;
                h1 = TRows.Count > 1 ? TBytes.Add(h1, high, TBytes.Broadcast(x + 4)) : h1;
                l2 = TRows.Count > 2 ? TBytes.Add(l2, low, TBytes.Broadcast(x + 8)) : l2;
                h2 = TRows.Count > 2 ? TBytes.Add(h2, high, TBytes.Broadcast(x + 8)) : h2;
                l3 = TRows.Count > 3 ? TBytes.Add(l3, low, TBytes.Broadcast(x + 12)) : l3;
                h3 = TRows.Count > 3 ? TBytes.Add(h3, high, TBytes.Broadcast(x + 12)) : h3;
                l4 = TRows.Count > 4 ? TBytes.Add(l4, low, TBytes.Broadcast(x + 16)) : l4;
                h4 = TRows.Count > 4 ? TBytes.Add(h4, high, TBytes.Broadcast(x + 16)) : h4;
                l5 = TRows.Count > 5 ? TBytes.Add(l5, low, TBytes.Broadcast(x + 20)) : l5;
                h5 = TRows.Count > 5 ? TBytes.Add(h5, high, TBytes.Broadcast(x + 20)) : h5;
                x += 4 * TRows.Count;
                default(TAhead).Of(weights);
                weights += LineBytes;
            }

            float* xScales = input.Scales + (nint)block * TRows.Count;
            default(TAhead).Of((byte*)scales);                                         // blocks are no whole number of lines
            TFloats scale = TFloats.LoadRaisedHalves(scales);
            scales += ByteBlock / sizeof(ushort);
            weights += ScaleBytes;
            f0 = TFloats.MultiplyAdd(TBytes.ToFloats(l0, h0), TFloats.Multiply(scale, TFloats.Broadcast(xScales[0])), f0);
            f1 = TRows.Count > 1 ? TFloats.MultiplyAdd(TBytes.ToFloats(l1, h1), TFloats.Multiply(scale, TFloats.Broadcast(xScales[1])), f1) : f1;
            f2 = TRows.Count > 2 ? TFloats.MultiplyAdd(TBytes.ToFloats(l2, h2), TFloats.Multiply(scale, TFloats.Broadcast(xScales[2])), f2) : f2;
            f3 = TRows.Count > 3 ? TFloats.MultiplyAdd(TBytes.ToFloats(l3, h3), TFloats.Multiply(scale, TFloats.Broadcast(xScales[3])), f3) : f3;
            f4 = TRows.Count > 4 ? TFloats.MultiplyAdd(TBytes.ToFloats(l4, h4), TFloats.Multiply(scale, TFloats.Broadcast(xScales[4])), f4) : f4;
            f5 = TRows.Count > 5 ? TFloats.MultiplyAdd(TBytes.ToFloats(l5, h5), TFloats.Multiply(scale, TFloats.Broadcast(xScales[5])), f5) : f5;
        }

        TileSums.Store<TRows, TFloats>(f0, f1, f2, f3, f4, f5, default, default, sums, stride);
    }

    /// <summary>Two registers of rows, weights of 8 bits, where a dot product of bytes is one instruction: twelve sums hide how long it takes.</summary>
    /// <param name="weights">Of the first block: [8, 16 rows, 4 columns] bytes.</param>
    /// <param name="scales">[16] raised halves behind the weights of each block.</param>
    /// <param name="apart">Bytes from the weights of the first register to those of the second: in the same panel or in the next one.</param>
    /// <param name="scalesApart">Halves from the scales of the first register to those of the second.</param>
    /// <param name="input">The inputs.</param>
    /// <param name="blocks">Blocks of 32 columns.</param>
    /// <param name="sums">[inputs, <paramref name="stride"/>].</param>
    /// <param name="stride">Distance of two inputs' sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TwoRegisters<TRows, TBytes, TFloats, TAhead>(byte* weights, ushort* scales, nint apart, nint scalesApart, ByteTile input, int blocks, float* sums, int stride)
        where TRows : struct, ITileRows
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        TFloats f0 = default, f1 = default, f2 = default, f3 = default, f4 = default, f5 = default;
        TFloats g0 = default, g1 = default, g2 = default, g3 = default, g4 = default, g5 = default;
        sbyte* x = input.Values;
        int* starts = input.Starts(128);
        for (int block = 0; block < blocks; block++)
        {
            int* start = starts + (nint)block * TRows.Count;
            TBytes s0 = TBytes.StartBytes(start[0]);
            TBytes s1 = TRows.Count > 1 ? TBytes.StartBytes(start[1]) : default;
            TBytes s2 = TRows.Count > 2 ? TBytes.StartBytes(start[2]) : default;
            TBytes s3 = TRows.Count > 3 ? TBytes.StartBytes(start[3]) : default;
            TBytes s4 = TRows.Count > 4 ? TBytes.StartBytes(start[4]) : default;
            TBytes s5 = TRows.Count > 5 ? TBytes.StartBytes(start[5]) : default;
            TBytes t0 = s0, t1 = s1, t2 = s2, t3 = s3, t4 = s4, t5 = s5;
            for (int group = 0; group < 8; group++)
            {
                TBytes w = TBytes.Bytes(TBytes.Load(weights)), v = TBytes.Bytes(TBytes.Load(weights + apart));
                s0 = TBytes.Add(s0, w, TBytes.Broadcast(x));
                t0 = TBytes.Add(t0, v, TBytes.Broadcast(x));
                s1 = TRows.Count > 1 ? TBytes.Add(s1, w, TBytes.Broadcast(x + 4)) : s1;
                t1 = TRows.Count > 1 ? TBytes.Add(t1, v, TBytes.Broadcast(x + 4)) : t1;
                s2 = TRows.Count > 2 ? TBytes.Add(s2, w, TBytes.Broadcast(x + 8)) : s2;
                t2 = TRows.Count > 2 ? TBytes.Add(t2, v, TBytes.Broadcast(x + 8)) : t2;
                s3 = TRows.Count > 3 ? TBytes.Add(s3, w, TBytes.Broadcast(x + 12)) : s3;
                t3 = TRows.Count > 3 ? TBytes.Add(t3, v, TBytes.Broadcast(x + 12)) : t3;
                s4 = TRows.Count > 4 ? TBytes.Add(s4, w, TBytes.Broadcast(x + 16)) : s4;
                t4 = TRows.Count > 4 ? TBytes.Add(t4, v, TBytes.Broadcast(x + 16)) : t4;
                s5 = TRows.Count > 5 ? TBytes.Add(s5, w, TBytes.Broadcast(x + 20)) : s5;
                t5 = TRows.Count > 5 ? TBytes.Add(t5, v, TBytes.Broadcast(x + 20)) : t5;
                x += 4 * TRows.Count;
                default(TAhead).Of(weights);
                if (TFloats.Count == PanelRows)
                {
                    default(TAhead).Of(weights + apart);
                }

                weights += LineBytes;
            }

            float* xScales = input.Scales + (nint)block * TRows.Count;
            default(TAhead).Of((byte*)scales);                                         // blocks are no whole number of lines
            if (TFloats.Count == PanelRows)
            {
                default(TAhead).Of((byte*)(scales + scalesApart));
            }

            TFloats scale = TFloats.LoadRaisedHalves(scales), scale2 = TFloats.LoadRaisedHalves(scales + scalesApart);
            scales += ByteBlock / sizeof(ushort);
            weights += ScaleBytes;
            f0 = TFloats.MultiplyAdd(TBytes.ToFloats(s0), TFloats.Multiply(scale, TFloats.Broadcast(xScales[0])), f0);
            g0 = TFloats.MultiplyAdd(TBytes.ToFloats(t0), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[0])), g0);
            f1 = TRows.Count > 1 ? TFloats.MultiplyAdd(TBytes.ToFloats(s1), TFloats.Multiply(scale, TFloats.Broadcast(xScales[1])), f1) : f1;
            g1 = TRows.Count > 1 ? TFloats.MultiplyAdd(TBytes.ToFloats(t1), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[1])), g1) : g1;
            f2 = TRows.Count > 2 ? TFloats.MultiplyAdd(TBytes.ToFloats(s2), TFloats.Multiply(scale, TFloats.Broadcast(xScales[2])), f2) : f2;
            g2 = TRows.Count > 2 ? TFloats.MultiplyAdd(TBytes.ToFloats(t2), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[2])), g2) : g2;
            f3 = TRows.Count > 3 ? TFloats.MultiplyAdd(TBytes.ToFloats(s3), TFloats.Multiply(scale, TFloats.Broadcast(xScales[3])), f3) : f3;
            g3 = TRows.Count > 3 ? TFloats.MultiplyAdd(TBytes.ToFloats(t3), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[3])), g3) : g3;
            f4 = TRows.Count > 4 ? TFloats.MultiplyAdd(TBytes.ToFloats(s4), TFloats.Multiply(scale, TFloats.Broadcast(xScales[4])), f4) : f4;
            g4 = TRows.Count > 4 ? TFloats.MultiplyAdd(TBytes.ToFloats(t4), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[4])), g4) : g4;
            f5 = TRows.Count > 5 ? TFloats.MultiplyAdd(TBytes.ToFloats(s5), TFloats.Multiply(scale, TFloats.Broadcast(xScales[5])), f5) : f5;
            g5 = TRows.Count > 5 ? TFloats.MultiplyAdd(TBytes.ToFloats(t5), TFloats.Multiply(scale2, TFloats.Broadcast(xScales[5])), g5) : g5;
        }

        TileSums.Store<TRows, TFloats>(f0, f1, f2, f3, f4, f5, default, default, sums, stride);
        TileSums.Store<TRows, TFloats>(g0, g1, g2, g3, g4, g5, default, default, sums + TFloats.Count, stride);
    }

    /// <summary>As <see cref="TwoRegisters"/> for a panel of 16 rows, where two registers of sums join into one of 16 floats.</summary>
    /// <remarks>The floats wait in memory between blocks, since the instruction takes its sums from the lower half of the registers only.</remarks>
    /// <param name="weights">Of the first block: [8, 16 rows, 4 columns] bytes.</param>
    /// <param name="scales">[16] raised halves behind the weights of each block.</param>
    /// <param name="input">The inputs.</param>
    /// <param name="blocks">Blocks of 32 columns.</param>
    /// <param name="sums">[inputs, <paramref name="stride"/>].</param>
    /// <param name="stride">Distance of two inputs' sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void JoinedBytes<TRows, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums, int stride)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        for (int m = 0; m < TRows.Count; m++)
        {
            Vector512<float>.Zero.Store(sums + m * stride);
        }

        sbyte* x = input.Values;
        int* starts = input.Starts(128);
        for (int block = 0; block < blocks; block++)
        {
            int* start = starts + (nint)block * TRows.Count;
            Vector256<int> s0 = Vector256.Create(start[0]);
            Vector256<int> s1 = TRows.Count > 1 ? Vector256.Create(start[1]) : default;
            Vector256<int> s2 = TRows.Count > 2 ? Vector256.Create(start[2]) : default;
            Vector256<int> s3 = TRows.Count > 3 ? Vector256.Create(start[3]) : default;
            Vector256<int> s4 = TRows.Count > 4 ? Vector256.Create(start[4]) : default;
            Vector256<int> s5 = TRows.Count > 5 ? Vector256.Create(start[5]) : default;
            Vector256<int> t0 = s0, t1 = s1, t2 = s2, t3 = s3, t4 = s4, t5 = s5;
            for (int group = 0; group < 8; group++)
            {
                Vector256<byte> w = Vector256.Load(weights), v = Vector256.Load(weights + LineBytes / 2);
                Vector256<sbyte> y = default;
                y = Vector256.Create(((int*)x)[0]).AsSByte();
                s0 = AvxVnni.MultiplyWideningAndAdd(s0, w, y);
                t0 = AvxVnni.MultiplyWideningAndAdd(t0, v, y);
                y = TRows.Count > 1 ? Vector256.Create(((int*)x)[1]).AsSByte() : y;
                s1 = TRows.Count > 1 ? AvxVnni.MultiplyWideningAndAdd(s1, w, y) : s1;
                t1 = TRows.Count > 1 ? AvxVnni.MultiplyWideningAndAdd(t1, v, y) : t1;
                y = TRows.Count > 2 ? Vector256.Create(((int*)x)[2]).AsSByte() : y;
                s2 = TRows.Count > 2 ? AvxVnni.MultiplyWideningAndAdd(s2, w, y) : s2;
                t2 = TRows.Count > 2 ? AvxVnni.MultiplyWideningAndAdd(t2, v, y) : t2;
                y = TRows.Count > 3 ? Vector256.Create(((int*)x)[3]).AsSByte() : y;
                s3 = TRows.Count > 3 ? AvxVnni.MultiplyWideningAndAdd(s3, w, y) : s3;
                t3 = TRows.Count > 3 ? AvxVnni.MultiplyWideningAndAdd(t3, v, y) : t3;
                y = TRows.Count > 4 ? Vector256.Create(((int*)x)[4]).AsSByte() : y;
                s4 = TRows.Count > 4 ? AvxVnni.MultiplyWideningAndAdd(s4, w, y) : s4;
                t4 = TRows.Count > 4 ? AvxVnni.MultiplyWideningAndAdd(t4, v, y) : t4;
                y = TRows.Count > 5 ? Vector256.Create(((int*)x)[5]).AsSByte() : y;
                s5 = TRows.Count > 5 ? AvxVnni.MultiplyWideningAndAdd(s5, w, y) : s5;
                t5 = TRows.Count > 5 ? AvxVnni.MultiplyWideningAndAdd(t5, v, y) : t5;
                x += 4 * TRows.Count;
                default(TAhead).Of(weights);
                weights += LineBytes;
            }

            float* xScales = input.Scales + (nint)block * TRows.Count;
            default(TAhead).Of((byte*)scales);                                         // blocks are no whole number of lines
            Vector512<float> scale = Floats512.LoadRaisedHalves(scales).Value;
            scales += ByteBlock / sizeof(ushort);
            weights += ScaleBytes;
            Avx512F.FusedMultiplyAdd(Join(s0, t0), scale * Vector512.Create(xScales[0]), Vector512.Load(sums + 0 * stride)).Store(sums + 0 * stride);
            if (TRows.Count > 1)
            {
                Avx512F.FusedMultiplyAdd(Join(s1, t1), scale * Vector512.Create(xScales[1]), Vector512.Load(sums + 1 * stride)).Store(sums + 1 * stride);
            }

            if (TRows.Count > 2)
            {
                Avx512F.FusedMultiplyAdd(Join(s2, t2), scale * Vector512.Create(xScales[2]), Vector512.Load(sums + 2 * stride)).Store(sums + 2 * stride);
            }

            if (TRows.Count > 3)
            {
                Avx512F.FusedMultiplyAdd(Join(s3, t3), scale * Vector512.Create(xScales[3]), Vector512.Load(sums + 3 * stride)).Store(sums + 3 * stride);
            }

            if (TRows.Count > 4)
            {
                Avx512F.FusedMultiplyAdd(Join(s4, t4), scale * Vector512.Create(xScales[4]), Vector512.Load(sums + 4 * stride)).Store(sums + 4 * stride);
            }

            if (TRows.Count > 5)
            {
                Avx512F.FusedMultiplyAdd(Join(s5, t5), scale * Vector512.Create(xScales[5]), Vector512.Load(sums + 5 * stride)).Store(sums + 5 * stride);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<float> Join(Vector256<int> lower, Vector256<int> upper) => Avx512F.ConvertToVector512Single(lower.ToVector512Unsafe().WithUpper(upper));
    }
}
