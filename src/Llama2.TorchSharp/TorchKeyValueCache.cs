namespace Llama2.TorchSharp;

/// <summary>The keys and values of one sequence: rows that follow each other in the pool of the device.</summary>
internal sealed class TorchKeyValueCache(TorchCachePool pool, int capacity) : KeyValueCache
{
    public override int Capacity => capacity;

    public override long ByteSize => Rows * pool.RowBytes;

    /// <summary>Where its rows begin in the pool.</summary>
    public long Start { get; set; }

    /// <summary>How many it has.</summary>
    public long Rows { get; set; }

    public bool IsDisposed { get; private set; }

    /// <summary>Whether the cache is one of this pool's and still there.</summary>
    public bool Fits(TorchCachePool other) => ReferenceEquals(pool, other) && !IsDisposed;

    /// <summary>Counts the tokens of a forward pass once all blocks have stored them.</summary>
    public void Advance(int tokens) => Length += tokens;

    public override KeyValueCache Fork(int length)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        var fork = new TorchKeyValueCache(pool, capacity);
        pool.Copy(this, fork, length);
        fork.Length = length;
        return fork;
    }

    protected override void Dispose(bool disposing)
    {
        if (!IsDisposed)
        {
            IsDisposed = true;
            pool.Free(this);
            Length = 0;
        }

        base.Dispose(disposing);
    }
}
