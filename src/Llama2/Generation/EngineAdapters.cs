namespace Llama2;

/// <summary>The adapters of an engine by name. Thread-safe.</summary>
/// <remarks>
/// A request holds its adapter from the queue to its end; one that is unloaded meanwhile is freed when the last of its requests has ended. The
/// caches of an unloaded adapter leave the pool, and those of another one under the same name never meet them.
/// </remarks>
internal sealed class EngineAdapters(LlamaBackend backend, PrefixCache pool) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, EngineAdapter> _adapters = [];
    private long _bytes;
    private bool _disposed;

    /// <summary>The names, in ordinal order.</summary>
    public IReadOnlyList<string> Names
    {
        get
        {
            lock (_gate)
            {
                return [.. _adapters.Keys.Order(StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Bytes of all adapters that are loaded or still in use.</summary>
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

    /// <summary>Loads an adapter.</summary>
    /// <exception cref="ArgumentException">The name is taken, or the adapter is of another shape.</exception>
    /// <exception cref="NotSupportedException">The backend runs no adapters.</exception>
    /// <exception cref="ObjectDisposedException">The engine is disposed.</exception>
    public void Load(string name, LoraAdapter adapter)
    {
        Refuse();                                                // before the work, and again after it
        var loaded = new EngineAdapter(backend.LoadAdapter(adapter));
        try
        {
            lock (_gate)
            {
                Refuse();
                _adapters.Add(name, loaded);
                _bytes += loaded.Beside.ByteSize;
            }
        }
        catch
        {
            loaded.Beside.Dispose();
            throw;
        }

        void Refuse()
        {
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, typeof(LlamaEngine));
                if (_adapters.ContainsKey(name))
                {
                    throw new ArgumentException($"An adapter '{name}' is loaded already; unload it first, or choose another name.", nameof(name));
                }
            }
        }
    }

    /// <summary>Makes a name unknown to requests that begin from now on.</summary>
    /// <returns>Whether it was known.</returns>
    public bool Unload(string name)
    {
        EngineAdapter? adapter;
        lock (_gate)
        {
            if (!_adapters.Remove(name, out adapter))
            {
                return false;
            }
        }

        pool.Forget(adapter);
        Release(adapter);
        return true;
    }

    /// <summary>The adapter of a name, to compare with; null for the bare model.</summary>
    /// <exception cref="UnknownAdapterException">Nothing of that name is loaded.</exception>
    public EngineAdapter? Find(string? name)
    {
        lock (_gate)
        {
            return string.IsNullOrEmpty(name) ? null
                : _adapters.TryGetValue(name, out EngineAdapter? adapter) ? adapter
                : throw new UnknownAdapterException(name, Names);
        }
    }

    /// <summary>As <see cref="Find"/>, and keeps it from being freed until <see cref="Release"/>.</summary>
    public EngineAdapter? Acquire(string? name)
    {
        lock (_gate)
        {
            EngineAdapter? adapter = Find(name);
            if (adapter is not null)
            {
                adapter.Users++;
            }

            return adapter;
        }
    }

    /// <summary>Frees the adapter if nobody else uses it and no name leads to it any more.</summary>
    public void Release(EngineAdapter adapter)
    {
        lock (_gate)
        {
            if (--adapter.Users == 0)
            {
                _bytes -= adapter.Beside.ByteSize;
                adapter.Beside.Dispose();
            }
        }
    }

    /// <summary>Unloads all; those that requests still use are freed with these.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
        }

        foreach (string name in Names)
        {
            Unload(name);
        }
    }
}

/// <summary>An adapter while it is loaded or in use; compared by reference, so that two under one name, one after the other, are two.</summary>
internal sealed class EngineAdapter(BackendAdapter beside)
{
    /// <summary>What pieces of a batch name.</summary>
    public BackendAdapter Beside => beside;

    /// <summary>Requests that hold it, and one more while it is loaded; guarded by <see cref="EngineAdapters"/>.</summary>
    public int Users { get; set; } = 1;

    /// <summary>Whether it is unloaded, so that no cache of it will be asked for again; guarded by the pool.</summary>
    public bool IsForgotten { get; set; }
}
