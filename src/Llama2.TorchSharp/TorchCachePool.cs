using static TorchSharp.torch;

namespace Llama2.TorchSharp;

/// <summary>The keys and values of all sequences on the device: for every block of the model one tensor with a row per token.</summary>
/// <remarks>
/// Since all sequences share the tensors, the tokens of a whole batch are stored by one operation, and short sequences are attended together. Each
/// sequence has rows that follow each other, so a long one is attended where it lies. Sequences double their rows as they grow; the pool grows
/// when none are free and keeps its memory. Whoever uses the tensors holds <see cref="Gate"/>.
/// </remarks>
internal sealed class TorchCachePool(LlamaConfig config, int contextLength, ScalarType type, Device device, string deviceName) : IDisposable
{
    private const int LeastRows = 64;

    private readonly Tensor?[] _layers = new Tensor?[config.LayerCount]; // [rows, 2, kvHeads, headSize]: the keys, then the values
    private readonly List<(long Start, long Count)> _free = [];          // in order, no two adjacent
    private long _rows;
    private bool _disposed;

    public Lock Gate { get; } = new();

    /// <summary>Bytes of one token in all blocks.</summary>
    public long RowBytes { get; } = 2L * config.LayerCount * config.KeyValueHeadCount * config.HeadSize * TorchTypes.Of(type).BlockBytes();

    /// <summary>Bytes that the pool occupies, free rows included.</summary>
    public long Bytes => _rows * RowBytes;

    public Tensor this[int layer] => _layers[layer]!;

    /// <summary>The rows of a sequence of so many tokens: 64 · 2ⁿ, the context at most.</summary>
    public long RowsFor(int tokens)
    {
        long rows = tokens == 0 ? 0 : LeastRows;
        while (rows < tokens)
        {
            rows *= 2;
        }

        return Math.Min(rows, Math.Max(contextLength, tokens));
    }

    /// <summary>Makes room for the tokens up to <paramref name="length"/>.</summary>
    /// <exception cref="InsufficientMemoryException">The device has no room; the cache is as before then.</exception>
    public void Reserve(TorchKeyValueCache cache, int length)
    {
        lock (Gate)
        {
            long rows = RowsFor(length);
            if (rows <= cache.Rows || TryExtend(cache, rows))
            {
                return;
            }

            long start = Take(rows);
            if (start < 0)
            {
                Grow(rows);
                if (TryExtend(cache, rows))
                {
                    return;
                }

                start = Take(rows);
            }

            CopyRows(cache.Start, start, cache.Length);
            Free(cache);
            (cache.Start, cache.Rows) = (start, rows);
        }
    }

    /// <summary>Gives an empty cache the first tokens of another.</summary>
    public void Copy(TorchKeyValueCache source, TorchKeyValueCache destination, int length)
    {
        lock (Gate)
        {
            Reserve(destination, length);
            CopyRows(source.Start, destination.Start, length);
        }
    }

    /// <summary>Takes back the rows of a cache.</summary>
    public void Free(TorchKeyValueCache cache)
    {
        lock (Gate)
        {
            if (cache.Rows > 0)
            {
                Release(cache.Start, cache.Rows);
                cache.Rows = 0;
            }
        }
    }

    public void Dispose()
    {
        lock (Gate)
        {
            _disposed = true;
            Array.ForEach(_layers, layer => layer?.Dispose());
        }
    }

    /// <summary>Takes the free rows right behind a cache's own.</summary>
    private bool TryExtend(TorchKeyValueCache cache, long rows)
    {
        int behind = cache.Rows == 0 ? -1 : _free.FindIndex(free => free.Start == cache.Start + cache.Rows && free.Count >= rows - cache.Rows);
        if (behind < 0)
        {
            return false;
        }

        TakeFrom(behind, rows - cache.Rows);
        cache.Rows = rows;
        return true;
    }

    /// <summary>The first place with so many free rows, or −1.</summary>
    private long Take(long rows)
    {
        int index = _free.FindIndex(free => free.Count >= rows);
        return index < 0 ? -1 : TakeFrom(index, rows);
    }

    private long TakeFrom(int index, long rows)
    {
        (long start, long count) = _free[index];
        if (count == rows)
        {
            _free.RemoveAt(index);
        }
        else
        {
            _free[index] = (start + rows, count - rows);
        }

        return start;
    }

    private void Release(long start, long count)
    {
        int next = _free.FindIndex(free => free.Start > start);
        next = next < 0 ? _free.Count : next;
        if (next < _free.Count && start + count == _free[next].Start)
        {
            count += _free[next].Count;
            _free.RemoveAt(next);
        }

        if (next > 0 && _free[next - 1].Start + _free[next - 1].Count == start)
        {
            _free[next - 1] = (_free[next - 1].Start, _free[next - 1].Count + count);
        }
        else
        {
            _free.Insert(next, (start, count));
        }
    }

    /// <summary>Doubles the pool, but by one context at a time at most. Block by block, so that only one of them is there twice.</summary>
    private void Grow(long needed)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        long added = Math.Max(needed, Math.Min(_rows, contextLength)), rows = _rows + added;
        try
        {
            using IDisposable inference = inference_mode();
            for (int layer = 0; layer < _layers.Length; layer++)
            {
                if (_layers[layer] is { } smaller && smaller.shape[0] >= rows)
                {
                    continue;                                            // from a time when a later block found no room
                }

                Tensor larger = empty(rows, 2, config.KeyValueHeadCount, config.HeadSize, dtype: type, device: device).DetachFromDisposeScope();
                if (_layers[layer] is { } old)
                {
                    using Tensor begin = larger.narrow(0, 0, old.shape[0]);
                    begin.copy_(old);
                    old.Dispose();
                }

                _layers[layer] = larger;
            }
        }
        catch (Exception exception) when (TorchErrors.IsOutOfMemory(exception))
        {
            throw TorchErrors.OutOfMemory(
                deviceName, $"Keys and values of {rows} tokens ({rows * RowBytes / 1e9:0.00} GB)",
                "Run fewer or shorter sequences at a time, or give the prefix cache fewer bytes.", exception);
        }

        Release(_rows, added);
        _rows = rows;
    }

    private void CopyRows(long from, long to, long count)
    {
        if (count == 0)
        {
            return;
        }

        using IDisposable inference = inference_mode();
        foreach (Tensor? layer in _layers)
        {
            using Tensor source = layer!.narrow(0, from, count), destination = layer.narrow(0, to, count);
            destination.copy_(source);
        }
    }
}
