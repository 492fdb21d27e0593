using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>The inputs of a matrix product, in tiles of up to six: floats as they are, and integers in the order in which the kernels of integer weights read them.</summary>
/// <remarks>Filled once and then used by every matrix with the same inputs. Grown to the largest batch, then reused.</remarks>
/// <param name="sumsAreHalves">Whether the sums of small weights begin as two numbers of 16 bits.</param>
internal sealed unsafe class InputTiles(bool sumsAreHalves) : IDisposable
{
    /// <summary>The most inputs of a tile.</summary>
    public const int MostTileRows = 6;

    private AlignedMemory _bytes = new(0), _scales = new(0), _sums = new(0), _starts = new(0);
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

    public int Tiles => (Count + MostTileRows - 1) / MostTileRows;

    /// <summary>Inputs of every tile but the last, which may have fewer: tiles are as equal as can be, since small ones are hardly quicker.</summary>
    public int TileRows => TileRowsFor(Count);

    /// <summary>Inputs of a tile where there are so many in all: <see cref="MostTileRows"/> at most, and as equally shared out as can be.</summary>
    public static int TileRowsFor(int count)
    {
        int tiles = (count + MostTileRows - 1) / MostTileRows;
        return (count + tiles - 1) / tiles;
    }

    /// <summary>Bytes for one input of a number of columns.</summary>
    public static long BytesPerRow(int columns) => columns + columns / ByteTile.BlockLength * (long)(2 * sizeof(float) + ByteTile.StartsPerBlock * sizeof(int));

    /// <summary>Takes inputs, which stay the caller's and where they are.</summary>
    /// <param name="inputs">[count, columns].</param>
    /// <param name="count">Inputs.</param>
    /// <param name="columns">Numbers of an input.</param>
    public void Begin(float* inputs, int count, int columns)
    {
        _inputs = inputs;
        (Count, Columns) = (count, columns);
    }

    /// <summary>Makes room for the integers; the tiles are then filled by <see cref="FillBytes"/>. The columns are whole blocks.</summary>
    public void BeginBytes()
    {
        long numbers = (long)Count * Columns, blocks = numbers / ByteTile.BlockLength;
        AlignedMemory.Reserve(ref _bytes, numbers);
        AlignedMemory.Reserve(ref _scales, blocks * sizeof(float));
        AlignedMemory.Reserve(ref _sums, blocks * sizeof(float));
        AlignedMemory.Reserve(ref _starts, blocks * ByteTile.StartsPerBlock * sizeof(int));
    }

    /// <summary>Inputs of a tile.</summary>
    public int RowsOf(int tile) => Math.Min(TileRows, Count - tile * TileRows);

    /// <summary>The integers of a tile.</summary>
    public ByteTile Bytes(int tile)
    {
        nint first = (nint)tile * TileRows, blocks = Columns / ByteTile.BlockLength, before = first * blocks;
        return new(
            (sbyte*)_bytes.Pointer + first * Columns, _scales.Floats + before, _sums.Floats + before,
            (int*)_starts.Pointer + before * ByteTile.StartsPerBlock, RowsOf(tile) * blocks);
    }

    /// <summary>The floats of a tile: [inputs, columns].</summary>
    public float* Floats(int tile) => _inputs + (nint)tile * TileRows * Columns;

    /// <summary>Makes integers of the inputs of one tile.</summary>
    /// <param name="tile">From 0 to <see cref="Tiles"/> − 1.</param>
    public void FillBytes(int tile)
    {
        int rows = RowsOf(tile);
        for (int row = 0; row < rows; row++)
        {
            ToBytes(Floats(tile) + (nint)row * Columns, Columns, row, rows, Bytes(tile), sumsAreHalves);
        }
    }

    public void Dispose()
    {
        _bytes.Dispose();
        _scales.Dispose();
        _sums.Dispose();
        _starts.Dispose();
    }

    /// <summary>scale = largest magnitude ÷ 127; values are rounded to the nearest, ties to even. What is not finite makes the scale not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void ToBytes(float* input, int columns, int row, int rows, ByteTile tile, bool halves)
    {
        int* values = (int*)tile.Values + row, byteStarts = tile.Starts(128) + row;
        int* starts8 = tile.Starts(8) + row, starts16 = tile.Starts(16) + row, starts32 = tile.Starts(32) + row;
        for (int block = 0; block < columns / ByteTile.BlockLength; block++, input += ByteTile.BlockLength)
        {
            Vector256<float> a = Vector256.Load(input), b = Vector256.Load(input + 8), c = Vector256.Load(input + 16), d = Vector256.Load(input + 24);
            float scale = BitConverter.Int32BitsToSingle(BlockLanes.LargestMagnitudeBits(a, b, c, d)) / 127, inverse = 1 / scale;
            inverse = float.IsFinite(inverse) ? inverse : 0;                  // a block of zeros, or one that is lost anyway
            Vector256<sbyte> bytes = Vector256.Narrow(
                Vector256.Narrow(Round(a * inverse), Round(b * inverse)),
                Vector256.Narrow(Round(c * inverse), Round(d * inverse)));
            tile.Scales[(nint)block * rows + row] = scale;
            (Vector128<short> first, Vector128<short> last) = AdjacentSums(bytes);
            int firstPairs = PairSums(first), lastPairs = PairSums(last), pairs = PairSums(first + last), sum = Sum(pairs);
            tile.Sums[(nint)block * rows + row] = scale * sum;
            nint at = (nint)block * rows;
            byteStarts[at] = -128 * sum;
            starts8[at] = Start(pairs, 8, halves);
            starts16[at] = Start(pairs, 16, halves);
            starts32[2 * at] = Start(firstPairs, 32, halves);
            starts32[2 * at + rows] = Start(lastPairs, 32, halves);
            for (int group = 0; group < 8; group++, values += rows)
            {
                *values = bytes.AsInt32()[group];
            }
        }

        static Vector256<int> Round(Vector256<float> value) => Vector256.ConvertToInt32Native(Vector256.Round(value));
    }

    /// <summary>The sums of columns 0 and 1, 2 and 3, … of each half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<short> First, Vector128<short> Last) AdjacentSums(Vector256<sbyte> bytes)
    {
        Vector256<short> pairs = ((bytes.AsInt16() << 8) >> 8) + (bytes.AsInt16() >> 8);
        return (pairs.GetLower(), pairs.GetUpper());
    }

    /// <summary>The sum of the even ones in the lower half, that of the odd ones in the upper.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int PairSums(Vector128<short> four)
    {
        four += Vector128.Shuffle(four.AsInt32(), Vector128.Create(2, 3, 0, 1)).AsInt16();
        four += Vector128.Shuffle(four.AsInt32(), Vector128.Create(1, 0, 3, 2)).AsInt16();
        return four.AsInt32().ToScalar();
    }

    private static int Sum(int pairs) => (short)pairs + (pairs >> 16);

    /// <summary>See <see cref="ByteTile.Starts"/>.</summary>
    private static int Start(int pairs, int offset, bool halves) => halves
        ? (ushort)(-offset * (short)pairs) | -offset * (pairs >> 16) << 16
        : -offset * Sum(pairs);
}
