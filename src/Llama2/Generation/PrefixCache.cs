namespace Llama2;

/// <summary>The caches of ended sequences with the tokens they hold, so that a prompt with the same beginning need not be read again.</summary>
/// <remarks>
/// Thread-safe. Least recently used caches are dropped when the bytes exceed the budget. A cache belongs to the pool alone while it is
/// in it; a sequence takes it out or takes a copy of its beginning. Keys and values are those of one adapter, or of the bare model: a cache
/// serves sequences with the same adapter only.
/// </remarks>
internal sealed class PrefixCache(long budget, LlamaDiagnostics? diagnostics = null) : IDisposable
{
    // Begin of text is common to all prompts and not worth a copy.
    private const int ShortestMatch = 2;

    // A chat's next turn leaves at most a few tokens behind; a longer rest is likely another chat's, which may go on as well.
    private const int ShortestRest = 16;

    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = [];       // least recently used first
    private long _bytes;
    private bool _disposed;

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    public long ByteSize
    {
        get
        {
            lock (_gate)
            {
                return _bytes;
            }
        }
    }

    /// <summary>Counts the tokens that <see cref="Take"/> would supply.</summary>
    public int Match(ReadOnlySpan<int> tokens, EngineAdapter? adapter = null)
    {
        lock (_gate)
        {
            return Find(tokens, adapter).Length;
        }
    }

    /// <summary>Takes the cache that shares the longest beginning, cut to it, or a copy of that beginning if the rest is worth keeping.</summary>
    /// <returns>A cache that the caller owns, or null where nothing fits.</returns>
    public KeyValueCache? Take(ReadOnlySpan<int> tokens, EngineAdapter? adapter = null)
    {
        KeyValueCache? cache = TakeOrCopy(tokens, adapter);
        ReportSize();
        return cache;
    }

    /// <summary>Takes a cache over, to be kept or disposed.</summary>
    /// <param name="cache">The cache of an ended sequence.</param>
    /// <param name="tokens">The tokens that it holds.</param>
    /// <param name="adapter">The adapter that they were read with; null for the bare model.</param>
    public void Return(KeyValueCache cache, ReadOnlySpan<int> tokens, EngineAdapter? adapter = null)
    {
        var evicted = new List<Entry>();
        lock (_gate)
        {
            long bytes = cache.ByteSize;
            if (_disposed || adapter is { IsForgotten: true } || tokens.Length < ShortestMatch || bytes > budget || Covers(tokens, adapter))
            {
                cache.Dispose();
            }
            else
            {
                Add(new(cache, tokens.ToArray(), bytes, adapter), evicted);
            }
        }

        foreach (Entry entry in evicted)                         // listeners run outside the lock
        {
            diagnostics.Report(static (diagnostics, entry) => diagnostics.CacheEvicted(entry.Tokens.Length, entry.Bytes), entry);
        }

        ReportSize();
    }

    /// <summary>Drops the caches of an adapter that is unloaded, now and when they come back later.</summary>
    public void Forget(EngineAdapter adapter)
    {
        lock (_gate)
        {
            adapter.IsForgotten = true;
            DropAll(entry => entry.Adapter == adapter);
        }

        ReportSize();
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            DropAll(_ => true);
        }

        ReportSize();
    }

    private KeyValueCache? TakeOrCopy(ReadOnlySpan<int> tokens, EngineAdapter? adapter)
    {
        lock (_gate)
        {
            (int index, int length) = Find(tokens, adapter);
            if (length == 0)
            {
                return null;
            }

            Entry entry = _entries[index];
            _entries.RemoveAt(index);
            if (entry.Tokens.Length - length >= ShortestRest)
            {
                _entries.Add(entry);
                return entry.Cache.Fork(length);
            }

            _bytes -= entry.Bytes;
            entry.Cache.Rewind(length);
            return entry.Cache;
        }
    }

    /// <summary>Adds a cache in place of those that hold a beginning of its tokens, and of the least recently used if the budget asks for it.</summary>
    private void Add(Entry added, List<Entry> evicted)
    {
        DropAll(entry => entry.Adapter == added.Adapter && added.Tokens.AsSpan().StartsWith(entry.Tokens));
        while (_bytes > budget - added.Bytes)
        {
            evicted.Add(_entries[0]);
            Drop(0);
        }

        _entries.Add(added);
        _bytes += added.Bytes;
    }

    private (int Index, int Length) Find(ReadOnlySpan<int> tokens, EngineAdapter? adapter)
    {
        (int Index, int Length) best = (-1, 0);
        for (int i = _entries.Count - 1; i >= 0; i--)
        {
            int length = _entries[i].Adapter == adapter ? tokens.CommonPrefixLength(_entries[i].Tokens) : 0;
            if (length >= ShortestMatch && length > best.Length)
            {
                best = (i, length);
            }
        }

        return best;
    }

    /// <summary>Whether a pooled cache holds all of these tokens already; then that one counts as used.</summary>
    private bool Covers(ReadOnlySpan<int> tokens, EngineAdapter? adapter)
    {
        for (int i = 0; i < _entries.Count; i++)
        {
            Entry entry = _entries[i];
            if (entry.Adapter == adapter && entry.Tokens.AsSpan().StartsWith(tokens))
            {
                _entries.RemoveAt(i);
                _entries.Add(entry);
                return true;
            }
        }

        return false;
    }

    private void DropAll(Predicate<Entry> matches)
    {
        for (int i = _entries.Count - 1; i >= 0; i--)
        {
            if (matches(_entries[i]))
            {
                Drop(i);
            }
        }
    }

    private void Drop(int index)
    {
        Entry entry = _entries[index];
        _entries.RemoveAt(index);
        _bytes -= entry.Bytes;
        entry.Cache.Dispose();
    }

    private void ReportSize() => diagnostics.Report(static (diagnostics, pool) => diagnostics.PrefixCacheSized(pool.ByteSize), this);

    private readonly record struct Entry(KeyValueCache Cache, int[] Tokens, long Bytes, EngineAdapter? Adapter);
}
