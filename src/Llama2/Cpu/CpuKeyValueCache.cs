namespace Llama2;

/// <summary>Keys and values of one sequence in single precision, in blocks of tokens that are allocated as the sequence grows.</summary>
internal sealed unsafe class CpuKeyValueCache(LlamaConfig config, int capacity) : KeyValueCache
{
    public const int BlockTokens = 32;

    private readonly List<AlignedMemory> _blocks = [];           // each [layers, 2, kvHeads, BlockTokens, headSize]
    private bool _disposed;

    public override int Capacity => capacity;

    public override long ByteSize => _blocks.Count * BlockBytes(config);

    public static long BlockBytes(LlamaConfig config) =>
        sizeof(float) * 2L * config.LayerCount * config.KeyValueHeadCount * BlockTokens * config.HeadSize;

    /// <summary>Whether the cache was made for this model.</summary>
    public bool Fits(LlamaConfig other) => ReferenceEquals(config, other);

    /// <summary>Makes room for the tokens up to <paramref name="length"/>.</summary>
    public void Reserve(int length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        while (_blocks.Count * (long)BlockTokens < length)
        {
            _blocks.Add(new AlignedMemory(BlockBytes(config)));
        }
    }

    /// <summary>The keys of a head in the block that holds <paramref name="position"/>, from that position on.</summary>
    public float* Key(int layer, int head, int position) => At(2 * layer, head, position);

    /// <summary>The values of a head in the block that holds <paramref name="position"/>, from that position on.</summary>
    public float* Value(int layer, int head, int position) => At(2 * layer + 1, head, position);

    /// <summary>Counts the tokens of a forward pass once all layers have stored them.</summary>
    public void Advance(int tokens) => Length += tokens;

    public override KeyValueCache Fork(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        var fork = new CpuKeyValueCache(config, capacity);
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

    private float* At(int plane, int head, int position)
    {
        float* block = _blocks[position / BlockTokens].Floats;
        return block + (((long)plane * config.KeyValueHeadCount + head) * BlockTokens + position % BlockTokens) * config.HeadSize;
    }
}
