namespace Llama2;

/// <summary>Keys and values of one sequence, in blocks of 32 tokens that are allocated as the sequence grows.</summary>
/// <remarks>
/// A block lies as the kernels of plain weights want it: the keys of a head as [head size, 32 tokens], so that a score is a product with 32
/// "rows", and its values as stripes of [32 tokens, 32 dimensions], the last filled up with zeros. The keys of all heads lie together, and so do the
/// values, so that what reads several heads reads a long piece of memory. In 8 bits, 32 dimensions of a token share a
/// scale; the scales stand behind the bytes, [dimensions / 32, 32 tokens] halves. Halves are raised (<see cref="HalfBits.Raise"/>), all keys or
/// values of a head in a block or none: when one of them is too large, the block's others are lowered.
/// </remarks>
internal sealed unsafe class CpuKeyValueCache(LlamaConfig config, int capacity, WeightFormat format) : KeyValueCache
{
    public const int BlockTokens = FloatTiles.StripeRows;

    private readonly List<AlignedMemory> _blocks = [];           // each [layers, keys of all heads, then values]
    private readonly List<bool[]> _lowered = [];                 // of each: [layers, kvHeads, keys then values]
    private bool _disposed;

    public override int Capacity => capacity;

    public override long ByteSize => _blocks.Count * BlockBytes(config, format);

    /// <summary>F32, F16 or Q8_0.</summary>
    public WeightFormat Format => format;

    /// <summary>Pages of a head's keys in a block, and of its values; 0 where those are no whole pages.</summary>
    public int PiecePages { get; } = config.HeadSize == PaddedHeadSize(config) && Bytes(format, config.HeadSize) % (long)PagesAhead.PageBytes == 0
        ? (int)(Bytes(format, config.HeadSize) / (long)PagesAhead.PageBytes) : 0;

    /// <summary>The dimensions of a value with those that fill its last stripe up.</summary>
    public static int PaddedHeadSize(LlamaConfig config) => (config.HeadSize + FloatTiles.StripeRows - 1) / FloatTiles.StripeRows * FloatTiles.StripeRows;

    public static long BlockBytes(LlamaConfig config, WeightFormat format) => config.LayerCount * LayerBytes(config, format);

    /// <summary>Whether the cache was made for this model.</summary>
    public bool Fits(LlamaConfig other, WeightFormat otherFormat) => ReferenceEquals(config, other) && format == otherFormat;

    /// <summary>Makes room for the tokens up to <paramref name="length"/>.</summary>
    public void Reserve(int length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        while (_blocks.Count * (long)BlockTokens < length)
        {
            _blocks.Add(new AlignedMemory(BlockBytes(config, format)));
            _lowered.Add(new bool[2 * config.LayerCount * config.KeyValueHeadCount]);
        }
    }

    /// <summary>Lists the pages of some heads' keys in some blocks, or of their values, block by block.</summary>
    /// <param name="layer">The block of the model.</param>
    /// <param name="head">The first key-value head.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="first">The first block.</param>
    /// <param name="count">Blocks.</param>
    /// <param name="areKeys">Whether it is the keys.</param>
    /// <param name="pages">Room for <see cref="PiecePages"/> of each head in each block.</param>
    public void ListPages(int layer, int head, int heads, int first, int count, bool areKeys, byte** pages)
    {
        for (int block = first; block < first + count; block++)
        {
            byte* piece = areKeys ? Keys(layer, head, block) : Values(layer, head, block);
            for (int page = 0; page < heads * PiecePages; page++)
            {
                *pages++ = piece + page * (nint)PagesAhead.PageBytes;
            }
        }
    }

    /// <summary>Stores the key and the value of one token.</summary>
    /// <param name="layer">The block of the model.</param>
    /// <param name="head">The key-value head.</param>
    /// <param name="position">The position; its block is reserved.</param>
    /// <param name="key">[head size].</param>
    /// <param name="value">[head size].</param>
    public void Store(int layer, int head, int position, ReadOnlySpan<float> key, ReadOnlySpan<float> value)
    {
        byte* keys = Keys(layer, head, position / BlockTokens), values = Values(layer, head, position / BlockTokens);
        int token = position % BlockTokens;
        if (format == WeightFormat.F32)
        {
            Store(key, value, (float*)keys + token, (float*)values + token * FloatTiles.StripeRows);
            return;
        }

        if (format == WeightFormat.Q8_0)
        {
            StoreBytes(key, value, (sbyte*)keys + token, (sbyte*)values + token * FloatTiles.StripeRows, Scales(keys, key.Length) + token, Scales(values, PaddedHeadSize(config)) + token);
            return;
        }

        Span<ushort> halves = stackalloc ushort[2 * key.Length];
        Span<ushort> keyHalves = halves[..key.Length], valueHalves = halves[key.Length..];
        ToHalves(key, keyHalves, keys, key.Length, ref Lowered(layer, head, position / BlockTokens, areKeys: true));
        ToHalves(value, valueHalves, values, PaddedHeadSize(config), ref Lowered(layer, head, position / BlockTokens, areKeys: false));
        Store<ushort>(keyHalves, valueHalves, (ushort*)keys + token, (ushort*)values + token * FloatTiles.StripeRows);
    }

    /// <summary>Keys or values of a head in a block as the kernels take them, where they lie or widened.</summary>
    /// <param name="layer">The block of the model.</param>
    /// <param name="head">The key-value head.</param>
    /// <param name="block">32 tokens.</param>
    /// <param name="areKeys">Whether it is the keys, [head size, 32 tokens], or the values, [padded head size / 32, 32 tokens, 32].</param>
    /// <param name="scaled">Whether halves are <see cref="HalfBits.InPlaceOfRaised"/> of what they are, which takes no products to widen them.</param>
    /// <param name="widen">Whether halves are to be singles, too: it pays where several products read them.</param>
    /// <param name="singles">Room for [head size, 32], for values the padded one.</param>
    /// <param name="pages">Where they are and what is read after them, as <see cref="ListPages"/> lists it; or null.</param>
    public Numbers Read(int layer, int head, int block, bool areKeys, bool scaled, bool widen, float* singles, byte** pages)
    {
        int dimensions = areKeys ? config.HeadSize : PaddedHeadSize(config);
        byte* numbers = areKeys ? Keys(layer, head, block) : Values(layer, head, block);
        switch (format)
        {
            case WeightFormat.F32:
                return new(numbers, PlainForm.Singles, cached: false);
            case WeightFormat.F16:
                return ReadHalves(numbers, dimensions, Lowered(layer, head, block, areKeys), scaled, widen, singles, pages);
            default:
                ushort* scales = Scales(numbers, dimensions);
                for (int first = 0; first < dimensions; first += FloatTiles.StripeRows, scales += BlockTokens)
                {
                    sbyte* bytes = (sbyte*)numbers + first * BlockTokens;
                    if (areKeys)
                    {
                        ByteBlocks.ScaleColumns(bytes, scales, Math.Min(FloatTiles.StripeRows, dimensions - first), singles + first * BlockTokens);
                    }
                    else
                    {
                        ByteBlocks.ScaleRows(bytes, scales, BlockTokens, singles + first * BlockTokens);
                    }
                }

                return new((byte*)singles, PlainForm.Singles, cached: true);
        }
    }

    /// <summary>Counts the tokens of a forward pass once all layers have stored them.</summary>
    public void Advance(int tokens) => Length += tokens;

    public override KeyValueCache Fork(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        var fork = new CpuKeyValueCache(config, capacity, format);
        fork.Reserve(length);
        for (int block = 0; block < fork._blocks.Count; block++)
        {
            Buffer.MemoryCopy(_blocks[block].Pointer, fork._blocks[block].Pointer, fork._blocks[block].Bytes, _blocks[block].Bytes);
            _lowered[block].CopyTo(fork._lowered[block], 0);
        }

        fork.Length = length;
        return fork;
    }

    protected override void Dispose(bool disposing)
    {
        _disposed = true;
        _blocks.ForEach(block => block.Dispose());
        _blocks.Clear();
        _lowered.Clear();
        Length = 0;
        base.Dispose(disposing);
    }

    /// <summary>The keys of a head in a block: [head size, 32 tokens].</summary>
    private byte* Keys(int layer, int head, int block) =>
        _blocks[block].Pointer + layer * (nint)LayerBytes(config, format) + head * (nint)KeyBytes(config, format);

    /// <summary>The values of a head in a block: [padded head size / 32, 32 tokens, 32].</summary>
    private byte* Values(int layer, int head, int block) =>
        Keys(layer, config.KeyValueHeadCount, block) + head * (nint)ValueBytes(config, format);

    private static Numbers ReadHalves(byte* numbers, int dimensions, bool lowered, bool scaled, bool widen, float* singles, byte** pages)
    {
        PlainForm form = lowered ? PlainForm.Halves : scaled ? PlainForm.HalvesInPlace : PlainForm.RaisedHalves;
        if (!widen && (!lowered || !scaled))
        {
            return new(numbers, form, cached: false);
        }

        if (pages is null)
        {
            PlainKernels.Widen(form, numbers, dimensions * BlockTokens, singles, default(LinesAhead));
        }
        else
        {
            PlainKernels.Widen(form, numbers, dimensions * BlockTokens, singles, new ListedPagesAhead(pages));
        }

        if (lowered && scaled)
        {
            ElementKernels.Scale(singles, HalfBits.InPlaceOfRaised, dimensions * BlockTokens);
        }

        return new((byte*)singles, PlainForm.Singles, cached: true);
    }

    /// <summary>Halves of a token as the block's others are: raised, unless one is too large, which lowers them all.</summary>
    private static void ToHalves(ReadOnlySpan<float> numbers, Span<ushort> halves, byte* block, int dimensions, ref bool lowered)
    {
        HalfBits.FromSingle(numbers, halves);
        if (!lowered && !HalfBits.Raise(halves))
        {
            HalfBits.Lower(new Span<ushort>(block, dimensions * BlockTokens));
            HalfBits.FromSingle(numbers, halves);
            lowered = true;
        }
    }

    private ref bool Lowered(int layer, int head, int block, bool areKeys) =>
        ref _lowered[block][2 * (layer * config.KeyValueHeadCount + head) + (areKeys ? 0 : 1)];

    private static long LayerBytes(LlamaConfig config, WeightFormat format) => config.KeyValueHeadCount * (KeyBytes(config, format) + ValueBytes(config, format));

    private static long KeyBytes(LlamaConfig config, WeightFormat format) => RoundUp(Bytes(format, config.HeadSize));

    private static long ValueBytes(LlamaConfig config, WeightFormat format) => RoundUp(Bytes(format, PaddedHeadSize(config)));

    private static long RoundUp(long bytes) => (bytes + 63) & ~63L;

    private static long Bytes(WeightFormat format, int dimensions) => (long)BlockTokens * (format == WeightFormat.Q8_0
        ? dimensions + (dimensions + FloatTiles.StripeRows - 1) / FloatTiles.StripeRows * sizeof(ushort)
        : dimensions * format.BlockBytes());

    private static ushort* Scales(byte* numbers, int dimensions) => (ushort*)(numbers + (nint)dimensions * BlockTokens);

    private static void StoreBytes(ReadOnlySpan<float> key, ReadOnlySpan<float> value, sbyte* keys, sbyte* values, ushort* keyScales, ushort* valueScales)
    {
        for (int first = 0; first < key.Length; first += FloatTiles.StripeRows, keyScales += BlockTokens, valueScales += BlockTokens)
        {
            int count = Math.Min(FloatTiles.StripeRows, key.Length - first);
            *keyScales = ByteBlocks.Store(key.Slice(first, count), keys + first * BlockTokens, BlockTokens);
            *valueScales = ByteBlocks.Store(value.Slice(first, count), values + first * BlockTokens, 1);
        }
    }

    private static void Store<T>(ReadOnlySpan<T> key, ReadOnlySpan<T> value, T* keys, T* values)
        where T : unmanaged
    {
        for (int i = 0; i < key.Length; i++)
        {
            keys[i * BlockTokens] = key[i];
        }

        for (int start = 0; start < value.Length; start += FloatTiles.StripeRows, values += BlockTokens * FloatTiles.StripeRows)
        {
            int count = Math.Min(FloatTiles.StripeRows, value.Length - start);
            value.Slice(start, count).CopyTo(new Span<T>(values, count));
        }
    }

    /// <summary>Numbers in the order of the kernels.</summary>
    public readonly struct Numbers(byte* pointer, PlainForm form, bool cached)
    {
        public byte* Pointer => pointer;

        public PlainForm Form => form;

        /// <summary>Whether they have just been written.</summary>
        public bool Cached => cached;
    }
}
