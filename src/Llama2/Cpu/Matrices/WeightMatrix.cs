using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>A weight matrix of any format: [rows, columns], multiplied with many inputs at a time.</summary>
/// <remarks>
/// A packed matrix holds its weights once, in the order in which kernels read them. One that is not packed leaves its rows where they are, in the mapped
/// checkpoint or as read from it, and packs a stripe whenever it is multiplied. One may also go from the one to the other, stripe by stripe and between
/// multiplications: the bits of a product are always the same, and nothing else about a matrix ever changes.
/// </remarks>
internal sealed unsafe class WeightMatrix : IDisposable
{
    /// <summary>Rows that are multiplied together; a stripe is the unit of work of a thread.</summary>
    public const int StripeRows = FloatTiles.StripeRows;

    private const int ChunkColumns = InputTiles.ChunkColumns;
    private const int ColumnBytes = StripeRows * sizeof(float);               // of a stripe of F32
    private const int StripesOfInputs = 4;                                    // that share one pass over the inputs
    private const int StripesOfTile = 64;                                     // that a kernel takes at once where there is nothing but a tile of inputs
    private const int CachedBytes = 512 << 10;                                // of the second cache, for weights that share a pass over integer inputs

    private readonly nint _stripeBytes;
    private readonly int _atOnce;                                             // stripes
    private readonly AlignedMemory? _owned;
    private readonly byte* _stripes;                                          // null where the matrix is never packed
    private readonly byte* _rows;                                             // null where it was packed from the beginning
    private readonly int _rowBytes;
    private readonly int _headSize;                                           // of rows that stand in interleaved rotary order, else 0
    private readonly bool[]? _ordinary;                                       // of each stripe: whether kernels take it; null where the matrix is never packed

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
    /// <param name="ordinary">What <see cref="StripePacker.Pack"/> said of each.</param>
    public WeightMatrix(WeightFormat format, int rows, int columns, AlignedMemory memory, bool[] ordinary)
        : this(format, rows, columns)
    {
        (_owned, _ordinary, PackedStripes) = (memory, ordinary, Stripes);
        _stripes = memory.Pointer;
    }

    /// <summary>A matrix that stays in the mapped checkpoint.</summary>
    /// <param name="format">The format.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="region">Where the rows are, as <see cref="Takes"/> demands.</param>
    public WeightMatrix(WeightFormat format, int rows, int columns, MappedRegion region)
        : this(format, rows, columns)
    {
        _rows = region.File.Pointer(region.Offset, (long)rows * _rowBytes);
        _headSize = region.InterleavedHeadSize;
    }

    /// <summary>A matrix in the mapped checkpoint that is going to be packed.</summary>
    /// <param name="format">The format.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="region">Where the rows are, as <see cref="Takes"/> demands.</param>
    /// <param name="memory">Room for the stripes, which the matrix owns from now on.</param>
    public WeightMatrix(WeightFormat format, int rows, int columns, MappedRegion region, AlignedMemory memory)
        : this(format, rows, columns, region)
    {
        (_owned, _ordinary) = (memory, new bool[Stripes]);
        _stripes = memory.Pointer;
    }

    private WeightMatrix(WeightFormat format, int rows, int columns)
    {
        (Format, Rows, Columns) = (format, rows, columns);
        (Stripes, Inputs) = (StripesOf(rows), StripePacker.InputsOf(format, columns));
        _rowBytes = checked((int)format.RowBytes(columns));
        _stripeBytes = (nint)StripePacker.StripeBytes(format, columns);
        _atOnce = Inputs != InputNumbers.Floats ? (int)Math.Clamp(CachedBytes / _stripeBytes, 1, StripesOfInputs) : StripesOfInputs;
    }

    public WeightFormat Format { get; }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>The weights in whatever order: <see cref="ByteSize"/> bytes.</summary>
    public byte* Weights => PackedStripes == Stripes ? _stripes : _rows;

    public long ByteSize => _owned?.Bytes ?? (long)Rows * _rowBytes;

    /// <summary>Units of work of a multiplication.</summary>
    public int Stripes { get; }

    /// <summary>So many of them, from the first, are read from where <see cref="PackStripe"/> has brought them; raised only while nobody reads any.</summary>
    public int PackedStripes { get; set; }

    /// <summary>What the kernels read inputs as.</summary>
    public InputNumbers Inputs { get; }

    /// <summary>The most inputs of a tile.</summary>
    public int MostInputs => StripeKernels.InputsOf(Format);

    /// <summary>Bytes that a thread needs to pack a stripe into, and to decode a row.</summary>
    public long ScratchBytes => (PackedStripes < Stripes ? _stripeBytes : 0) + sizeof(float) * (long)Columns;

    /// <summary>Stripes of a number of rows; the last may be in part empty.</summary>
    public static int StripesOf(int rows) => (rows + StripeRows - 1) / StripeRows;

    /// <summary>Bytes that a thread needs for sums.</summary>
    /// <param name="inputs">The most inputs of a multiplication.</param>
    public static long SumsBytes(int inputs) =>
        sizeof(float) * StripeRows * Math.Max((long)StripesOfInputs * inputs, StripesOfTile * Math.Min(inputs, StripeKernels.MostInputs));

    /// <summary>Bytes of a packed matrix.</summary>
    public static long PackedBytes(WeightFormat format, int rows, int columns) =>
        StripesOf(rows) * StripePacker.StripeBytes(format, columns);

    /// <summary>Whether the rows of every stripe lie at equal distances: those of one half of a head, where they are interleaved.</summary>
    public static bool Takes(MappedRegion region) => region.InterleavedHeadSize % (2 * StripeRows) == 0;

    /// <summary>Brings a stripe of a matrix that is going to be packed to its place, on any thread.</summary>
    /// <param name="stripe">From 0 to <see cref="Stripes"/> − 1.</param>
    public void PackStripe(int stripe) => _ordinary![stripe] = Pack(stripe, _stripes + stripe * _stripeBytes);

    /// <summary>Decodes one row, as it is multiplied.</summary>
    public void ReadRow(int row, Span<float> destination)
    {
        destination = destination[..Columns];
        int stripe = row / StripeRows;
        if (stripe < PackedStripes)
        {
            StripePacker.ReadRow(Format, _ordinary![stripe], _stripes + stripe * _stripeBytes, row % StripeRows, destination);
        }
        else
        {
            StripePacker.ReadUnpacked(Format, FileRow(row), destination);
        }
    }

    /// <summary>output[i, r] = Σ W[r, c] · inputs[i, c] for the rows r of some stripes, or is increased by that.</summary>
    /// <param name="first">The first stripe, from 0 to <see cref="Stripes"/> − 1.</param>
    /// <param name="end">The stripe after the last.</param>
    /// <param name="inputs">The inputs, as <see cref="Inputs"/> says; more than <see cref="MostInputs"/> floats in chunks.</param>
    /// <param name="output">[inputs, rows].</param>
    /// <param name="add">Whether the product is added to the output.</param>
    /// <param name="sums"><see cref="SumsBytes"/> of the calling thread.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> of the calling thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Multiply(int first, int end, InputTiles inputs, float* output, bool add, float* sums, byte* scratch)
    {
        int most = Inputs != InputNumbers.Floats && inputs.Tiling.Tiles == 1 ? StripesOfTile : _atOnce;
        for (int stripes; first < end; first += stripes)
        {
            bool here = first < PackedStripes, ordinaryHere = false;
            stripes = here ? Math.Min(most, Math.Min(end, PackedStripes) - first) : 1;
            byte* weights = here ? _stripes + first * _stripeBytes : scratch;
            ReadOnlySpan<bool> ordinary = here ? _ordinary.AsSpan(first, stripes) : new ReadOnlySpan<bool>(ref ordinaryHere);
            if (!here)
            {
                ordinaryHere = Pack(first, scratch);
            }

            if (Inputs == InputNumbers.Floats)
            {
                MultiplyFloats(first, stripes, weights, inputs, output, add, sums);
            }
            else
            {
                MultiplyIntegers(first, weights, ordinary, !here, inputs, output, add, sums, (float*)(here ? scratch : scratch + _stripeBytes));
            }
        }
    }

    public void Dispose() => _owned?.Dispose();

    /// <summary>Brings sums of stripes to where they belong.</summary>
    /// <param name="sums">[inputs, stripes, 32].</param>
    /// <param name="inputs">Inputs.</param>
    /// <param name="first">The first stripe.</param>
    /// <param name="stripes">Stripes.</param>
    /// <param name="output">[inputs, rows of the matrix].</param>
    /// <param name="add">Whether the sums are added to what is there.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Deliver(float* sums, int inputs, int first, int stripes, float* output, bool add)
    {
        output += first * StripeRows;
        int count = Math.Min(stripes * StripeRows, Rows - first * StripeRows);
        for (int input = 0; input < inputs; input++, sums += stripes * StripeRows, output += Rows)
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

    private bool Pack(int stripe, byte* to) => StripePacker.Pack(
        Format, new FileRows(FileRow(stripe * StripeRows), _headSize == 0 ? _rowBytes : 2 * _rowBytes, RowsOf(stripe), followed: stripe + 1 < Stripes), Columns, to);

    private byte* FileRow(int row) => _rows + (nint)RotaryOrder.StoredRow(row, _headSize) * _rowBytes;

    private int RowsOf(int stripe) => Math.Min(StripeRows, Rows - stripe * StripeRows);

    /// <summary>Tile by tile, so that what is read of the inputs serves several stripes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyIntegers(int first, byte* weights, ReadOnlySpan<bool> ordinary, bool inCache, InputTiles inputs, float* output, bool add, float* sums, float* decoded)
    {
        for (int tile = 0; tile < inputs.Tiling.Tiles; tile++)
        {
            int rows = inputs.Tiling.RowsOf(tile);
            float* outputs = output + (nint)tile * inputs.Tiling.Rows * Rows;
            for (int i = 0, count; i < ordinary.Length; i += count)
            {
                bool take = ordinary[i];
                count = ordinary[i..].IndexOf(!take);
                count = count < 0 ? ordinary.Length - i : count;
                if (!take)
                {
                    continue;
                }

                byte* stripes = weights + i * _stripeBytes;
                bool cached = tile > 0 || inCache;
                if (Inputs == InputNumbers.Bytes)
                {
                    StripeKernels.MultiplyBytes(Format, stripes, count, inputs.Bytes(tile), rows, Columns, sums, cached);
                }
                else
                {
                    StripeKernels.MultiplyShorts(stripes, count, inputs.Shorts(tile), rows, Columns, sums, cached);
                }

                Deliver(sums, rows, first + i, count, outputs, add);
            }
        }

        for (int i = 0; i < ordinary.Length; i++)
        {
            if (!ordinary[i])
            {
                MultiplyDecoded(first + i, inputs, output, add, decoded);
            }
        }
    }

    /// <summary>Row by row, each decoded: for a stripe with a weight or a scale that is not finite or so large that no kernel takes it.</summary>
    private void MultiplyDecoded(int stripe, InputTiles inputs, float* output, bool add, float* decoded)
    {
        for (int row = stripe * StripeRows, end = row + RowsOf(stripe); row < end; row++)
        {
            ReadRow(row, new Span<float>(decoded, Columns));
            for (nint input = 0; input < inputs.Count; input++)
            {
                float sum = DotKernels.Dot(decoded, inputs.Floats + input * Columns, Columns);
                output[input * Rows + row] = add ? output[input * Rows + row] + sum : sum;
            }
        }
    }

    /// <summary>A single tile of inputs takes a stripe's columns in one go, several take chunks of them, so that what is read of the inputs serves several stripes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyFloats(int first, int stripes, byte* weights, InputTiles inputs, float* output, bool add, float* sums)
    {
        nint stripeSums = (nint)inputs.Count * StripeRows;
        new Span<float>(sums, stripes * (int)stripeSums).Clear();
        for (int i = 0; i < stripes && inputs.Count <= MostInputs; i++)
        {
            PlainKernels.Add(PlainForm.Singles, At(i, 0), inputs.Floats, Columns, inputs.Count, Columns, stripes: 1, sums + i * stripeSums, StripeRows, ReadAheads.OfWeights(Format, inputs.Count));
        }

        for (int start = 0; start < Columns && inputs.Count > MostInputs; start += ChunkColumns)
        {
            for (int i = 0; i < stripes; i++)
            {
                byte* next = i + 1 < stripes ? At(i + 1, start) : start + ChunkColumns < Columns ? At(0, start + ChunkColumns) : At(stripes, 0);
                AddChunk(At(i, start), next, start, inputs, sums + i * stripeSums);
            }
        }

        for (int i = 0; i < stripes; i++)
        {
            Deliver(sums + i * stripeSums, inputs.Count, first + i, 1, output, add);
        }

        byte* At(int stripe, int column) => weights + stripe * _stripeBytes + column * (nint)ColumnBytes;
    }

    /// <summary>Adds the products of a chunk of columns for all tiles, while the next one is fetched.</summary>
    /// <param name="weights">The chunk.</param>
    /// <param name="next">What is read after it.</param>
    /// <param name="start">The first column.</param>
    /// <param name="inputs">The inputs.</param>
    /// <param name="sums">[inputs, 32].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddChunk(byte* weights, byte* next, int start, InputTiles inputs, float* sums)
    {
        int columns = Math.Min(ChunkColumns, Columns - start);
        var tiling = new Tiling(inputs.Count, MostInputs);
        for (int tile = 0; tile < tiling.Tiles; tile++)
        {
            int fetched = tile * columns / tiling.Tiles, first = tile * tiling.Rows;
            ReadAheads.Fetch(next + fetched * ColumnBytes, ((tile + 1) * columns / tiling.Tiles - fetched) * ColumnBytes);
            PlainKernels.Add(
                PlainForm.Singles, weights, inputs.Chunk(start) + first * ChunkColumns, ChunkColumns, tiling.RowsOf(tile), columns, stripes: 1, sums + first * StripeRows, StripeRows, ReadAhead.None);
        }
    }
}
