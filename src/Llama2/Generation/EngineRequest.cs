using System.Runtime.InteropServices;

namespace Llama2;

/// <summary>One sequence on its way through the <see cref="EngineLoop"/>: its tokens, its cache, and what becomes of its logits.</summary>
/// <remarks>
/// Belongs to the loop's thread from the moment it is admitted; until then to whoever holds it. Only <see cref="RequestCancel"/> may come
/// from anywhere.
/// </remarks>
internal abstract class EngineRequest(int[] prompt, CancellationToken cancellationToken)
{
    private readonly List<int> _tokens = [.. prompt];
    private volatile bool _cancelRequested;
    private EngineAdapters? _adapters;

    /// <summary>The tokens to read.</summary>
    public int[] Prompt { get; } = prompt;

    /// <summary>The prompt and what was generated so far; the first <see cref="KeyValueCache.Length"/> of them have been forwarded.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>The cache, from <see cref="Begin"/> until the sequence ends.</summary>
    public KeyValueCache? Cache { get; private set; }

    /// <summary>What stands beside the weights for this sequence; null for the bare model. Held from <see cref="UseAdapter"/> to the end.</summary>
    public EngineAdapter? Adapter { get; private set; }

    /// <summary>Prompt tokens that another sequence had read, an ended one whose cache the pool kept or a running one.</summary>
    public int CachedTokens { get; private set; }

    /// <summary>Whether the prompt has been read.</summary>
    public virtual bool IsDecoding => _tokens.Count > Prompt.Length;

    public bool CancelRequested => _cancelRequested;

    protected CancellationToken CancellationToken { get; } = cancellationToken;

    /// <summary>The beginning of the prompt that need not be forwarded if a cache holds it.</summary>
    public ReadOnlySpan<int> ReusablePrompt => Prompt.AsSpan(0, ReusableTokens);

    /// <summary>How many tokens of the prompt need not be forwarded if a cache holds them; less than the prompt's length.</summary>
    protected abstract int ReusableTokens { get; }

    /// <summary>Whether the sequence has to end before its next step.</summary>
    public virtual bool IsOver => _cancelRequested;

    /// <summary>Takes hold of an adapter, before the request is enqueued.</summary>
    /// <exception cref="UnknownAdapterException">Nothing of that name is loaded.</exception>
    public void UseAdapter(EngineAdapters adapters, string? name)
    {
        Adapter = adapters.Acquire(name);
        _adapters = adapters;
    }

    /// <summary>Takes a cache and gets ready for the first step: a copy of another sequence's beginning, or one from the pool where that fits, or a new one.</summary>
    /// <param name="backend">Makes the new one.</param>
    /// <param name="pool">The caches of ended sequences.</param>
    /// <param name="source">A running sequence that begins alike, if there is one.</param>
    /// <param name="shared">The tokens to take from it.</param>
    public void Begin(LlamaBackend backend, PrefixCache pool, EngineRequest? source = null, int shared = 0)
    {
        Cache = source?.Cache!.Fork(shared) ?? pool.Take(ReusablePrompt, Adapter) ?? backend.CreateCache();
        CachedTokens = Cache.Length;
        OnBegun();
    }

    public KeyValueCache? DetachCache()
    {
        KeyValueCache? cache = Cache;
        Cache = null;
        return cache;
    }

    public void RequestCancel() => _cancelRequested = true;

    /// <summary>Chooses how many tokens to forward next and which rows to ask for.</summary>
    /// <param name="start">The position of the first.</param>
    /// <param name="most">The most tokens, at least 1.</param>
    /// <param name="mostRows">The most rows if all are wanted; with 0 of them the sequence may have to wait.</param>
    /// <param name="guesses">How many tokens beyond those of the sequence a request that is generating may have checked.</param>
    public abstract (int Count, LogitRows Rows) NextChunk(int start, int most, int mostRows, int guesses);

    /// <summary>The tokens of the chunk that <see cref="NextChunk"/> chose: the sequence's own, and behind them what the request guesses.</summary>
    public virtual ReadOnlySpan<int> Chunk(int start, int count) => Tokens.Slice(start, count);

    /// <summary>Takes the rows of a chunk that has been forwarded.</summary>
    /// <param name="start">The position of the chunk's first token.</param>
    /// <param name="count">Its tokens.</param>
    /// <param name="rows">The rows that <see cref="NextChunk"/> asked for.</param>
    /// <returns>Whether the sequence has ended.</returns>
    public abstract bool Accept(int start, int count, ReadOnlySpan<float> rows);

    /// <summary>Hands the outcome to the caller; called once, after cache and place are free again.</summary>
    public void Complete()
    {
        ReleaseAdapter();
        OnComplete();
    }

    /// <summary>Hands an error to the caller instead.</summary>
    public void Fail(Exception error)
    {
        ReleaseAdapter();
        OnFail(error);
    }

    protected abstract void OnComplete();

    protected abstract void OnFail(Exception error);

    protected void Append(int token) => _tokens.Add(token);

    /// <summary>Forgets the tokens from a position on, in the cache, too.</summary>
    protected void RewindTo(int length)
    {
        _tokens.RemoveRange(length, _tokens.Count - length);
        Cache!.Rewind(Math.Min(length, Cache.Length));
    }

    protected virtual void OnBegun()
    {
    }

    private void ReleaseAdapter()
    {
        if (Adapter is { } adapter)
        {
            Adapter = null;
            _adapters!.Release(adapter);
        }
    }
}
