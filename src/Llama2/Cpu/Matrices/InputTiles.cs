using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>The inputs of a matrix product: floats as they are or in chunks of columns, and integers of 8 or 16 bits in tiles, in the order in which the kernels of integer weights read them.</summary>
/// <remarks>Filled once and then used by every matrix with the same inputs. Grown to the largest batch, then reused.</remarks>
/// <param name="sumsAreHalves">Whether the sums of small weights begin as two numbers of 16 bits.</param>
internal sealed unsafe class InputTiles(bool sumsAreHalves) : IDisposable
{
    /// <summary>Columns of a chunk of floats: 32 rows of weights in it are 32 KiB, which stay in the first cache while all tiles use them.</summary>
    public const int ChunkColumns = 256;

    private const int BlocksAtOnce = 8;

    private AlignedMemory _chunks = new(0), _shorts = new(0), _shortScales = new(0), _bytes = new(0), _scales = new(0), _sums = new(0), _starts = new(0);
    private float* _inputs;

    /// <summary>Inputs for the kernels of this processor.</summary>
    public InputTiles()
        : this(StripeKernels.SumsAreHalves)
    {
    }

    /// <summary>Inputs.</summary>
    public int Count { get; private set; }

    /// <summary>Numbers of an input.</summary>
    public int Columns { get; private set; }

    /// <summary>The tiles of integers.</summary>
    public Tiling Tiling { get; private set; }

    /// <summary>Bytes for one input of a number of columns.</summary>
    public static long BytesPerRow(int columns) => sizeof(float) * (long)columns +
        ShortTile.BlocksOf(columns) * (long)(ShortTile.BlockLength * sizeof(short) + sizeof(float)) +
        columns + columns / ByteTile.BlockLength * (long)(2 * sizeof(float) + ByteTile.StartsPerBlock * sizeof(int));

    /// <summary>Takes inputs, which stay the caller's and where they are.</summary>
    /// <param name="inputs">[count, columns].</param>
    /// <param name="count">Inputs.</param>
    /// <param name="columns">Numbers of an input.</param>
    /// <param name="most">The most inputs of a tile.</param>
    public void Begin(float* inputs, int count, int columns, int most)
    {
        _inputs = inputs;
        (Count, Columns) = (count, columns);
        Tiling = new(count, most);
    }

    /// <summary>Makes room for the floats in chunks of columns; the inputs are then cut by <see cref="FillChunks"/>.</summary>
    public void BeginChunks() => AlignedMemory.Reserve(ref _chunks, sizeof(float) * (long)Count * ((Columns + ChunkColumns - 1) / ChunkColumns * ChunkColumns));

    /// <summary>Makes room for integers of 8 bits; the tiles are then filled by <see cref="FillBytes"/>. The columns are whole blocks.</summary>
    public void BeginBytes()
    {
        long numbers = (long)Count * Columns, blocks = numbers / ByteTile.BlockLength;
        AlignedMemory.Reserve(ref _bytes, numbers);
        AlignedMemory.Reserve(ref _scales, blocks * sizeof(float));
        AlignedMemory.Reserve(ref _sums, blocks * sizeof(float));
        AlignedMemory.Reserve(ref _starts, blocks * ByteTile.StartsPerBlock * sizeof(int));
    }

    /// <summary>Makes room for integers of 16 bits; the tiles are then filled by <see cref="FillShorts"/>.</summary>
    public void BeginShorts()
    {
        long blocks = (long)Count * ShortTile.BlocksOf(Columns);
        AlignedMemory.Reserve(ref _shorts, blocks * ShortTile.BlockLength * sizeof(short));
        AlignedMemory.Reserve(ref _shortScales, blocks * sizeof(float));
    }

    /// <summary>The integers of 16 bits of a tile.</summary>
    public ShortTile Shorts(int tile)
    {
        nint before = (nint)tile * Tiling.Rows * ShortTile.BlocksOf(Columns);
        return new((short*)_shorts.Pointer + before * ShortTile.BlockLength, _shortScales.Floats + before);
    }

    /// <summary>The integers of 8 bits of a tile.</summary>
    public ByteTile Bytes(int tile)
    {
        nint first = (nint)tile * Tiling.Rows, blocks = Columns / ByteTile.BlockLength, before = first * blocks;
        return new(
            (sbyte*)_bytes.Pointer + first * Columns, _scales.Floats + before, _sums.Floats + before,
            (int*)_starts.Pointer + before * ByteTile.StartsPerBlock, Tiling.RowsOf(tile) * blocks);
    }

    /// <summary>The floats: [inputs, columns].</summary>
    public float* Floats => _inputs;

    /// <summary>The floats of a chunk: [inputs, <see cref="ChunkColumns"/>], so that a cache holds a chunk of all inputs.</summary>
    /// <param name="start">The first column, a multiple of <see cref="ChunkColumns"/>.</param>
    public float* Chunk(int start) => _chunks.Floats + (nint)start * Count;

    /// <summary>Cuts one input into chunks.</summary>
    /// <param name="input">From 0 to <see cref="Count"/> − 1.</param>
    public void FillChunks(int input)
    {
        for (int start = 0; start < Columns; start += ChunkColumns)
        {
            int columns = Math.Min(ChunkColumns, Columns - start);
            new ReadOnlySpan<float>(_inputs + (nint)input * Columns + start, columns).CopyTo(new Span<float>(Chunk(start) + input * ChunkColumns, columns));
        }
    }

    /// <summary>Makes integers of 8 bits of the inputs of one tile.</summary>
    /// <param name="tile">A tile of <see cref="Tiling"/>.</param>
    public void FillBytes(int tile)
    {
        int rows = Tiling.RowsOf(tile);
        for (int row = 0; row < rows; row++)
        {
            ToBytes(_inputs + ((nint)tile * Tiling.Rows + row) * Columns, Columns, row, rows, Bytes(tile), sumsAreHalves);
        }
    }

    /// <summary>Makes integers of 16 bits of the inputs of one tile.</summary>
    /// <param name="tile">A tile of <see cref="Tiling"/>.</param>
    public void FillShorts(int tile)
    {
        int rows = Tiling.RowsOf(tile);
        for (int row = 0; row < rows; row++)
        {
            ToShorts(_inputs + ((nint)tile * Tiling.Rows + row) * Columns, Columns, row, rows, Shorts(tile));
        }
    }

    /// <summary>Asks for a tile that another thread has filled: kernels wait for its lines one after the other.</summary>
    /// <param name="tile">A tile of <see cref="Tiling"/>.</param>
    /// <param name="numbers">What it is read as.</param>
    public void Fetch(int tile, InputNumbers numbers)
    {
        int rows = Tiling.RowsOf(tile);
        nint columns = (nint)rows * Columns;
        if (numbers == InputNumbers.Bytes)
        {
            ByteTile bytes = Bytes(tile);
            nint blocks = columns / ByteTile.BlockLength;
            ReadAheads.Fetch((byte*)bytes.Values, columns);
            ReadAheads.Fetch((byte*)bytes.Scales, blocks * sizeof(float));
            ReadAheads.Fetch((byte*)bytes.Starts(8), blocks * ByteTile.StartsPerBlock * sizeof(int));
        }
        else if (numbers == InputNumbers.Shorts)
        {
            ShortTile shorts = Shorts(tile);
            nint blocks = (nint)rows * ShortTile.BlocksOf(Columns);
            ReadAheads.Fetch((byte*)shorts.Values, blocks * ShortTile.BlockLength * sizeof(short));
            ReadAheads.Fetch((byte*)shorts.Scales, blocks * sizeof(float));
        }
        else
        {
            ReadAheads.Fetch((byte*)(_inputs + (nint)tile * Tiling.Rows * Columns), columns * sizeof(float));
        }
    }

    public void Dispose()
    {
        _chunks.Dispose();
        _shorts.Dispose();
        _shortScales.Dispose();
        _bytes.Dispose();
        _scales.Dispose();
        _sums.Dispose();
        _starts.Dispose();
    }

    /// <summary>scale = largest magnitude ÷ 127; values are rounded to the nearest, ties to even. What is not finite makes the scale not finite.</summary>
    /// <remarks>Eight blocks at a time: what each has one of, such as its scale, is computed for all of them in one register.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void ToBytes(float* input, int columns, int row, int rows, ByteTile tile, bool halves)
    {
        const int Length = ByteTile.BlockLength;
        float* factors = stackalloc float[BlocksAtOnce];
        int* firstPairs = stackalloc int[BlocksAtOnce], lastPairs = stackalloc int[BlocksAtOnce];
        int* values = (int*)tile.Values + row;
        for (int start = 0; start < columns / Length; start += BlocksAtOnce, input += BlocksAtOnce * Length)
        {
            int blocks = Math.Min(BlocksAtOnce, columns / Length - start);
            for (int block = 0; block < blocks; block++)
            {
                (Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) = Load(input + block * Length);
                factors[block] = BitConverter.Int32BitsToSingle(BlockLanes.LargestMagnitudeBits(a, b, c, d));
            }

            Vector256<float> scales = Vector256.Load(factors) / 127, inverses = Vector256<float>.One / scales;
            inverses &= Vector256.LessThanOrEqual(inverses, Vector256.Create(float.MaxValue));       // 0 for a block of zeros, or one that is lost anyway
            inverses.Store(factors);
            for (int block = 0; block < blocks; block++)
            {
                (Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) = Load(input + block * Length);
                var inverse = Vector256.Create(factors[block]);
                Vector256<sbyte> bytes = BlockLanes.Narrow(
                    BlockLanes.Round(a * inverse), BlockLanes.Round(b * inverse), BlockLanes.Round(c * inverse), BlockLanes.Round(d * inverse));
                Vector256<int> pairs = PairSums(bytes);
                (firstPairs[block], lastPairs[block]) = (pairs.GetElement(0), pairs.GetElement(4));
                if (rows == 1)
                {
                    bytes.Store((sbyte*)values);
                    values += Length / 4;
                    continue;
                }

                for (int group = 0; group < Length / 4; group++, values += rows)
                {
                    *values = bytes.AsInt32()[group];
                }
            }

            Vector256<int> first = Vector256.Load(firstPairs), last = Vector256.Load(lastPairs), all = (first.AsInt16() + last.AsInt16()).AsInt32();
            nint at = (nint)start * rows + row;
            Scatter(scales.AsInt32(), (int*)tile.Scales + at, rows, blocks);
            Scatter((scales * Vector256.ConvertToSingle(Sum(all))).AsInt32(), (int*)tile.Sums + at, rows, blocks);
            Scatter(Start(all, 8, halves), tile.Starts(8) + at, rows, blocks);
            Scatter(Start(all, 16, halves), tile.Starts(16) + at, rows, blocks);
            Scatter(Start(all, 128, halves: false), tile.Starts(128) + at, rows, blocks);
            Scatter(Start(first, 32, halves), tile.Starts(32) + 2 * at - row, 2 * rows, blocks);
            Scatter(Start(last, 32, halves), tile.Starts(32) + 2 * at - row + rows, 2 * rows, blocks);
        }
    }

    /// <summary>
    /// scale = the largest magnitude ÷ <see cref="ShortTile.Largest"/> or, if that is more, the root of the sum of squares ÷ <see cref="ShortTile.Most"/>; values are rounded to the
    /// nearest, ties to even. What is not finite makes the scale not finite.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void ToShorts(float* input, int columns, int row, int rows, ShortTile tile)
    {
        const int Length = ShortTile.BlockLength;
        float* factors = stackalloc float[BlocksAtOnce], squares = stackalloc float[BlocksAtOnce], room = stackalloc float[Length];
        int* pairs = (int*)tile.Values + row;
        for (int start = 0, all = ShortTile.BlocksOf(columns); start < all; start += BlocksAtOnce)
        {
            int blocks = Math.Min(BlocksAtOnce, all - start);
            for (int block = 0; block < blocks; block++)
            {
                (Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) = Load(Block(input, columns, start + block, room));
                factors[block] = BitConverter.Int32BitsToSingle(BlockLanes.LargestMagnitudeBits(a, b, c, d));
            }

            Vector256<float> largest = Vector256.Load(factors), inverses = Vector256<float>.One / largest;
            inverses &= Vector256.LessThanOrEqual(inverses, Vector256.Create(float.MaxValue));       // 0 for a block of zeros, or one that is lost anyway
            inverses.Store(factors);
            for (int block = 0; block < blocks; block++)
            {
                (Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) = Load(Block(input, columns, start + block, room));
                var inverse = Vector256.Create(factors[block]);
                squares[block] = BlockLanes.SquareSum(a * inverse, b * inverse, c * inverse, d * inverse);      // from 1 to 32
            }

            Vector256<float> steps = Vector256.Max(Vector256.Create(1f / ShortTile.Largest), Vector256.Sqrt(Vector256.Load(squares)) / ShortTile.Most);
            Vector256<float> scales = largest * steps;
            (inverses / steps).Store(factors);
            for (int block = 0; block < blocks; block++)
            {
                (Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) = Load(Block(input, columns, start + block, room));
                var inverse = Vector256.Create(factors[block]);
                Vector256<short> first = Vector256.Narrow(BlockLanes.Round(a * inverse), BlockLanes.Round(b * inverse));
                Vector256<short> second = Vector256.Narrow(BlockLanes.Round(c * inverse), BlockLanes.Round(d * inverse));
                if (rows == 1)
                {
                    first.Store((short*)pairs);
                    second.Store((short*)pairs + Length / 2);
                    pairs += Length / 2;
                    continue;
                }

                for (int pair = 0; pair < Length / 4; pair++, pairs += rows)
                {
                    *pairs = first.AsInt32()[pair];
                    pairs[Length / 4 * rows] = second.AsInt32()[pair];
                }

                pairs += Length / 4 * rows;
            }

            Scatter(scales.AsInt32(), (int*)tile.Scales + (nint)start * rows + row, rows, blocks);
        }
    }

    /// <summary>A block of 32 numbers, the last one filled up with zeros.</summary>
    /// <param name="input">The numbers.</param>
    /// <param name="columns">How many there are.</param>
    /// <param name="block">The block.</param>
    /// <param name="room">Room for one.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float* Block(float* input, int columns, int block, float* room)
    {
        const int Length = ShortTile.BlockLength;
        int left = columns - block * Length;
        if (left >= Length)
        {
            return input + block * Length;
        }

        new Span<float>(room, Length).Clear();
        new ReadOnlySpan<float>(input + block * Length, left).CopyTo(new Span<float>(room, Length));
        return room;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> A, Vector256<float> B, Vector256<float> C, Vector256<float> D) Load(float* block) =>
        (Vector256.Load(block), Vector256.Load(block + 8), Vector256.Load(block + 16), Vector256.Load(block + 24));

    /// <summary>
    /// Of the first 16 columns in every lane of the lower half, of the last 16 in the upper one: the sum of columns 0, 1, 4, 5, … in the lower 16 bits, that of 2, 3, 6, 7, … in the upper.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> PairSums(Vector256<sbyte> bytes)
    {
        Vector256<short> sums = ((bytes.AsInt16() << 8) >> 8) + (bytes.AsInt16() >> 8);
        sums += Vector256.Shuffle(sums.AsInt32(), Vector256.Create(2, 3, 0, 1, 6, 7, 4, 5)).AsInt16();
        sums += Vector256.Shuffle(sums.AsInt32(), Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6)).AsInt16();
        return sums.AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Sum(Vector256<int> pairs) => ((pairs << 16) >> 16) + (pairs >> 16);

    /// <summary>See <see cref="ByteTile.Starts"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Start(Vector256<int> pairs, int offset, bool halves) =>
        halves ? (pairs.AsInt16() * (short)-offset).AsInt32() : Sum(pairs) * -offset;

    /// <summary>Stores the first of eight numbers, <paramref name="stride"/> apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scatter(Vector256<int> numbers, int* to, int stride, int count)
    {
        if (stride == 1 && count == BlocksAtOnce)
        {
            numbers.Store(to);
            return;
        }

        for (int i = 0; i < count; i++, to += stride)
        {
            *to = numbers[i];
        }
    }
}

/// <summary>What a kernel reads its inputs as.</summary>
internal enum InputNumbers
{
    /// <summary>Singles, as they are.</summary>
    Floats,

    /// <summary>Integers of 16 bits.</summary>
    Shorts,

    /// <summary>Integers of 8 bits.</summary>
    Bytes,
}
