using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>Picks the kernel for a stripe and a tile of inputs: by the format, what the processor has and the number of inputs.</summary>
internal static unsafe class StripeKernels
{
    private const int Stripe = FloatTiles.StripeRows;
    private const int PanelRows = Stripe / 2;

    private static readonly bool _readsTwoStreams = IsZen5();

    /// <summary>The instruction set of the products.</summary>
    public static string InstructionSet =>
        Floats512.IsSupported && Bytes512.IsSupported ? DotBytes512.IsSupported ? "AVX-512 with VNNI" : "AVX-512" :
        Floats256.IsSupported ? DotBytes256.IsSupported ? "AVX2 with VNNI" : "AVX2" :
        Floats128.IsSupported ? DotBytes128.IsSupported ? "AdvSimd with dot products" : "AdvSimd" : "scalar";

    /// <summary>Whether the kernels of weights of 4 to 6 bits keep sums of 16 bits.</summary>
    public static bool SumsAreHalves => !DotBytes512.IsSupported && (Bytes512.IsSupported || Bytes256.IsSupported);

    /// <summary>sums[m, r] = Σ weights[r, c] · input[m, c] for integer weights.</summary>
    /// <param name="format">One that has blocks.</param>
    /// <param name="stripe">The stripe.</param>
    /// <param name="input">The tile.</param>
    /// <param name="rows">Inputs of the tile, from 1 to 6.</param>
    /// <param name="columns">Columns, whole blocks.</param>
    /// <param name="sums">[rows, 32].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyBytes(WeightFormat format, byte* stripe, ByteTile input, int rows, int columns, float* sums)
    {
        switch (rows)
        {
            case 1: MultiplyBytes<OneRow>(format, stripe, input, columns, sums); break;
            case 2: MultiplyBytes<TwoRows>(format, stripe, input, columns, sums); break;
            case 3: MultiplyBytes<ThreeRows>(format, stripe, input, columns, sums); break;
            case 4: MultiplyBytes<FourRows>(format, stripe, input, columns, sums); break;
            case 5: MultiplyBytes<FiveRows>(format, stripe, input, columns, sums); break;
            default: MultiplyBytes<SixRows>(format, stripe, input, columns, sums); break;
        }
    }

    /// <summary>sums[m, r] += Σ weights[c, r] · inputs[m, c] for plain weights of a stripe's layout.</summary>
    /// <param name="format">F32, F16 or BF16.</param>
    /// <param name="raised">Whether F16 weights are raised (<see cref="HalfBits.Raise"/>).</param>
    /// <param name="weights">[columns, 32].</param>
    /// <param name="inputs">[rows, <paramref name="inputStride"/>].</param>
    /// <param name="inputStride">Distance of two inputs.</param>
    /// <param name="rows">Inputs of the tile, from 1 to 6.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="sums">[rows, <paramref name="stride"/>].</param>
    /// <param name="stride">Distance of two inputs' sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddPlain(WeightFormat format, bool raised, byte* weights, float* inputs, nint inputStride, int rows, int columns, float* sums, int stride)
    {
        switch (format)
        {
            case WeightFormat.F16 when raised: AddPlain<RaisedHalves>(weights, inputs, inputStride, rows, columns, sums, stride); break;
            case WeightFormat.F32: AddPlain<Singles>(weights, inputs, inputStride, rows, columns, sums, stride); break;
            case WeightFormat.F16: AddPlain<Halves>(weights, inputs, inputStride, rows, columns, sums, stride); break;
            default: AddPlain<BrainHalves>(weights, inputs, inputStride, rows, columns, sums, stride); break;
        }
    }

    /// <summary>Plain weights as singles.</summary>
    /// <param name="format">F16 or BF16.</param>
    /// <param name="raised">Whether F16 weights are raised (<see cref="HalfBits.Raise"/>).</param>
    /// <param name="weights">Weights in any order.</param>
    /// <param name="count">A multiple of 16.</param>
    /// <param name="singles">As many floats.</param>
    public static void Widen(WeightFormat format, bool raised, byte* weights, int count, float* singles)
    {
        switch (format)
        {
            case WeightFormat.F16 when raised: Widen<RaisedHalves>(weights, count, singles); break;
            case WeightFormat.F16: Widen<Halves>(weights, count, singles); break;
            default: Widen<BrainHalves>(weights, count, singles); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyBytes<TRows>(WeightFormat format, byte* stripe, ByteTile input, int columns, float* sums)
        where TRows : struct, ITileRows
    {
        if (format == WeightFormat.Q8_0 && DotBytes512.IsSupported && (TRows.Count > 1 || _readsTwoStreams))
        {
            BytesOfStripe<TRows>(stripe, input, columns, sums);
            return;
        }

        for (int panel = 0; panel < 2; panel++, sums += PanelRows)
        {
            switch (format)
            {
                case WeightFormat.Q4_K: KQuants<TRows, FourBits>(KStripes.Panel(format, stripe, panel, columns), input, columns, sums); continue;
                case WeightFormat.Q5_K: KQuants<TRows, FiveBits>(KStripes.Panel(format, stripe, panel, columns), input, columns, sums); continue;
                case WeightFormat.Q6_K: KQuants<TRows, SixBits>(KStripes.Panel(format, stripe, panel, columns), input, columns, sums); continue;
            }

            byte* weights = StripePacker.Weights(format, stripe, panel, columns);
            ushort* scales = StripePacker.Scales(format, stripe, panel, columns);
            int blocks = columns / ByteTile.BlockLength;
            if (format == WeightFormat.Q4_0)
            {
                Nibbles<TRows>(weights, scales, input, blocks, sums);
            }
            else
            {
                Bytes<TRows>(weights, scales, input, blocks, sums);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Nibbles<TRows>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums)
        where TRows : struct, ITileRows
    {
        if (DotBytes512.IsSupported)
        {
            ByteTiles.OneRegister<TRows, NibbleWeights, DotBytes512, Floats512>(weights, scales, input, blocks, sums, Stripe);
        }
        else if (Bytes512.IsSupported)
        {
            ByteTiles.OneRegister<TRows, NibbleWeights, Bytes512, Floats512>(weights, scales, input, blocks, sums, Stripe);
        }
        else if (Bytes256.IsSupported)
        {
            NibblesOfPanel<TRows, Bytes256, Floats256>(weights, scales, input, blocks, sums);
        }
        else if (DotBytes128.IsSupported)
        {
            NibblesOfPanel<TRows, DotBytes128, Floats128>(weights, scales, input, blocks, sums);
        }
        else
        {
            NibblesOfPanel<TRows, DotBytes32, Floats32>(weights, scales, input, blocks, sums);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Bytes<TRows>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums)
        where TRows : struct, ITileRows
    {
        if (DotBytes512.IsSupported)
        {
            ByteTiles.OneRegister<TRows, ByteWeights, DotBytes512, Floats512>(weights, scales, input, blocks, sums, Stripe);
        }
        else if (DotBytes256.IsSupported && Floats512.IsSupported)
        {
            ByteTiles.JoinedBytes<TRows>(weights, scales, input, blocks, sums, Stripe);
        }
        else if (Bytes512.IsSupported)
        {
            ByteTiles.BytesAsNibbles<TRows, Bytes512, Floats512>(weights, scales, input, blocks, sums, Stripe);
        }
        else if (DotBytes256.IsSupported)
        {
            BytesOfPanel<TRows, DotBytes256, Floats256>(weights, scales, input, blocks, sums);
        }
        else if (Bytes256.IsSupported)
        {
            for (int row = 0; row < PanelRows; row += Floats256.Count)
            {
                ByteTiles.BytesAsNibbles<TRows, Bytes256, Floats256>(weights + 4 * row, scales + row, input, blocks, sums + row, Stripe);
            }
        }
        else if (DotBytes128.IsSupported)
        {
            BytesOfPanel<TRows, DotBytes128, Floats128>(weights, scales, input, blocks, sums);
        }
        else
        {
            BytesOfPanel<TRows, DotBytes32, Floats32>(weights, scales, input, blocks, sums);
        }
    }

    /// <summary>Both panels at once. A single input takes one after the other, as one stream from memory, unless the processor reads two of them faster.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BytesOfStripe<TRows>(byte* stripe, ByteTile input, int columns, float* sums)
        where TRows : struct, ITileRows
    {
        byte* weights = StripePacker.Weights(WeightFormat.Q8_0, stripe, 0, columns);
        ushort* scales = StripePacker.Scales(WeightFormat.Q8_0, stripe, 0, columns);
        nint apart = (nint)(StripePacker.Weights(WeightFormat.Q8_0, stripe, 1, columns) - weights);
        ByteTiles.TwoRegisters<TRows, DotBytes512, Floats512>(
            weights, scales, apart, apart / sizeof(ushort), input, columns / ByteTile.BlockLength, sums, Stripe);
    }

    /// <summary>AMD's family 26, where one input by a Q8_0 matrix in memory takes seven eighths of the time with two streams.</summary>
    private static bool IsZen5()
    {
        if (!X86Base.IsSupported)
        {
            return false;
        }

        (_, int vendor, _, _) = X86Base.CpuId(0, 0);
        (int signature, _, _, _) = X86Base.CpuId(1, 0);
        return vendor == 0x68747541 && ((signature >> 8) & 15) + ((signature >> 20) & 255) == 26;       // "Auth"enticAMD; base and extended family
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void KQuants<TRows, TWeights>(byte* panel, ByteTile input, int columns, float* sums)
        where TRows : struct, ITileRows
        where TWeights : struct, IKWeights
    {
        if (DotBytes512.IsSupported)
        {
            KQuants<TRows, TWeights, DotBytes512, Floats512>(panel, input, columns, sums);
        }
        else if (Bytes512.IsSupported)
        {
            KQuants<TRows, TWeights, Bytes512, Floats512>(panel, input, columns, sums);
        }
        else if (Bytes256.IsSupported)
        {
            KQuants<TRows, TWeights, Bytes256, Floats256>(panel, input, columns, sums);
        }
        else if (DotBytes128.IsSupported)
        {
            KQuants<TRows, TWeights, DotBytes128, Floats128>(panel, input, columns, sums);
        }
        else
        {
            KQuants<TRows, TWeights, DotBytes32, Floats32>(panel, input, columns, sums);
        }
    }

    private static void KQuants<TRows, TWeights, TBytes, TFloats>(byte* panel, ByteTile input, int columns, float* sums)
        where TRows : struct, ITileRows
        where TWeights : struct, IKWeights
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        for (int row = 0; row < PanelRows; row += TFloats.Count)
        {
            KTiles.Multiply<TRows, TWeights, TBytes, TFloats>(panel, row, input, columns / KBlocks.Length, sums, Stripe);
        }
    }

    private static void NibblesOfPanel<TRows, TBytes, TFloats>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums)
        where TRows : struct, ITileRows
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        for (int row = 0; row < PanelRows; row += TFloats.Count)
        {
            ByteTiles.OneRegister<TRows, NibbleWeights, TBytes, TFloats>(weights + 4 * row, scales + row, input, blocks, sums + row, Stripe);
        }
    }

    private static void BytesOfPanel<TRows, TBytes, TFloats>(byte* weights, ushort* scales, ByteTile input, int blocks, float* sums)
        where TRows : struct, ITileRows
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        for (int row = 0; row < PanelRows; row += 2 * TFloats.Count)
        {
            ByteTiles.TwoRegisters<TRows, TBytes, TFloats>(weights + 4 * row, scales + row, 4 * TFloats.Count, TFloats.Count, input, blocks, sums + row, Stripe);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddPlain<TWeights>(byte* weights, float* inputs, nint inputStride, int rows, int columns, float* sums, int stride)
        where TWeights : struct, IPlainWeights
    {
        switch (rows)
        {
            case 1: AddPlain<OneRow, TWeights>(weights, inputs, inputStride, columns, sums, stride); break;
            case 2: AddPlain<TwoRows, TWeights>(weights, inputs, inputStride, columns, sums, stride); break;
            case 3: AddPlain<ThreeRows, TWeights>(weights, inputs, inputStride, columns, sums, stride); break;
            case 4: AddPlain<FourRows, TWeights>(weights, inputs, inputStride, columns, sums, stride); break;
            case 5: AddPlain<FiveRows, TWeights>(weights, inputs, inputStride, columns, sums, stride); break;
            default: AddPlain<SixRows, TWeights>(weights, inputs, inputStride, columns, sums, stride); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddPlain<TRows, TWeights>(byte* weights, float* inputs, nint inputStride, int columns, float* sums, int stride)
        where TRows : struct, ITileRows
        where TWeights : struct, IPlainWeights
    {
        if (Floats512.IsSupported)
        {
            FloatTiles.Add<TRows, TWeights, Floats512>(weights, inputs, inputStride, columns, sums, stride);
        }
        else if (Floats256.IsSupported)
        {
            AddPlain<TRows, TWeights, Floats256>(weights, inputs, inputStride, columns, sums, stride);
        }
        else if (Floats128.IsSupported)
        {
            AddPlain<TRows, TWeights, Floats128>(weights, inputs, inputStride, columns, sums, stride);
        }
        else
        {
            AddPlain<TRows, TWeights, Floats32>(weights, inputs, inputStride, columns, sums, stride);
        }
    }

    private static void AddPlain<TRows, TWeights, TFloats>(byte* weights, float* inputs, nint inputStride, int columns, float* sums, int stride)
        where TRows : struct, ITileRows
        where TWeights : struct, IPlainWeights
        where TFloats : struct, IFloatLanes<TFloats>
    {
        for (int row = 0; row < Stripe; row += 2 * TFloats.Count)
        {
            FloatTiles.Add<TRows, TWeights, TFloats>(weights + row * TWeights.Size, inputs, inputStride, columns, sums + row, stride);
        }
    }

    private static void Widen<TWeights>(byte* weights, int count, float* singles)
        where TWeights : struct, IPlainWeights
    {
        if (Floats512.IsSupported)
        {
            Widen<TWeights, Floats512>(weights, count, singles);
        }
        else if (Floats256.IsSupported)
        {
            Widen<TWeights, Floats256>(weights, count, singles);
        }
        else if (Floats128.IsSupported)
        {
            Widen<TWeights, Floats128>(weights, count, singles);
        }
        else
        {
            Widen<TWeights, Floats32>(weights, count, singles);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen<TWeights, TFloats>(byte* weights, int count, float* singles)
        where TWeights : struct, IPlainWeights
        where TFloats : struct, IFloatLanes<TFloats>
    {
        for (int i = 0; i < count; i += TFloats.Count)
        {
            TFloats.Store(TWeights.Load<TFloats>(weights + (nint)i * TWeights.Size), singles + i);
        }
    }
}
