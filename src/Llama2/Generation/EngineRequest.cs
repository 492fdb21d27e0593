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

    /// <summary>The tokens to read.</summary>
    public int[] Prompt { get; } = prompt;

    /// <summary>The prompt and what was generated so far; the first <see cref="KeyValueCache.Length"/> of them have been forwarded.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>The cache, from <see cref="Begin"/> until the sequence ends.</summary>
    public KeyValueCache? Cache { get; private set; }

    /// <summary>Prompt tokens that the pool supplied.</summary>
    public int CachedTokens { get; private set; }

    /// <summary>Whether the prompt has been read.</summary>
    public bool IsDecoding => _tokens.Count > Prompt.Length;

    public bool CancelRequested => _cancelRequested;

    protected CancellationToken CancellationToken { get; } = cancellationToken;

    /// <summary>How many tokens of the prompt need not be forwarded if a cache holds them; less than the prompt's length.</summary>
    protected abstract int ReusableTokens { get; }

    /// <summary>Whether the sequence has to end before its next step.</summary>
    public virtual bool IsOver => _cancelRequested;

    /// <summary>Takes a cache, one from the pool where its beginning fits, and gets ready for the first step.</summary>
    public void Begin(LlamaBackend backend, PrefixCache pool)
    {
        Cache = pool.Take(Prompt.AsSpan(0, ReusableTokens)) ?? backend.CreateCache();
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
    public abstract (int Count, LogitRows Rows) NextChunk(int start, int most, int mostRows);

    /// <summary>Takes the rows of a chunk that has been forwarded.</summary>
    /// <param name="start">The position of the chunk's first token.</param>
    /// <param name="count">Its tokens.</param>
    /// <param name="rows">The rows that <see cref="NextChunk"/> asked for.</param>
    /// <returns>Whether the sequence has ended.</returns>
    public abstract bool Accept(int start, int count, ReadOnlySpan<float> rows);

    /// <summary>Hands the outcome to the caller; called once, after cache and place are free again.</summary>
    public abstract void Complete();

    /// <summary>Hands an error to the caller instead.</summary>
    public abstract void Fail(Exception error);

    protected void Append(int token) => _tokens.Add(token);

    protected virtual void OnBegun()
    {
    }
}
