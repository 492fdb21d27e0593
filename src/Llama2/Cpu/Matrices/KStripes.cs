using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>Rows of K-quants between their order in a file and that of <see cref="KTiles"/>: no bit of a weight, a scale or a minimum is lost.</summary>
internal static unsafe class KStripes
{
    private const int Length = KBlocks.Length;
    private const int PanelRows = StripePacker.PanelRows;
    private const int LineBytes = 4 * PanelRows;

    /// <summary>Bytes of one stripe.</summary>
    public static long Bytes(WeightFormat format, int columns) => 2 * PanelBytes(format, columns);

    /// <summary>The first superblock of a panel.</summary>
    public static byte* Panel(WeightFormat format, byte* stripe, int panel, int columns) => stripe + panel * PanelBytes(format, columns);

    /// <summary>Packs up to 32 rows; the others stay what they are.</summary>
    public static void Pack(WeightFormat format, FileRows rows, int columns, byte* stripe)
    {
        switch (format)
        {
            case WeightFormat.Q4_K: Pack<FourBits>(format, rows, columns, stripe); break;
            case WeightFormat.Q5_K: Pack<FiveBits>(format, rows, columns, stripe); break;
            default: Pack<SixBits>(format, rows, columns, stripe); break;
        }
    }

    /// <summary>Raises the halves of all superblocks (<see cref="HalfBits.Raise"/>); if that fails, they are spoilt.</summary>
    public static bool Raise(WeightFormat format, byte* stripe, int columns)
    {
        int superblocks = columns / Length;
        nint bytes = PanelBytes(format, columns) / superblocks;
        bool all = true;
        for (int superblock = 0; superblock < 2 * superblocks; superblock++)
        {
            all &= HalfBits.Raise(new Span<ushort>(stripe + superblock * bytes, KTiles.ScalesAt / sizeof(ushort)));
        }

        return all;
    }

    /// <summary>Reads one row of a stripe as floats, with the bits of <see cref="WeightCodec.Decode"/>.</summary>
    public static void ReadRow(WeightFormat format, bool raised, byte* stripe, int row, Span<float> destination)
    {
        byte* panel = Panel(format, stripe, row / PanelRows, destination.Length);
        switch (format)
        {
            case WeightFormat.Q4_K: ReadRow<FourBits>(raised, panel, row % PanelRows, destination); break;
            case WeightFormat.Q5_K: ReadRow<FiveBits>(raised, panel, row % PanelRows, destination); break;
            default: ReadRow<SixBits>(raised, panel, row % PanelRows, destination); break;
        }
    }

    private static nint PanelBytes(WeightFormat format, int columns) => (nint)columns / Length * format switch
    {
        WeightFormat.Q4_K => KTiles.SuperblockBytes<FourBits>(),
        WeightFormat.Q5_K => KTiles.SuperblockBytes<FiveBits>(),
        _ => KTiles.SuperblockBytes<SixBits>(),
    };

    /// <summary>Superblock by superblock, so that what is written stays in the first cache until all rows are there.</summary>
    private static void Pack<TWeights>(WeightFormat format, FileRows rows, int columns, byte* stripe)
        where TWeights : struct, IKWeights
    {
        int blockBytes = format.BlockBytes();
        for (int block = 0; block < columns / Length; block++)
        {
            rows.FetchNext((nint)block * blockBytes, blockBytes);
            for (int row = 0; row < rows.Count; row++)
            {
                byte* panel = Panel(format, stripe, row / PanelRows, columns) + block * KTiles.SuperblockBytes<TWeights>();
                Pack<TWeights>(format, new ReadOnlySpan<byte>(rows[row] + (nint)block * blockBytes, blockBytes), panel, row % PanelRows);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pack<TWeights>(WeightFormat format, ReadOnlySpan<byte> block, byte* superblock, int row)
        where TWeights : struct, IKWeights
    {
        const ulong LowNibbles = 0x0F0F0F0F0F0F0F0F;
        ulong* q = stackalloc ulong[Length / 8];                              // eight columns each
        KBlocks.Integers(format, block, new Span<byte>(q, Length));
        ushort* halves = (ushort*)superblock + row;
        byte* scales = superblock + KTiles.ScalesAt + row;
        (halves[0], ushort minimum) = KBlocks.ScaleBits(format, block);
        halves[PanelRows] = TWeights.HasMinima ? (ushort)(minimum ^ 0x8000) : (ushort)0;
        for (int group = 0; group < TWeights.Groups; group++)
        {
            (int scale, int least) = KBlocks.SmallIntegers(format, block, group);
            scales[group * PanelRows] = (byte)scale;
            if (TWeights.HasMinima)
            {
                scales[(TWeights.Groups + group) * PanelRows] = (byte)least;
            }
        }

        uint* to = (uint*)(superblock + KTiles.HeadBytes) + row;
        for (int group = 0; group < TWeights.Groups; group++)
        {
            uint upper = 0;
            for (int line = 0; line < TWeights.NibbleLines; line++, q++, to += PanelRows)
            {
                ulong low = *q & LowNibbles;
                *to = (uint)low | (uint)(low >> 32) << 4;
                if (TWeights.UpperBits > 0)
                {
                    ulong high = *q >> 4 & LowNibbles;
                    upper |= ((uint)high | (uint)(high >> 32) << TWeights.UpperBits) << (2 * TWeights.UpperBits * line);
                }
            }

            if (TWeights.UpperBits > 0)
            {
                *to = upper;
                to += PanelRows;
            }
        }
    }

    private static void ReadRow<TWeights>(bool raised, byte* superblock, int row, Span<float> destination)
        where TWeights : struct, IKWeights
    {
        int groupColumns = Length / TWeights.Groups, offset = TWeights.HasMinima ? 0 : 8 << TWeights.UpperBits;
        for (; destination.Length > 0; destination = destination[Length..], superblock += KTiles.SuperblockBytes<TWeights>())
        {
            ushort* halves = (ushort*)superblock + row;
            byte* scales = superblock + KTiles.ScalesAt + row;
            byte* weights = superblock + KTiles.HeadBytes + 4 * row;
            for (int group = 0; group < TWeights.Groups; group++)
            {
                float scale = HalfBits.ToSingle(halves[0], raised) * (sbyte)scales[group * PanelRows];
                float minimum = TWeights.HasMinima ? HalfBits.ToSingle(halves[PanelRows], raised) * scales[(TWeights.Groups + group) * PanelRows] : 0;
                byte* upper = weights + TWeights.NibbleLines * LineBytes;
                for (int column = 0; column < groupColumns; column++)
                {
                    int q = weights[column / 8 * LineBytes + column % 4] >> (column & 4) & 15;
                    if (TWeights.UpperBits > 0)
                    {
                        q |= (upper[column % 4] >> (column / 4 * TWeights.UpperBits) & ((1 << TWeights.UpperBits) - 1)) << 4;
                    }

                    float product = scale * (q - offset);
                    destination[group * groupColumns + column] = TWeights.HasMinima ? product + minimum : product;
                }

                weights = upper + (TWeights.UpperBits > 0 ? LineBytes : 0);
            }
        }
    }
}
