using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>Rows of weights between their order in a file and the order in which kernels read them.</summary>
/// <remarks>
/// A stripe is 32 rows. F32 lies column by column: [columns, 32]. F16 and BF16 become integers (<see cref="ShortStripes"/>), but few columns of them singles.
/// Weights of 4 and 8 bits are two panels of 16 rows, one after the other: per block of 32 columns [8, 16 rows, 4 columns] bytes, or half as many bytes of two nibbles (<see cref="ByteTiles"/>), and behind them [16] halves, their scales.
/// K-quants are such panels, too, with a head for 256 columns (<see cref="KStripes"/>). One core so reads one stream from beginning to end. Rows that the
/// matrix lacks are zeros.
/// </remarks>
internal static unsafe class StripePacker
{
    /// <summary>Panels of a stripe.</summary>
    public const int Panels = 2;

    /// <summary>Rows of a panel.</summary>
    public const int PanelRows = FloatTiles.StripeRows / Panels;

    private const int Block = ByteTile.BlockLength;
    private const int LeastColumnsOfShorts = 256;
    private const int ColumnsAtOnce = 64;                                     // of singles: what is written stays in the first cache
    private const int BlocksAtOnce = 8;                                       // of integer weights

    /// <summary>What the kernels read inputs as.</summary>
    /// <remarks>Small matrices of F16 and BF16 are quick whatever they are, so they are not rounded to integers.</remarks>
    /// <param name="format">The format of a matrix.</param>
    /// <param name="columns">Its columns.</param>
    public static InputNumbers InputsOf(WeightFormat format, int columns) => format switch
    {
        WeightFormat.F32 => InputNumbers.Floats,
        WeightFormat.F16 or WeightFormat.BF16 => columns < LeastColumnsOfShorts ? InputNumbers.Floats : InputNumbers.Shorts,
        _ => InputNumbers.Bytes,
    };

    /// <summary>Bytes of one stripe, a multiple of 64.</summary>
    /// <param name="format">The format.</param>
    /// <param name="columns">Columns of the matrix.</param>
    public static long StripeBytes(WeightFormat format, int columns) => InputsOf(format, columns) switch
    {
        InputNumbers.Floats => (long)columns * FloatTiles.StripeRows * sizeof(float),
        InputNumbers.Shorts => ShortTiles.StripeBytes(columns),
        InputNumbers.Bytes when format is WeightFormat.Q8_0 or WeightFormat.Q4_0 => (long)Panels * (columns / Block) * BlockBytes(format),
        _ => KStripes.Bytes(format, columns),
    };

    /// <summary>The weights of a panel's first block.</summary>
    public static byte* Weights(WeightFormat format, byte* stripe, int panel, int columns) => stripe + (nint)panel * (columns / Block) * BlockBytes(format);

    /// <summary>The scales of a panel's first block.</summary>
    public static ushort* Scales(WeightFormat format, byte* stripe, int panel, int columns) =>
        (ushort*)(Weights(format, stripe, panel, columns) + BlockBytes(format)) - PanelRows;

    /// <summary>Packs up to 32 rows.</summary>
    /// <remarks>Scales are raised on the way (<see cref="HalfBits.Raise"/>) unless one of them is too large, and F16 and BF16 become integers unless a weight is not finite.</remarks>
    /// <param name="format">Their format.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">Weights of a row, whole blocks.</param>
    /// <param name="stripe"><see cref="StripeBytes"/>.</param>
    /// <returns>Whether the kernels take the stripe. The rows of any other are read by <see cref="ReadRow"/>.</returns>
    public static bool Pack(WeightFormat format, FileRows rows, int columns, byte* stripe)
    {
        if (rows.Count < FloatTiles.StripeRows)
        {
            new Span<byte>(stripe, checked((int)StripeBytes(format, columns))).Clear();
        }

        switch (InputsOf(format, columns))
        {
            case InputNumbers.Floats:
                PackSingles(format, rows, columns, (float*)stripe);
                return true;
            case InputNumbers.Shorts when ShortStripes.Pack(format, rows, columns, stripe):
                return true;
            case InputNumbers.Shorts:
                for (int row = 0; row < rows.Count; row++)
                {
                    int bytes = checked((int)format.RowBytes(columns));
                    new ReadOnlySpan<byte>(rows[row], bytes).CopyTo(new Span<byte>(stripe + (nint)row * bytes, bytes));
                }

                return false;
        }

        PackIntegers(format, rows, columns, stripe);
        bool raised = Raise(format, stripe, columns);
        if (!raised)
        {
            PackIntegers(format, rows, columns, stripe);
        }

        return raised;
    }

    /// <summary>Reads one row of a stripe as floats.</summary>
    /// <param name="format">The stripe's format.</param>
    /// <param name="ordinary">What <see cref="Pack"/> said of it.</param>
    /// <param name="stripe">The stripe.</param>
    /// <param name="row">From 0 to 31.</param>
    /// <param name="destination">One float per column.</param>
    public static void ReadRow(WeightFormat format, bool ordinary, byte* stripe, int row, Span<float> destination)
    {
        switch (InputsOf(format, destination.Length))
        {
            case InputNumbers.Floats:
                for (int column = 0; column < destination.Length; column++)
                {
                    destination[column] = ((float*)stripe)[(nint)column * FloatTiles.StripeRows + row];
                }

                break;
            case InputNumbers.Shorts when ordinary:
                ShortStripes.ReadRow(stripe, row, destination);
                break;
            case InputNumbers.Shorts:
                ReadUnpacked(format, stripe + row * (nint)format.RowBytes(destination.Length), destination);
                break;
            case InputNumbers.Bytes when format is WeightFormat.Q8_0 or WeightFormat.Q4_0:
                byte* weights = Weights(format, stripe, row / PanelRows, destination.Length) + 4 * (row % PanelRows);
                ReadBlocks(format, weights, Scales(format, stripe, row / PanelRows, destination.Length) + row % PanelRows, ordinary, destination);
                break;
            default:
                KStripes.ReadRow(format, ordinary, stripe, row, destination);
                break;
        }
    }

    /// <summary>Reads one row that is not packed as the floats that it would be if it were.</summary>
    /// <param name="format">The format.</param>
    /// <param name="row">The row, as in a file.</param>
    /// <param name="destination">One float per column.</param>
    public static void ReadUnpacked(WeightFormat format, byte* row, Span<float> destination)
    {
        WeightCodec.Decode(format, new ReadOnlySpan<byte>(row, checked((int)format.RowBytes(destination.Length))), destination);
        if (InputsOf(format, destination.Length) == InputNumbers.Shorts)
        {
            ShortStripes.Round(destination);
        }
    }

    private static void PackIntegers(WeightFormat format, FileRows rows, int columns, byte* stripe)
    {
        if (format is WeightFormat.Q8_0 or WeightFormat.Q4_0)
        {
            PackBlocks(format, rows, columns, stripe);
        }
        else
        {
            KStripes.Pack(format, rows, columns, stripe);
        }
    }

    /// <summary>Raises the halves of a stripe; if that fails, they are spoilt.</summary>
    private static bool Raise(WeightFormat format, byte* stripe, int columns)
    {
        if (format is not (WeightFormat.Q8_0 or WeightFormat.Q4_0))
        {
            return KStripes.Raise(format, stripe, columns);
        }

        bool all = true;
        ushort* scales = Scales(format, stripe, 0, columns);
        for (int block = 0; block < Panels * (columns / Block); block++, scales += BlockBytes(format) / sizeof(ushort))
        {
            all &= HalfBits.Raise(new Span<ushort>(scales, PanelRows));
        }

        return all;
    }

    private static int BlockBytes(WeightFormat format) =>
        PanelRows * Block / (format == WeightFormat.Q4_0 ? 2 : 1) + PanelRows * sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackSingles(WeightFormat format, FileRows rows, int columns, float* stripe)
    {
        float* singles = stackalloc float[ColumnsAtOnce];
        for (int start = 0; start < columns; start += ColumnsAtOnce)
        {
            int width = Math.Min(ColumnsAtOnce, columns - start), bytes = format.BlockBytes();
            rows.FetchNext((nint)start * bytes, width * bytes);
            for (int row = 0; row < rows.Count; row++)
            {
                WeightCodec.Decode(format, new ReadOnlySpan<byte>(rows[row] + (nint)start * bytes, width * bytes), new Span<float>(singles, width));
                float* to = stripe + (nint)start * FloatTiles.StripeRows + row;
                for (int column = 0; column < width; column++, to += FloatTiles.StripeRows)
                {
                    *to = singles[column];
                }
            }
        }
    }

    private static void PackBlocks(WeightFormat format, FileRows rows, int columns, byte* stripe)
    {
        for (int start = 0; start < columns / Block; start += BlocksAtOnce)
        {
            int blocks = Math.Min(BlocksAtOnce, columns / Block - start), ahead = start * BlockBytes(format);
            rows.FetchNext(start * format.BlockBytes(), blocks * format.BlockBytes());
            for (int row = 0, next; row < rows.Count; row = next)
            {
                byte* from = rows[row] + start * format.BlockBytes();
                byte* weights = Weights(format, stripe, row / PanelRows, columns) + ahead + 4 * (row % PanelRows);
                ushort* scales = Scales(format, stripe, row / PanelRows, columns) + ahead / sizeof(ushort) + row % PanelRows;
                if (Words512.IsSupported && row + Words512.Count <= rows.Count)
                {
                    next = row + Words512.Count;
                    PackRows<Words512>(format, from, rows.Stride, blocks, weights, scales);
                }
                else if (Words128.IsSupported && row + Words128.Count <= rows.Count)
                {
                    next = row + Words128.Count;
                    PackRows<Words128>(format, from, rows.Stride, blocks, weights, scales);
                }
                else
                {
                    next = row + 1;
                    PackRow(format, from, blocks, weights, scales);
                }
            }
        }
    }

    private static void PackRows<TWords>(WeightFormat format, byte* row, nint stride, int blocks, byte* weights, ushort* scales)
        where TWords : struct, IWordLanes<TWords>
    {
        if (format == WeightFormat.Q8_0)
        {
            PackBytes<TWords>(row, stride, blocks, weights, scales);
        }
        else
        {
            PackNibbles<TWords>(row, stride, blocks, weights, scales);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackBytes<TWords>(byte* row, nint stride, int blocks, byte* weights, ushort* scales)
        where TWords : struct, IWordLanes<TWords>
    {
        TWords signs = TWords.Broadcast(0x80808080);
        for (int block = 0; block < blocks; block++, row += Q8Blocks.Bytes, scales += BlockBytes(WeightFormat.Q8_0) / sizeof(ushort))
        {
            PackScales(row, stride, TWords.Count, scales);
            for (int half = 0; half < 2; half++, weights += 4 * 4 * PanelRows)
            {
                (TWords a, TWords b, TWords c, TWords d) = TWords.Transpose(row + sizeof(ushort) + 16 * half, stride);
                TWords.Store(TWords.Xor(a, signs), weights);
                TWords.Store(TWords.Xor(b, signs), weights + 4 * PanelRows);
                TWords.Store(TWords.Xor(c, signs), weights + 8 * PanelRows);
                TWords.Store(TWords.Xor(d, signs), weights + 12 * PanelRows);
            }

            weights += PanelRows * sizeof(ushort);
        }
    }

    /// <summary>Byte i of the file holds columns i and i + 16; ours hold a column and the one 4 further on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackNibbles<TWords>(byte* row, nint stride, int blocks, byte* weights, ushort* scales)
        where TWords : struct, IWordLanes<TWords>
    {
        TWords low = TWords.Broadcast(0x0F0F0F0F), high = TWords.Broadcast(0xF0F0F0F0);
        for (int block = 0; block < blocks; block++, row += Q4Blocks.Bytes, weights += BlockBytes(WeightFormat.Q4_0), scales += BlockBytes(WeightFormat.Q4_0) / sizeof(ushort))
        {
            PackScales(row, stride, TWords.Count, scales);
            (TWords a, TWords b, TWords c, TWords d) = TWords.Transpose(row + sizeof(ushort), stride);
            TWords.Store(TWords.Or(TWords.And(a, low), TWords.ShiftLeft(TWords.And(b, low), 4)), weights);
            TWords.Store(TWords.Or(TWords.And(c, low), TWords.ShiftLeft(TWords.And(d, low), 4)), weights + 4 * PanelRows);
            TWords.Store(TWords.Or(TWords.And(TWords.ShiftRight(a, 4), low), TWords.And(b, high)), weights + 8 * PanelRows);
            TWords.Store(TWords.Or(TWords.And(TWords.ShiftRight(c, 4), low), TWords.And(d, high)), weights + 12 * PanelRows);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackScales(byte* row, nint stride, int count, ushort* scales)
    {
        for (int i = 0; i < count; i++, row += stride)
        {
            scales[i] = Unsafe.ReadUnaligned<ushort>(row);
        }
    }

    /// <summary>One row: the twin of those that take several.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRow(WeightFormat format, byte* row, int blocks, byte* weights, ushort* scales)
    {
        for (int block = 0; block < blocks; block++, weights += PanelRows * sizeof(ushort), scales += BlockBytes(format) / sizeof(ushort))
        {
            *scales = Unsafe.ReadUnaligned<ushort>(row);
            byte* values = row + sizeof(ushort);
            if (format == WeightFormat.Q8_0)
            {
                for (int group = 0; group < 8; group++, weights += 4 * PanelRows)
                {
                    *(uint*)weights = Unsafe.ReadUnaligned<uint>(values + 4 * group) ^ 0x80808080;
                }

                row += Q8Blocks.Bytes;
                continue;
            }

            // Byte i of the file holds columns i and i + 16; ours hold a column and the one 4 further on.
            for (int two = 0; two < 4; two++, weights += 4 * PanelRows)
            {
                ulong eight = Unsafe.ReadUnaligned<ulong>(values + 8 * (two % 2)) >> (4 * (two / 2)) & 0x0F0F0F0F0F0F0F0F;
                *(uint*)weights = (uint)eight | (uint)(eight >> 32) << 4;
            }

            row += Q4Blocks.Bytes;
        }
    }

    private static void ReadBlocks(WeightFormat format, byte* weights, ushort* scales, bool raised, Span<float> destination)
    {
        for (int start = 0; start < destination.Length; start += Block, weights += BlockBytes(format), scales += BlockBytes(format) / sizeof(ushort))
        {
            float scale = HalfBits.ToSingle(*scales, raised);
            for (int column = 0; column < Block; column++)
            {
                destination[start + column] = scale * (format == WeightFormat.Q8_0
                    ? weights[column / 4 * (4 * PanelRows) + column % 4] - 128
                    : (weights[column / 8 * (4 * PanelRows) + column % 4] >> (column & 4) & 15) - 8);
            }
        }
    }
}
