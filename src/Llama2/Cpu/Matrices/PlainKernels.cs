using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>Picks the kernel for plain weights, keys or values and a tile of inputs: by how they lie, what the processor has and the number of inputs.</summary>
internal static unsafe class PlainKernels
{
    private const int Stripe = FloatTiles.StripeRows;

    /// <summary>sums[m, r] += Σ weights[c, r] · inputs[m, c] for plain weights of a stripe's layout.</summary>
    /// <param name="form">What the weights are.</param>
    /// <param name="weights">[stripes, columns, 32].</param>
    /// <param name="inputs">[rows, <paramref name="inputStride"/>].</param>
    /// <param name="inputStride">Distance of two inputs.</param>
    /// <param name="rows">Inputs of the tile, from 1 to <see cref="StripeKernels.InputsOf"/>.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="stripes">Stripes, one behind the other.</param>
    /// <param name="sums">[rows, <paramref name="stride"/>], of each stripe 32 sums behind those of the one before.</param>
    /// <param name="stride">Distance of two inputs' sums.</param>
    /// <param name="ahead">How to read ahead.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(PlainForm form, byte* weights, float* inputs, nint inputStride, int rows, int columns, int stripes, float* sums, int stride, ReadAhead ahead)
    {
        switch (ahead)
        {
            case ReadAhead.None: Add(form, weights, inputs, inputStride, rows, columns, stripes, sums, stride, default(NothingAhead)); break;
            case ReadAhead.NonTemporal: Add(form, weights, inputs, inputStride, rows, columns, stripes, sums, stride, default(NonTemporalAhead)); break;
            case ReadAhead.Lines: Add(form, weights, inputs, inputStride, rows, columns, stripes, sums, stride, default(LinesAhead)); break;
            default: Add(form, weights, inputs, inputStride, rows, columns, stripes, sums, stride, default(PagesAhead)); break;
        }
    }

    /// <inheritdoc cref="Add(PlainForm, byte*, float*, nint, int, int, int, float*, int, ReadAhead)"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add<TAhead>(PlainForm form, byte* weights, float* inputs, nint inputStride, int rows, int columns, int stripes, float* sums, int stride, TAhead ahead)
        where TAhead : struct, IReadAhead
    {
        switch (form)
        {
            case PlainForm.Singles: Add<Singles, TAhead>(weights, inputs, inputStride, rows, columns, stripes, sums, stride, ahead); break;
            case PlainForm.Halves: Add<Halves, TAhead>(weights, inputs, inputStride, rows, columns, stripes, sums, stride, ahead); break;
            case PlainForm.RaisedHalves: Add<RaisedHalves, TAhead>(weights, inputs, inputStride, rows, columns, stripes, sums, stride, ahead); break;
            default: Add<HalvesInPlace, TAhead>(weights, inputs, inputStride, rows, columns, stripes, sums, stride, ahead); break;
        }
    }

    /// <summary>Plain weights as singles.</summary>
    /// <param name="form">What the weights are, if not singles.</param>
    /// <param name="weights">Weights in any order.</param>
    /// <param name="count">A multiple of 32.</param>
    /// <param name="singles">As many floats.</param>
    /// <param name="ahead">How to read ahead.</param>
    public static void Widen<TAhead>(PlainForm form, byte* weights, int count, float* singles, TAhead ahead)
        where TAhead : struct, IReadAhead
    {
        switch (form)
        {
            case PlainForm.Halves: Widen<Halves, TAhead>(weights, count, singles, ahead); break;
            case PlainForm.RaisedHalves: Widen<RaisedHalves, TAhead>(weights, count, singles, ahead); break;
            default: Widen<HalvesInPlace, TAhead>(weights, count, singles, ahead); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<TWeights, TAhead>(byte* weights, float* inputs, nint inputStride, int rows, int columns, int stripes, float* sums, int stride, TAhead ahead)
        where TWeights : struct, IPlainWeights
        where TAhead : struct, IReadAhead
    {
        switch (rows)
        {
            case 1: Add<OneRow, TWeights, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead); break;
            case 2: Add<TwoRows, TWeights, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead); break;
            case 3: Add<ThreeRows, TWeights, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead); break;
            case 4: Add<FourRows, TWeights, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead); break;
            case 5: Add<FiveRows, TWeights, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead); break;
            case 6: Add<SixRows, TWeights, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead); break;
            case 7: Add<SevenRows, TWeights, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead); break;
            default: Add<EightRows, TWeights, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<TRows, TWeights, TAhead>(byte* weights, float* inputs, nint inputStride, int columns, int stripes, float* sums, int stride, TAhead ahead)
        where TRows : struct, ITileRows
        where TWeights : struct, IPlainWeights
        where TAhead : struct, IReadAhead
    {
        if (Floats512.IsSupported)
        {
            FloatTiles.Add<TRows, TWeights, Floats512, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead);
        }
        else if (Floats256.IsSupported)
        {
            Add<TRows, TWeights, Floats256, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead);
        }
        else if (Floats128.IsSupported)
        {
            Add<TRows, TWeights, Floats128, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead);
        }
        else
        {
            Add<TRows, TWeights, Floats32, TAhead>(weights, inputs, inputStride, columns, stripes, sums, stride, ahead);
        }
    }

    private static void Add<TRows, TWeights, TFloats, TAhead>(byte* weights, float* inputs, nint inputStride, int columns, int stripes, float* sums, int stride, TAhead ahead)
        where TRows : struct, ITileRows
        where TWeights : struct, IPlainWeights
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (int row = 0; row < Stripe; row += 2 * TFloats.Count)
        {
            FloatTiles.Add<TRows, TWeights, TFloats, TAhead>(weights + row * TWeights.Size, inputs, inputStride, columns, stripes, sums + row, stride, ahead);
        }
    }

    private static void Widen<TWeights, TAhead>(byte* weights, int count, float* singles, TAhead ahead)
        where TWeights : struct, IPlainWeights
        where TAhead : struct, IReadAhead
    {
        if (Floats512.IsSupported)
        {
            Widen<TWeights, Floats512, TAhead>(weights, count, singles, ahead);
        }
        else if (Floats256.IsSupported)
        {
            Widen<TWeights, Floats256, TAhead>(weights, count, singles, ahead);
        }
        else if (Floats128.IsSupported)
        {
            Widen<TWeights, Floats128, TAhead>(weights, count, singles, ahead);
        }
        else
        {
            Widen<TWeights, Floats32, TAhead>(weights, count, singles, ahead);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen<TWeights, TFloats, TAhead>(byte* weights, int count, float* singles, TAhead ahead)
        where TWeights : struct, IPlainWeights
        where TFloats : struct, IFloatLanes<TFloats>
        where TAhead : struct, IReadAhead
    {
        for (int i = 0; i < count; i += 2 * TFloats.Count, weights += 2 * TFloats.Count * TWeights.Size)
        {
            TFloats.Store(TWeights.Load<TFloats>(weights), singles + i);
            TFloats.Store(TWeights.Load<TFloats>(weights + TFloats.Count * TWeights.Size), singles + i + TFloats.Count);
            ahead.Of(weights);
        }
    }
}
