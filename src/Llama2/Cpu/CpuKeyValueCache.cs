namespace Llama2;

/// <summary>Keys and values of one sequence, in blocks of 32 tokens that are allocated as the sequence grows.</summary>
/// <remarks>
/// A block lies as the kernels of plain weights want it: the keys of a head as [head size, 32 tokens], so that a score is a product with 32
/// "rows", and its values as stripes of [32 tokens, 32 dimensions], the last filled up with zeros. In 8 bits, 32 dimensions of a token share a
/// scale; the scales stand behind the bytes, [dimensions / 32, 32 tokens] halves.
/// </remarks>
internal sealed unsafe class CpuKeyValueCache(LlamaConfig config, int capacity, WeightFormat format) : KeyValueCache
{
    public const int BlockTokens = FloatTiles.StripeRows;

    private readonly List<AlignedMemory> _blocks = [];           // each [layers, kvHeads, keys then values]
    private bool _disposed;

    public override int Capacity => capacity;

    public override long ByteSize => _blocks.Count * BlockBytes(config, format);

    /// <summary>F32, F16 or Q8_0.</summary>
    public WeightFormat Format => format;

    /// <summary>The dimensions of a value with those that fill its last stripe up.</summary>
    public static int PaddedHeadSize(LlamaConfig config) => (config.HeadSize + FloatTiles.StripeRows - 1) / FloatTiles.StripeRows * FloatTiles.StripeRows;

    public static long BlockBytes(LlamaConfig config, WeightFormat format) => config.LayerCount * (long)config.KeyValueHeadCount * HeadBytes(config, format);

    /// <summary>Whether the cache was made for this model.</summary>
    public bool Fits(LlamaConfig other, WeightFormat otherFormat) => ReferenceEquals(config, other) && format == otherFormat;

    /// <summary>Makes room for the tokens up to <paramref name="length"/>.</summary>
    public void Reserve(int length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        while (_blocks.Count * (long)BlockTokens < length)
        {
            _blocks.Add(new AlignedMemory(BlockBytes(config, format)));
        }
    }

    /// <summary>The keys of a head in a block: [head size, 32 tokens].</summary>
    public byte* Keys(int layer, int head, int block) =>
        _blocks[block].Pointer + ((nint)layer * config.KeyValueHeadCount + head) * (nint)HeadBytes(config, format);

    /// <summary>The values of a head in a block: [padded head size / 32, 32 tokens, 32].</summary>
    public byte* Values(int layer, int head, int block) =>
        Keys(layer, head, block) + (nint)Bytes(format, config.HeadSize);

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
        HalfBits.FromSingle(key, keyHalves);
        HalfBits.FromSingle(value, valueHalves);
        Store<ushort>(keyHalves, valueHalves, (ushort*)keys + token, (ushort*)values + token * FloatTiles.StripeRows);
    }

    /// <summary>Keys or values of a head in a block as the kernels take them: where they lie, or as singles in <paramref name="singles"/>.</summary>
    /// <param name="numbers">What <see cref="Keys"/> or <see cref="Values"/> gave.</param>
    /// <param name="dimensions">The head size, or the padded one for values.</param>
    /// <param name="areKeys">Whether they are keys.</param>
    /// <param name="widen">Whether halves are to be singles, too: it pays where several products read them.</param>
    /// <param name="singles">[32, dimensions].</param>
    /// <returns>The numbers and their format, F32 or F16.</returns>
    public Numbers Read(byte* numbers, int dimensions, bool areKeys, bool widen, float* singles)
    {
        switch (format)
        {
            case WeightFormat.F16 when widen:
                StripeKernels.Widen(format, raised: false, numbers, dimensions * BlockTokens, singles);
                return new((byte*)singles, WeightFormat.F32, ReadAhead.None);
            case WeightFormat.Q8_0:
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

                return new((byte*)singles, WeightFormat.F32, ReadAhead.None);
            default:
                return new(numbers, format, ReadAhead.Lines);
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
        }

        fork.Length = length;
        return fork;
    }

    protected override void Dispose(bool disposing)
    {
        _disposed = true;
        _blocks.ForEach(block => block.Dispose());
        _blocks.Clear();
        Length = 0;
        base.Dispose(disposing);
    }

    private static long HeadBytes(LlamaConfig config, WeightFormat format) =>
        RoundUp(Bytes(format, config.HeadSize) + Bytes(format, PaddedHeadSize(config)));

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
    public readonly struct Numbers(byte* pointer, WeightFormat format, ReadAhead ahead)
    {
        public byte* Pointer => pointer;

        public WeightFormat Format => format;

        public ReadAhead Ahead => ahead;
    }
}
