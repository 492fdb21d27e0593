using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>Picks the kernel for a stripe of integers and a tile of inputs: by the format, what the processor has and the number of inputs.</summary>
internal static unsafe class StripeKernels
{
    /// <summary>The most inputs that a kernel takes.</summary>
    public const int MostInputs = 8;

    private const int InputsOfTwoRegisters = 6;                               // of integer sums beside their floats
    private const int Stripe = FloatTiles.StripeRows;
    private const int PanelRows = Stripe / 2;

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
    /// <param name="stripe">The stripe.</param>
    /// <param name="input">The tile.</param>
    /// <param name="rows">Inputs of the tile, from 1 to <see cref="InputsOf"/>.</param>
    /// <param name="columns">Columns, whole blocks.</param>
    /// <param name="sums">[rows, 32].</param>
    /// <param name="cached">Whether the stripe has just been written or read, so that a cache holds it.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyBytes(WeightFormat format, byte* stripe, ByteTile input, int rows, int columns, float* sums, bool cached)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, InputsOf(format));
        switch (rows)
        {
            case 1: MultiplyBytes<OneRow>(format, stripe, input, columns, sums, cached); break;
            case 2: MultiplyBytes<TwoRows>(format, stripe, input, columns, sums, cached); break;
            case 3: MultiplyBytes<ThreeRows>(format, stripe, input, columns, sums, cached); break;
            case 4: MultiplyBytes<FourRows>(format, stripe, input, columns, sums, cached); break;
            case 5: MultiplyBytes<FiveRows>(format, stripe, input, columns, sums, cached); break;
            case 6: MultiplyBytes<SixRows>(format, stripe, input, columns, sums, cached); break;
            case 7: MultiplyBytes<SevenRows>(format, stripe, input, columns, sums, cached); break;
            default: MultiplyBytes<EightRows>(format, stripe, input, columns, sums, cached); break;
        }
    }

    /// <summary>sums[m, r] = Σ weights[r, c] · input[m, c] for weights of 16 bits.</summary>
    /// <param name="stripe">The stripe.</param>
    /// <param name="input">The tile.</param>
    /// <param name="rows">Inputs of the tile, from 1 to <see cref="InputsOf"/>.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="sums">[rows, 32].</param>
    /// <param name="cached">Whether the stripe has just been written or read, so that a cache holds it.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyShorts(byte* stripe, ShortTile input, int rows, int columns, float* sums, bool cached)
    {
        int blocks = ShortTile.BlocksOf(columns);
        switch (cached ? ReadAhead.Lines : ReadAheads.OfWeights(rows))
        {
            case ReadAhead.None: MultiplyShorts<NothingAhead>(stripe, input, rows, blocks, sums); break;
            case ReadAhead.Lines: MultiplyShorts<LinesAhead>(stripe, input, rows, blocks, sums); break;
            default: MultiplyShorts<PagesAhead>(stripe, input, rows, blocks, sums); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyShorts<TAhead>(byte* stripe, ShortTile input, int rows, int blocks, float* sums)
        where TAhead : struct, IReadAhead
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, InputsOfTwoRegisters);
        switch (rows)
        {
            case 1: MultiplyShorts<OneRow, TAhead>(stripe, input, blocks, sums); break;
            case 2: MultiplyShorts<TwoRows, TAhead>(stripe, input, blocks, sums); break;
            case 3: MultiplyShorts<ThreeRows, TAhead>(stripe, input, blocks, sums); break;
            case 4: MultiplyShorts<FourRows, TAhead>(stripe, input, blocks, sums); break;
            case 5: MultiplyShorts<FiveRows, TAhead>(stripe, input, blocks, sums); break;
            default: MultiplyShorts<SixRows, TAhead>(stripe, input, blocks, sums); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyShorts<TRows, TAhead>(byte* stripe, ShortTile input, int blocks, float* sums)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        if (DotShorts512.IsSupported)
        {
            ShortTiles.Multiply<TRows, DotShorts512, Floats512, TAhead>(stripe, 0, input, blocks, sums, Stripe);
        }
        else if (Shorts512.IsSupported)
        {
            ShortTiles.Multiply<TRows, Shorts512, Floats512, TAhead>(stripe, 0, input, blocks, sums, Stripe);
        }
        else if (DotShorts256.IsSupported)
        {
            MultiplyShorts<TRows, DotShorts256, Floats256, TAhead>(stripe, input, blocks, sums);
        }
        else if (Shorts256.IsSupported)
        {
            MultiplyShorts<TRows, Shorts256, Floats256, TAhead>(stripe, input, blocks, sums);
        }
        else if (Shorts128.IsSupported)
        {
            MultiplyShorts<TRows, Shorts128, Floats128, TAhead>(stripe, input, blocks, sums);
        }
        else
        {
            MultiplyShorts<TRows, Shorts32, Floats32, TAhead>(stripe, input, blocks, sums);
        }
    }

    private static void MultiplyShorts<TRows, TShorts, TFloats, TAhead>(byte* stripe, ShortTile input, int blocks, float* sums)
        where TRows : struct, ITileRows
        where TShorts : struct, IShortLanes<TShorts, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (int row = 0; row < Stripe; row += 2 * TFloats.Count)
        {
            ShortTiles.Multiply<TRows, TShorts, TFloats, TAhead>(stripe, row, input, blocks, sums + row, Stripe);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyBytes<TRows>(WeightFormat format, byte* stripe, ByteTile input, int columns, float* sums, bool cached)
        where TRows : struct, ITileRows
    {
        ReadAhead ahead = cached ? ReadAhead.Lines : ReadAheads.OfWeights(TRows.Count);
        bool bothPanels = format == WeightFormat.Q8_0 && DotBytes512.IsSupported && (TRows.Count == 1 ? Processor.IsZen5 : ahead != ReadAhead.Pages);
        if (bothPanels && TRows.Count == 1)
        {
            BytesOfStripe<TRows, NearAhead>(stripe, input, columns, sums);
        }
        else if (bothPanels)
        {
            BytesOfStripe<TRows, LinesAhead>(stripe, input, columns, sums);
        }
        else if (ahead == ReadAhead.Pages)
        {
            EachPanel<TRows, PagesAhead>(format, stripe, input, columns, sums);
        }
        else if (TRows.Count == 1 && ahead == ReadAhead.None && format == WeightFormat.Q4_0)
        {
            EachPanel<TRows, NonTemporalAhead>(format, stripe, input, columns, sums);        // what Zen 4 does by itself is the best for the others only
        }
        else if (TRows.Count == 1 && ahead == ReadAhead.None)
        {
            EachPanel<TRows, NothingAhead>(format, stripe, input, columns, sums);
        }
        else
        {
            EachPanel<TRows, LinesAhead>(format, stripe, input, columns, sums);
        }
    }

    /// <summary>One panel after the other: one stream from memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EachPanel<TRows, TAhead>(WeightFormat format, byte* stripe, ByteTile input, int columns, float* sums)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        for (int panel = 0; panel < 2; panel++, sums += PanelRows)
        {
            switch (format)
            {
                case WeightFormat.Q4_K: KQuants<TRows, FourBits, TAhead>(KStripes.Panel(format, stripe, panel, columns), input, columns, sums); continue;
                case WeightFormat.Q5_K: KQuants<TRows, FiveBits, TAhead>(KStripes.Panel(format, stripe, panel, columns), input, columns, sums); continue;
                case WeightFormat.Q6_K: KQuants<TRows, SixBits, TAhead>(KStripes.Panel(format, stripe, panel, columns), input, columns, sums); continue;
            }

            byte* weights = StripePacker.Weights(format, stripe, panel, columns);
            ushort* scales = StripePacker.Scales(format, stripe, panel, columns);
            int blocks = columns / ByteTile.BlockLength;
            if (format == WeightFormat.Q4_0)
            {
                Nibbles<TRows, TAhead>(weights, scales, input, blocks, sums);
            }
            else
            {
                Bytes<TRows, TAhead>(weights, scales, input, blocks, sums);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Nibbles<TRows, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        if (DotBytes512.IsSupported)
        {
            ByteTiles.OneRegister<TRows, NibbleWeights, DotBytes512, Floats512, TAhead>(weights, scales, input, blocks, sums, Stripe);
        }
        else if (Bytes512.IsSupported)
        {
            ByteTiles.OneRegister<TRows, NibbleWeights, Bytes512, Floats512, TAhead>(weights, scales, input, blocks, sums, Stripe);
        }
        else if (Bytes256.IsSupported)
        {
            NibblesOfPanel<TRows, Bytes256, Floats256, TAhead>(weights, scales, input, blocks, sums);
        }
        else if (DotBytes128.IsSupported)
        {
            NibblesOfPanel<TRows, DotBytes128, Floats128, TAhead>(weights, scales, input, blocks, sums);
        }
        else
        {
            NibblesOfPanel<TRows, DotBytes32, Floats32, TAhead>(weights, scales, input, blocks, sums);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Bytes<TRows, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        if (DotBytes512.IsSupported)
        {
            ByteTiles.OneRegister<TRows, ByteWeights, DotBytes512, Floats512, TAhead>(weights, scales, input, blocks, sums, Stripe);
        }
        else if (DotBytes256.IsSupported && Floats512.IsSupported)
        {
            ByteTiles.JoinedBytes<TRows, TAhead>(weights, scales, input, blocks, sums, Stripe);
        }
        else if (Bytes512.IsSupported)
        {
            ByteTiles.BytesAsNibbles<TRows, Bytes512, Floats512, TAhead>(weights, scales, input, blocks, sums, Stripe);
        }
        else if (DotBytes256.IsSupported)
        {
            BytesOfPanel<TRows, DotBytes256, Floats256, TAhead>(weights, scales, input, blocks, sums);
        }
        else if (Bytes256.IsSupported)
        {
            for (int row = 0; row < PanelRows; row += Floats256.Count)
            {
                ByteTiles.BytesAsNibbles<TRows, Bytes256, Floats256, TAhead>(weights + 4 * row, scales + row, input, blocks, sums + row, Stripe);
            }
        }
        else if (DotBytes128.IsSupported)
        {
            BytesOfPanel<TRows, DotBytes128, Floats128, TAhead>(weights, scales, input, blocks, sums);
        }
        else
        {
            BytesOfPanel<TRows, DotBytes32, Floats32, TAhead>(weights, scales, input, blocks, sums);
        }
    }

    /// <summary>
    /// Both panels at once, so that each broadcast input serves two registers. From memory they are two streams, which pays for several inputs, and
    /// on Zen 5 for one, but not where one stream is read in pages.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BytesOfStripe<TRows, TAhead>(byte* stripe, ByteTile input, int columns, float* sums)
        where TRows : struct, ITileRows
        where TAhead : struct, IReadAhead
    {
        byte* weights = StripePacker.Weights(WeightFormat.Q8_0, stripe, 0, columns);
        ushort* scales = StripePacker.Scales(WeightFormat.Q8_0, stripe, 0, columns);
        nint apart = (nint)(StripePacker.Weights(WeightFormat.Q8_0, stripe, 1, columns) - weights);
        ByteTiles.TwoRegisters<TRows, DotBytes512, Floats512, TAhead>(
            weights, scales, apart, apart / sizeof(ushort), input, columns / ByteTile.BlockLength, sums, Stripe);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void KQuants<TRows, TWeights, TAhead>(byte* panel, ByteTile input, int columns, float* sums)
        where TRows : struct, ITileRows
        where TWeights : struct, IKWeights
        where TAhead : struct, IReadAhead
    {
        if (DotBytes512.IsSupported)
        {
            KQuants<TRows, TWeights, DotBytes512, Floats512, TAhead>(panel, input, columns, sums);
        }
        else if (Bytes512.IsSupported)
        {
            KQuants<TRows, TWeights, Bytes512, Floats512, TAhead>(panel, input, columns, sums);
        }
        else if (Bytes256.IsSupported)
        {
            KQuants<TRows, TWeights, Bytes256, Floats256, TAhead>(panel, input, columns, sums);
        }
        else if (DotBytes128.IsSupported)
        {
            KQuants<TRows, TWeights, DotBytes128, Floats128, TAhead>(panel, input, columns, sums);
        }
        else
        {
            KQuants<TRows, TWeights, DotBytes32, Floats32, TAhead>(panel, input, columns, sums);
        }
    }

    private static void KQuants<TRows, TWeights, TBytes, TFloats, TAhead>(byte* panel, ByteTile input, int columns, float* sums)
        where TRows : struct, ITileRows
        where TWeights : struct, IKWeights
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (int row = 0; row < PanelRows; row += TFloats.Count)
        {
            KTiles.Multiply<TRows, TWeights, TBytes, TFloats, TAhead>(panel, row, input, columns / KBlocks.Length, sums, Stripe);
        }
    }

    private static void NibblesOfPanel<TRows, TBytes, TFloats, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums)
        where TRows : struct, ITileRows
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (int row = 0; row < PanelRows; row += TFloats.Count)
        {
            ByteTiles.OneRegister<TRows, NibbleWeights, TBytes, TFloats, TAhead>(weights + 4 * row, scales + row, input, blocks, sums + row, Stripe);
        }
    }

    private static void BytesOfPanel<TRows, TBytes, TFloats, TAhead>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums)
        where TRows : struct, ITileRows
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (int row = 0; row < PanelRows; row += 2 * TFloats.Count)
        {
            ByteTiles.TwoRegisters<TRows, TBytes, TFloats, TAhead>(weights + 4 * row, scales + row, 4 * TFloats.Count, TFloats.Count, input, blocks, sums + row, Stripe);
        }
    }
}
