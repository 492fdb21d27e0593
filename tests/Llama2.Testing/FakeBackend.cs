namespace Llama2.Testing;

/// <summary>
/// A backend whose logits are a hash of the whole token history in the cache: a wrong cache, position, rewind or adapter gives another token.
/// It checks how it is used: one call at a time, live caches and adapters of its own, one adapter for all tokens of a cache, no overflow.
/// </summary>
public sealed class FakeBackend(LlamaConfig? config = null) : LlamaBackend
{
    public const int BlockTokens = 16;
    public const int BytesPerToken = 8;

    private readonly float[] _row = new float[(config ?? TinyModels.Config).VocabularySize];
    private int _inForward;
    private int _liveCaches;
    private int _liveAdapters;
    private int _forks;

    public override LlamaConfig Config { get; } = config ?? TinyModels.Config;

    public override int ContextLength => Config.ContextLength;

    public override BackendInfo Info { get; } = new("fake", "hash", 1, "none", 0, BytesPerToken);

    /// <summary>Runs at the beginning of every pass, on the engine's thread: to wait, to fail, to look.</summary>
    public Action<LlamaBatch>? OnForward { get; set; }

    /// <summary>Changes a row before it is handed out: (history, row).</summary>
    public Action<IReadOnlyList<int>, float[]>? OnLogits { get; set; }

    /// <summary>The tokens and pieces of every pass.</summary>
    public List<(int Tokens, int Pieces, int Rows)> Passes { get; } = [];

    public int LiveCaches => Volatile.Read(ref _liveCaches);

    public int LiveAdapters => Volatile.Read(ref _liveAdapters);

    public int Forks => Volatile.Read(ref _forks);

    public override KeyValueCache CreateCache() => new FakeCache(this);

    public override BackendAdapter LoadAdapter(LoraAdapter adapter) => new FakeAdapter(this, adapter);

    public override long CacheBytes(int tokens) => (tokens + BlockTokens - 1) / BlockTokens * BlockTokens * (long)BytesPerToken;

    public override void Forward(LlamaBatch batch, Span<float> logits)
    {
        if (Interlocked.Exchange(ref _inForward, 1) != 0)
        {
            throw new InvalidOperationException("Forward was called by two threads at a time.");
        }

        try
        {
            Run(batch, logits);
        }
        finally
        {
            Volatile.Write(ref _inForward, 0);
        }
    }

    private void Run(LlamaBatch batch, Span<float> logits)
    {
        int vocabulary = Config.VocabularySize;
        if (logits.Length != batch.LogitRowCount * vocabulary)
        {
            throw new ArgumentException("The logits do not have a row for each that the batch asks for.", nameof(logits));
        }

        OnForward?.Invoke(batch);
        lock (Passes)
        {
            Passes.Add((batch.Tokens.Length, batch.Pieces.Length, batch.LogitRowCount));
        }

        foreach (BatchPiece piece in batch.Pieces)
        {
            var cache = (FakeCache)piece.Cache;
            int next = piece.FirstLogitRow;
            for (int i = 0; i < piece.Count; i++)
            {
                cache.Add(batch.Tokens[piece.Start + i], (FakeAdapter?)piece.Adapter);
                if (piece.Logits == LogitRows.All || (piece.Logits == LogitRows.Last && i == piece.Count - 1))
                {
                    cache.Write(_row);
                    OnLogits?.Invoke(cache.History, _row);
                    _row.CopyTo(logits[(next * vocabulary)..]);
                    next++;
                }
            }
        }
    }

    private static ulong Mix(ulong value)
    {
        value = (value + 0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    private sealed class FakeAdapter : BackendAdapter
    {
        private readonly FakeBackend _backend;
        private readonly ulong _key;
        private bool _disposed;

        public FakeAdapter(FakeBackend backend, LoraAdapter adapter)
        {
            _backend = backend;
            _key = adapter.Tensors.SelectMany(tensor => tensor.ReadAll()).Aggregate(1UL, (key, value) => Mix(key ^ BitConverter.SingleToUInt32Bits(value)));
            ByteSize = 4 * adapter.ParameterCount;
            Interlocked.Increment(ref backend._liveAdapters);
        }

        public override long ByteSize { get; }

        /// <summary>Where the hash of a history with this adapter begins.</summary>
        public ulong Key
        {
            get
            {
                ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed), this);
                return _key;
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (!Interlocked.Exchange(ref _disposed, true))
            {
                Interlocked.Decrement(ref _backend._liveAdapters);
            }

            base.Dispose(disposing);
        }
    }

    private sealed class FakeCache : KeyValueCache
    {
        private readonly FakeBackend _backend;
        private FakeAdapter? _adapter;
        private readonly List<int> _tokens = [];
        private readonly List<ulong> _hashes = [];
        private bool _disposed;

        public FakeCache(FakeBackend backend)
        {
            _backend = backend;
            Interlocked.Increment(ref backend._liveCaches);
        }

        public IReadOnlyList<int> History => _tokens;

        public override int Capacity => _backend.ContextLength;

        public override long ByteSize => _backend.CacheBytes(_tokens.Count);

        public override KeyValueCache Fork(int length)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
            var copy = new FakeCache(_backend) { Length = length };
            copy._tokens.AddRange(_tokens[..length]);
            copy._hashes.AddRange(_hashes[..length]);
            copy._adapter = _adapter;
            Interlocked.Increment(ref _backend._forks);
            return copy;
        }

        public void Add(int token, FakeAdapter? adapter)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (Length > 0 && adapter != _adapter)
            {
                throw new InvalidOperationException("The cache holds tokens of another adapter.");
            }

            _adapter = adapter;
            ulong start = adapter?.Key ?? 0;
            if (Length == Capacity)
            {
                throw new ArgumentException("The cache is full.");
            }

            _tokens.RemoveRange(Length, _tokens.Count - Length);
            _hashes.RemoveRange(Length, _hashes.Count - Length);
            _hashes.Add(Mix((Length == 0 ? start : _hashes[^1]) + (ulong)token + 1));
            _tokens.Add(token);
            Length++;
        }

        /// <summary>Logits from −4 to 4; the likeliest tokens differ from history to history.</summary>
        public void Write(float[] row)
        {
            for (int id = 0; id < row.Length; id++)
            {
                row[id] = (Mix(_hashes[^1] ^ ((ulong)id << 32)) >> 40) / (float)(1 << 21) - 4;
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (!_disposed)
            {
                _disposed = true;
                Interlocked.Decrement(ref _backend._liveCaches);
            }

            base.Dispose(disposing);
        }
    }
}
