using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>A weight matrix of any format: [rows, columns], multiplied with many inputs at a time.</summary>
/// <remarks>
/// Immutable. A packed matrix holds its weights once, in the order in which kernels read them. One that is not packed leaves its rows where they
/// are, in the mapped checkpoint or as read from it, and packs a stripe whenever it is multiplied: the bits of a product are the same either way.
/// </remarks>
internal sealed unsafe class WeightMatrix : IDisposable
{
    /// <summary>Rows that are multiplied together; a stripe is the unit of work of a thread.</summary>
    public const int StripeRows = FloatTiles.StripeRows;

    private const int ChunkColumns = 256;                                     // of plain weights: 32 KiB of singles, which stay in the first cache

    private readonly nint _stripeBytes;
    private readonly AlignedMemory? _owned;
    private readonly byte* _stripes;                                          // null where the matrix is not packed
    private readonly byte* _rows;                                             // null where it is
    private readonly int _rowBytes;
    private readonly bool[]? _raised;                                         // of each stripe; null where the matrix is not packed

    /// <summary>A matrix over rows that the caller has read, and whose memory it owns from now on.</summary>
    public WeightMatrix(WeightFormat format, int rows, int columns, AlignedMemory memory)
        : this(format, rows, columns)
    {
        _owned = memory;
        _rows = memory.Pointer;
    }

    /// <summary>A matrix over stripes that the caller has packed, and whose memory it owns from now on.</summary>
    /// <param name="format">The format.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="memory">The stripes.</param>
    /// <param name="raised">What <see cref="StripePacker.Pack"/> said of each.</param>
    public WeightMatrix(WeightFormat format, int rows, int columns, AlignedMemory memory, bool[] raised)
        : this(format, rows, columns)
    {
        (_owned, _raised) = (memory, raised);
        _stripes = memory.Pointer;
    }

    /// <summary>A matrix that stays in the mapped checkpoint.</summary>
    public WeightMatrix(WeightFormat format, int rows, int columns, MappedRegion region)
        : this(format, rows, columns)
        => _rows = region.File.Pointer(region.Offset, (long)rows * _rowBytes);

    private WeightMatrix(WeightFormat format, int rows, int columns)
    {
        (Format, Rows, Columns) = (format, rows, columns);
        (Stripes, ReadsBytes) = (StripesOf(rows), format.BlockLength() > 1);
        _rowBytes = checked((int)format.RowBytes(columns));
        _stripeBytes = (nint)StripePacker.StripeBytes(format, columns);
    }

    public WeightFormat Format { get; }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>The weights in whatever order: <see cref="ByteSize"/> bytes.</summary>
    public byte* Weights => _stripes is null ? _rows : _stripes;

    public long ByteSize => _owned?.Bytes ?? (long)Rows * _rowBytes;

    /// <summary>Units of work of a multiplication.</summary>
    public int Stripes { get; }

    /// <summary>Whether the kernels read inputs as integers rather than floats.</summary>
    public bool ReadsBytes { get; }

    /// <summary>Bytes that a thread needs to pack a stripe into, and to widen weights.</summary>
    public long ScratchBytes => (_stripes is null ? _stripeBytes : 0) + sizeof(float) * (ReadsBytes ? Columns : Format == WeightFormat.F32 ? 0L : ChunkColumns * StripeRows);

    /// <summary>Stripes of a number of rows; the last may be in part empty.</summary>
    public static int StripesOf(int rows) => (rows + StripeRows - 1) / StripeRows;

    /// <summary>Bytes of a packed matrix.</summary>
    public static long PackedBytes(WeightFormat format, int rows, int columns) =>
        StripesOf(rows) * StripePacker.StripeBytes(format, columns);

    /// <summary>Decodes one row.</summary>
    public void ReadRow(int row, Span<float> destination)
    {
        destination = destination[..Columns];
        if (_rows is null)
        {
            int stripe = row / StripeRows;
            StripePacker.ReadRow(Format, IsRaised(stripe), _stripes + stripe * _stripeBytes, row % StripeRows, destination);
        }
        else
        {
            WeightCodec.Decode(Format, new ReadOnlySpan<byte>(_rows + (nint)row * _rowBytes, _rowBytes), destination);
        }
    }

    /// <summary>output[i, r] = Σ W[r, c] · inputs[i, c] for the rows r of one stripe, or is increased by that.</summary>
    /// <param name="stripe">From 0 to <see cref="Stripes"/> − 1.</param>
    /// <param name="inputs">The inputs.</param>
    /// <param name="output">[inputs, rows].</param>
    /// <param name="add">Whether the product is added to the output.</param>
    /// <param name="sums">[inputs, 32] floats of the calling thread.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> of the calling thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void MultiplyStripe(int stripe, InputTiles inputs, float* output, bool add, float* sums, byte* scratch)
    {
        int first = stripe * StripeRows, count = Math.Min(StripeRows, Rows - first);
        byte* weights = _stripes + stripe * _stripeBytes;
        bool raised = IsRaised(stripe);
        if (_stripes is null)
        {
            raised = StripePacker.Pack(Format, _rows + (nint)first * _rowBytes, count, Columns, scratch);
            weights = scratch;
            scratch += _stripeBytes;
        }

        if (ReadsBytes && !raised)
        {
            MultiplyDecoded(first, count, inputs, sums, (float*)scratch);
        }
        else if (ReadsBytes)
        {
            for (int tile = 0; tile < inputs.Tiles; tile++)
            {
                StripeKernels.MultiplyBytes(
                    Format, weights, inputs.Bytes(tile), inputs.RowsOf(tile), Columns, sums + (nint)tile * inputs.TileRows * StripeRows, cached: tile > 0 || _stripes is null);
            }
        }
        else
        {
            MultiplyPlain(weights, raised, inputs, sums, (float*)scratch);
        }

        Deliver(sums, inputs.Count, count, output + first, Rows, add);
    }

    public void Dispose() => _owned?.Dispose();

    /// <summary>Brings the sums of a stripe to where they belong.</summary>
    /// <param name="sums">[inputs, 32].</param>
    /// <param name="inputs">Inputs.</param>
    /// <param name="count">Rows of the stripe.</param>
    /// <param name="output">[inputs, <paramref name="stride"/>].</param>
    /// <param name="stride">Distance of two inputs' outputs.</param>
    /// <param name="add">Whether the sums are added to what is there.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Deliver(float* sums, int inputs, int count, float* output, nint stride, bool add)
    {
        for (int input = 0; input < inputs; input++, sums += StripeRows, output += stride)
        {
            int row = 0;
            for (; row <= count - Vector256<float>.Count; row += Vector256<float>.Count)
            {
                Vector256<float> sum = Vector256.Load(sums + row);
                (add ? Vector256.Load(output + row) + sum : sum).Store(output + row);
            }

            for (; row < count; row++)
            {
                output[row] = add ? output[row] + sums[row] : sums[row];
            }
        }
    }

    private bool IsRaised(int stripe) => _raised is not null && _raised[stripe];

    /// <summary>Row by row, each decoded: for a stripe with a scale that is infinite or so large that no kernel takes it.</summary>
    private void MultiplyDecoded(int first, int count, InputTiles inputs, float* sums, float* decoded)
    {
        for (int row = 0; row < count; row++)
        {
            ReadRow(first + row, new Span<float>(decoded, Columns));
            for (nint input = 0; input < inputs.Count; input++)
            {
                sums[input * StripeRows + row] = DotKernels.Dot(decoded, inputs.Floats(0) + input * Columns, Columns);
            }
        }
    }

    /// <summary>
    /// For several tiles chunk by chunk of columns, each widened once and then used by all of them while the next one is fetched; the sums go on
    /// from chunk to chunk.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyPlain(byte* weights, bool raised, InputTiles inputs, float* sums, float* chunk)
    {
        new Span<float>(sums, inputs.Count * StripeRows).Clear();
        int tiles = inputs.Tiles, most = tiles > 1 ? ChunkColumns : Columns;
        bool widen = tiles > 1 && Format != WeightFormat.F32;
        nint columnBytes = StripeRows * Format.BlockBytes();
        ReadAhead ahead = tiles > 1 ? ReadAhead.None : ReadAheads.OfMemory;
        for (int start = 0; start < Columns; start += most)
        {
            int columns = Math.Min(most, Columns - start);
            byte* from = weights + start * columnBytes, next = from + columns * columnBytes;
            if (widen)
            {
                StripeKernels.Widen(Format, raised, from, columns * StripeRows, chunk);
            }

            for (int tile = 0; tile < tiles; tile++)
            {
                if (tiles > 1)
                {
                    int fetched = tile * columns / tiles;
                    ReadAheads.Fetch(next + fetched * columnBytes, ((tile + 1) * columns / tiles - fetched) * columnBytes);
                }

                float* input = inputs.Floats(tile) + start, to = sums + (nint)tile * inputs.TileRows * StripeRows;
                StripeKernels.AddPlain(
                    widen ? WeightFormat.F32 : Format, raised, widen ? (byte*)chunk : from, input, Columns, inputs.RowsOf(tile), columns, to, StripeRows, ahead);
            }
        }
    }
}
