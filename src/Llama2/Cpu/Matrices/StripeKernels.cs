using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>Picks the kernel for stripes of integers and a tile of inputs: by the format, what the processor has and the number of inputs.</summary>
/// <remarks>Stripes lie one behind the other. Whatever a thread does between two of them interrupts its stream from memory, so a kernel takes as many as it can in one call.</remarks>
internal static unsafe class StripeKernels
{
    /// <summary>The most inputs that a kernel takes.</summary>
    public const int MostInputs = 8;

    private const int InputsOfTwoRegisters = 6;                               // of integer sums beside their floats
    private const int Stripe = FloatTiles.StripeRows;
    private const int Panels = StripePacker.Panels;
    private const int PanelRows = StripePacker.PanelRows;

    /// <summary>The instruction set of the products.</summary>
    public static string InstructionSet =>
        Floats512.IsSupported && Bytes512.IsSupported ? DotBytes512.IsSupported ? "AVX-512 with VNNI" : "AVX-512" :
        Floats256.IsSupported ? DotBytes256.IsSupported ? "AVX2 with VNNI" : "AVX2" :
        Floats128.IsSupported ? DotBytes128.IsSupported ? "AdvSimd with dot products" : "AdvSimd" : "scalar";

    /// <summary>Whether the kernels of weights of 4 to 6 bits keep sums of 16 bits.</summary>
    public static bool SumsAreHalves => !DotBytes512.IsSupported && (Bytes512.IsSupported || Bytes256.IsSupported);

    /// <summary>The most inputs whose sums, and what else a kernel needs, fit into the registers.</summary>
    public static int InputsOf(WeightFormat format) =>
        !Floats512.IsSupported || format is WeightFormat.Q8_0 or WeightFormat.F16 or WeightFormat.BF16 ? InputsOfTwoRegisters : MostInputs;

    /// <summary>sums[m, r] = Σ weights[r, c] · input[m, c] for weights of 4 to 8 bits.</summary>
    /// <param name="format">One that has blocks.</param>
    /// <param name="stripes">The stripes.</param>
    /// <param name="count">How many.</param>
    /// <param name="input">The tile.</param>
    /// <param name="rows">Inputs of the tile, from 1 to <see cref="InputsOf"/>.</param>
    /// <param name="columns">Columns, whole blocks.</param>
    /// <param name="sums">[rows, count, 32].</param>
    /// <param name="cached">Whether the stripes have just been written or read, so that a cache holds them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyBytes(WeightFormat format, byte* stripes, int count, ByteTile input, int rows, int columns, float* sums, bool cached)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, InputsOf(format));
        switch (rows)
        {
            case 1: MultiplyBytes<OneRow>(format, stripes, count, input, columns, sums, cached); break;
            case 2: MultiplyBytes<TwoRows>(format, stripes, count, input, columns, sums, cached); break;
            case 3: MultiplyBytes<ThreeRows>(format, stripes, count, input, columns, sums, cached); break;
            case 4: MultiplyBytes<FourRows>(format, stripes, count, input, columns, sums, cached); break;
            case 5: MultiplyBytes<FiveRows>(format, stripes, count, input, columns, sums, cached); break;
            case 6: MultiplyBytes<SixRows>(format, stripes, count, input, columns, sums, cached); break;
            case 7: MultiplyBytes<SevenRows>(format, stripes, count, input, columns, sums, cached); break;
            default: MultiplyBytes<EightRows>(format, stripes, count, input, columns, sums, cached); break;
        }
    }

    /// <summary>sums[m, r] = Σ weights[r, c] · input[m, c] for weights of 16 bits.</summary>
    /// <param name="stripes">The stripes.</param>
    /// <param name="count">How many.</param>
    /// <param name="input">The tile.</param>
    /// <param name="rows">Inputs of the tile, from 1 to <see cref="InputsOf"/>.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="sums">[rows, count, 32].</param>
    /// <param name="cached">Whether the stripes have just been written or read, so that a cache holds them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyShorts(byte* stripes, int count, ShortTile input, int rows, int columns, float* sums, bool cached)
    {
        switch (cached ? ReadAhead.Lines : ReadAheads.OfWeights(WeightFormat.F16, rows))             // BF16 has become the same integers
        {
            case ReadAhead.None: MultiplyShorts<NothingAhead>(stripes, count, input, rows, columns, sums); break;
            case ReadAhead.Lines: MultiplyShorts<LinesAhead>(stripes, count, input, rows, columns, sums); break;
            default: MultiplyShorts<PagesAhead>(stripes, count, input, rows, columns, sums); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyShorts<TAhead>(byte* stripes, int count, ShortTile input, int rows, int columns, float* sums)
        where TAhead : struct, IReadAhead
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, InputsOfTwoRegisters);
        switch (rows)
        {
            case 1: MultiplyShorts<OneRow, TAhead>(stripes, count, input, columns, sums); break;
            case 2: MultiplyShorts<TwoRows, TAhead>(stripes, count, input, columns, sums); break;
            case 3: MultiplyShorts<ThreeRows, TAhead>(stripes, count, input, columns, sums); break;
            case 4: MultiplyShorts<FourRows, TAhead>(stripes, count, input, columns, sums); break;
            case 5: MultiplyShorts<FiveRows, TAhead>(stripes, count, input, columns, sums); break;
            default: MultiplyShorts<SixRows, TAhead>(stripes, count, input, columns, sums); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyShorts<TRows, TAhead>(byte* stripes, int count, ShortTile input, int columns, float* sums)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        int blocks = ShortTile.BlocksOf(columns), stride = count * Stripe;
        for (byte* stripe = stripes; count > 0; count--, stripe += ShortTiles.StripeBytes(columns), sums += Stripe)
        {
            if (DotShorts512.IsSupported)
            {
                ShortTiles.Multiply<TRows, DotShorts512, Floats512, TAhead>(stripe, 0, input, blocks, sums, stride);
            }
            else if (Shorts512.IsSupported)
            {
                ShortTiles.Multiply<TRows, Shorts512, Floats512, TAhead>(stripe, 0, input, blocks, sums, stride);
            }
            else if (DotShorts256.IsSupported)
            {
                MultiplyShorts<TRows, DotShorts256, Floats256, TAhead>(stripe, input, blocks, sums, stride);
            }
            else if (Shorts256.IsSupported)
            {
                MultiplyShorts<TRows, Shorts256, Floats256, TAhead>(stripe, input, blocks, sums, stride);
            }
            else if (Shorts128.IsSupported)
            {
                MultiplyShorts<TRows, Shorts128, Floats128, TAhead>(stripe, input, blocks, sums, stride);
            }
            else
            {
                MultiplyShorts<TRows, Shorts32, Floats32, TAhead>(stripe, input, blocks, sums, stride);
            }
        }
    }

    private static void MultiplyShorts<TRows, TShorts, TFloats, TAhead>(byte* stripe, ShortTile input, int blocks, float* sums, int stride)
        where TRows : struct, ITileRows
        where TShorts : struct, IShortLanes<TShorts, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (int row = 0; row < Stripe; row += 2 * TFloats.Count)
        {
            ShortTiles.Multiply<TRows, TShorts, TFloats, TAhead>(stripe, row, input, blocks, sums + row, stride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyBytes<TRows>(WeightFormat format, byte* stripes, int count, ByteTile input, int columns, float* sums, bool cached)
        where TRows : struct, ITileRows
    {
        ReadAhead ahead = cached ? ReadAhead.Lines : ReadAheads.OfWeights(format, TRows.Count);
        bool bothPanels = format == WeightFormat.Q8_0 && DotBytes512.IsSupported && (TRows.Count == 1 ? Processor.IsZen5 : ahead != ReadAhead.Pages);
        if (bothPanels && TRows.Count == 1)
        {
            BytesOfStripes<TRows, NearAhead>(stripes, count, input, columns, sums);
        }
        else if (bothPanels)
        {
            BytesOfStripes<TRows, LinesAhead>(stripes, count, input, columns, sums);
        }
        else if (ahead == ReadAhead.Pages)
        {
            EachPanel<TRows, PagesAhead>(format, stripes, Panels * count, input, columns, sums);
        }
        else if (TRows.Count == 1 && ahead == ReadAhead.NonTemporal)
        {
            EachPanel<TRows, NonTemporalAhead>(format, stripes, Panels * count, input, columns, sums);
        }
        else if (TRows.Count == 1 && ahead == ReadAhead.None)
        {
            EachPanel<TRows, NothingAhead>(format, stripes, Panels * count, input, columns, sums);
        }
        else
        {
            EachPanel<TRows, LinesAhead>(format, stripes, Panels * count, input, columns, sums);
        }
    }

    /// <summary>One panel after the other: one stream from memory, without an interruption where a register holds all rows of a panel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EachPanel<TRows, TAhead>(WeightFormat format, byte* stripes, int panels, ByteTile input, int columns, float* sums)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        int stride = panels * PanelRows, together = DotBytes512.IsSupported || (Bytes512.IsSupported && format != WeightFormat.Q8_0) ? panels : 1;
        for (int panel = 0; panel < panels; panel += together, sums += together * PanelRows)
        {
            switch (format)
            {
                case WeightFormat.Q4_K: KQuants<TRows, FourBits, TAhead>(KStripes.Panel(format, stripes, panel, columns), input, columns, together, sums, stride); continue;
                case WeightFormat.Q5_K: KQuants<TRows, FiveBits, TAhead>(KStripes.Panel(format, stripes, panel, columns), input, columns, together, sums, stride); continue;
                case WeightFormat.Q6_K: KQuants<TRows, SixBits, TAhead>(KStripes.Panel(format, stripes, panel, columns), input, columns, together, sums, stride); continue;
            }

            byte* weights = StripePacker.Weights(format, stripes, panel, columns);
            ushort* scales = StripePacker.Scales(format, stripes, panel, columns);
            int blocks = columns / ByteTile.BlockLength;
            if (format == WeightFormat.Q4_0)
            {
                Nibbles<TRows, TAhead>(weights, scales, input, blocks, together, sums, stride);
            }
            else
            {
                Bytes<TRows, TAhead>(weights, scales, input, blocks, together, sums, stride);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Nibbles<TRows, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, int panels, float* sums, int stride)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        if (DotBytes512.IsSupported)
        {
            ByteTiles.OneRegister<TRows, NibbleWeights, DotBytes512, Floats512, TAhead>(weights, scales, input, blocks, panels, sums, stride);
        }
        else if (Bytes512.IsSupported)
        {
            ByteTiles.OneRegister<TRows, NibbleWeights, Bytes512, Floats512, TAhead>(weights, scales, input, blocks, panels, sums, stride);
        }
        else if (Bytes256.IsSupported)
        {
            NibblesOfPanel<TRows, Bytes256, Floats256, TAhead>(weights, scales, input, blocks, sums, stride);
        }
        else if (DotBytes128.IsSupported)
        {
            NibblesOfPanel<TRows, DotBytes128, Floats128, TAhead>(weights, scales, input, blocks, sums, stride);
        }
        else
        {
            NibblesOfPanel<TRows, DotBytes32, Floats32, TAhead>(weights, scales, input, blocks, sums, stride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Bytes<TRows, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, int panels, float* sums, int stride)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        if (DotBytes512.IsSupported)
        {
            ByteTiles.OneRegister<TRows, ByteWeights, DotBytes512, Floats512, TAhead>(weights, scales, input, blocks, panels, sums, stride);
        }
        else if (DotBytes256.IsSupported && Floats512.IsSupported)
        {
            ByteTiles.JoinedBytes<TRows, TAhead>(weights, scales, input, blocks, sums, stride);
        }
        else if (Bytes512.IsSupported)
        {
            ByteTiles.BytesAsNibbles<TRows, Bytes512, Floats512, TAhead>(weights, scales, input, blocks, sums, stride);
        }
        else if (DotBytes256.IsSupported)
        {
            BytesOfPanel<TRows, DotBytes256, Floats256, TAhead>(weights, scales, input, blocks, sums, stride);
        }
        else if (Bytes256.IsSupported)
        {
            for (int row = 0; row < PanelRows; row += Floats256.Count)
            {
                ByteTiles.BytesAsNibbles<TRows, Bytes256, Floats256, TAhead>(weights + 4 * row, scales + row, input, blocks, sums + row, stride);
            }
        }
        else if (DotBytes128.IsSupported)
        {
            BytesOfPanel<TRows, DotBytes128, Floats128, TAhead>(weights, scales, input, blocks, sums, stride);
        }
        else
        {
            BytesOfPanel<TRows, DotBytes32, Floats32, TAhead>(weights, scales, input, blocks, sums, stride);
        }
    }

    /// <summary>
    /// Both panels at once, so that each broadcast input serves two registers. From memory they are two streams, which pays for several inputs, and
    /// on Zen 5 for one, but not where one stream is read in pages.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BytesOfStripes<TRows, TAhead>(byte* stripes, int count, ByteTile input, int columns, float* sums)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        nint apart = (nint)(StripePacker.Weights(WeightFormat.Q8_0, stripes, 1, columns) - stripes);
        int panels = Panels * count, stride = count * Stripe;
        for (int panel = 0; panel < panels; panel += Panels, sums += Stripe)
        {
            byte* weights = StripePacker.Weights(WeightFormat.Q8_0, stripes, panel, columns);
            ushort* scales = StripePacker.Scales(WeightFormat.Q8_0, stripes, panel, columns);
            ByteTiles.TwoRegisters<TRows, DotBytes512, Floats512, TAhead>(
                weights, scales, apart, apart / sizeof(ushort), input, columns / ByteTile.BlockLength, sums, stride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void KQuants<TRows, TWeights, TAhead>(byte* weights, ByteTile input, int columns, int panels, float* sums, int stride)
        where TRows : struct, ITileRows
        where TWeights : struct, IKWeights
        where TAhead : struct, IReadAhead
    {
        if (DotBytes512.IsSupported)
        {
            KQuants<TRows, TWeights, DotBytes512, Floats512, TAhead>(weights, input, columns, panels, sums, stride);
        }
        else if (Bytes512.IsSupported)
        {
            KQuants<TRows, TWeights, Bytes512, Floats512, TAhead>(weights, input, columns, panels, sums, stride);
        }
        else if (Bytes256.IsSupported)
        {
            KQuants<TRows, TWeights, Bytes256, Floats256, TAhead>(weights, input, columns, panels, sums, stride);
        }
        else if (DotBytes128.IsSupported)
        {
            KQuants<TRows, TWeights, DotBytes128, Floats128, TAhead>(weights, input, columns, panels, sums, stride);
        }
        else
        {
            KQuants<TRows, TWeights, DotBytes32, Floats32, TAhead>(weights, input, columns, panels, sums, stride);
        }
    }

    private static void KQuants<TRows, TWeights, TBytes, TFloats, TAhead>(byte* weights, ByteTile input, int columns, int panels, float* sums, int stride)
        where TRows : struct, ITileRows
        where TWeights : struct, IKWeights
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (int row = 0; row < PanelRows; row += TFloats.Count)
        {
            KTiles.Multiply<TRows, TWeights, TBytes, TFloats, TAhead>(weights, row, input, columns / KBlocks.Length, panels, sums, stride);
        }
    }

    private static void NibblesOfPanel<TRows, TBytes, TFloats, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums, int stride)
        where TRows : struct, ITileRows
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (int row = 0; row < PanelRows; row += TFloats.Count)
        {
            ByteTiles.OneRegister<TRows, NibbleWeights, TBytes, TFloats, TAhead>(weights + 4 * row, scales + row, input, blocks, panels: 1, sums + row, stride);
        }
    }

    private static void BytesOfPanel<TRows, TBytes, TFloats, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums, int stride)
        where TRows : struct, ITileRows
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (int row = 0; row < PanelRows; row += 2 * TFloats.Count)
        {
            ByteTiles.TwoRegisters<TRows, TBytes, TFloats, TAhead>(weights + 4 * row, scales + row, 4 * TFloats.Count, TFloats.Count, input, blocks, sums + row, stride);
        }
    }
}
