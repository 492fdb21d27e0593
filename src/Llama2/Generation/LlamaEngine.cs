using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Llama2;

/// <summary>Runs any number of generations on one backend: one loop, one forward pass for all live sequences at a time.</summary>
/// <remarks>
/// Thread-safe: callers on any thread enqueue and await. The loop runs on a thread of its own, which no caller's code ever enters; a
/// caller that reads slowly holds up nobody. Requests begin in the order they came. A sequence that ends, a cancelled one too, leaves its
/// key-value cache, with its tokens, in a pool from which later requests with the same beginning go on.
/// </remarks>
public sealed class LlamaEngine : IDisposable
{
    private readonly LlamaBackend _backend;
    private readonly LlamaTokenizer? _tokenizer;
    private readonly GenerationOptions _defaults;
    private readonly LlamaDiagnostics? _diagnostics;
    private readonly TimeProvider _time;
    private readonly PrefixCache _pool;
    private readonly EngineAdapters _adapters;
    private readonly EngineLoop _loop;
    private readonly bool _promptLookup;
    private readonly ConstraintCache? _constraints;      // null without a tokenizer

    /// <param name="backend">Stays the caller's; dispose it after the engine.</param>
    /// <param name="tokenizer">Null where the checkpoint has none: then no text is made.</param>
    /// <param name="options">Limits of the loop and the pool; read once.</param>
    /// <param name="defaults">The settings of a request that names none: the model's own, completed by the documented defaults.</param>
    /// <param name="diagnostics">Told about every generation; stays the caller's.</param>
    /// <param name="timeProvider">The clock; the system's by default.</param>
    internal LlamaEngine(
        LlamaBackend backend,
        LlamaTokenizer? tokenizer,
        LlamaModelOptions options,
        GenerationOptions defaults,
        LlamaDiagnostics? diagnostics = null,
        TimeProvider? timeProvider = null)
    {
        AtLeast(1, options.MaxConcurrentSequences, nameof(options.MaxConcurrentSequences));
        AtLeast(0, options.MaxQueuedRequests, nameof(options.MaxQueuedRequests));
        AtLeast(1, options.BatchTokens, nameof(options.BatchTokens));
        AtLeast(0, options.PrefixCacheBytes ?? 0, nameof(options.PrefixCacheBytes));
        (_backend, _tokenizer, _defaults, _diagnostics, _time) = (backend, tokenizer, defaults, diagnostics, timeProvider ?? TimeProvider.System);
        _pool = new(options.PrefixCacheBytes ?? DefaultPrefixCacheBytes(backend), diagnostics);
        _adapters = new(backend, _pool);
        _loop = new(backend, _pool, options, time: _time);
        _promptLookup = options.PromptLookup;
        _constraints = tokenizer is null ? null : new(tokenizer, backend.Config.VocabularySize);

        static void AtLeast(long least, long value, string name)
        {
            if (value < least)
            {
                throw new ArgumentException($"LlamaModelOptions.{name} is {value}; it must be at least {least}.", nameof(options));
            }
        }
    }

    /// <summary>What holds where a request names nothing; settings that nobody names are still unset.</summary>
    internal GenerationOptions Defaults => _defaults;

    internal PrefixCache Pool => _pool;

    internal EngineAdapters Adapters => _adapters;

    internal EngineLoop Loop => _loop;

    /// <summary>Generates from token ids and streams as it goes; the last update carries the <see cref="GenerationResult"/>.</summary>
    /// <remarks>
    /// Arguments are checked and copied by the call itself. The request joins the queue when the enumeration begins, and enumerating again runs
    /// it again with the same seed. Leaving the enumeration early cancels the request.
    /// </remarks>
    /// <param name="prompt">One or more ids, the begin of text included.</param>
    /// <param name="options">The settings, or <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Seen at once while the request waits, then between the chunks of a prompt and between tokens.</param>
    /// <exception cref="ArgumentException">A setting or an id is out of range; thrown by the call, before any work.</exception>
    /// <exception cref="UnknownAdapterException">No adapter of that name is loaded; thrown by the call, or by the enumeration if it was unloaded between.</exception>
    /// <exception cref="ContextOverflowException">The prompt does not fit, and the policy is to throw; thrown by the call.</exception>
    /// <exception cref="NotSupportedException">There is a constraint, and the vocabulary has no token for some byte; thrown by the call.</exception>
    /// <exception cref="ObjectDisposedException">The engine is disposed; thrown by the enumeration, as are the two below.</exception>
    /// <exception cref="GenerationCanceledException">The caller cancelled; holds what there was by then.</exception>
    /// <exception cref="InvalidOperationException">Too many requests are waiting.</exception>
    public IAsyncEnumerable<GenerationUpdate> GenerateAsync(
        IReadOnlyList<int> prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        StreamAsync(Plan(CopyIds(prompt), Resolve(options)), cancellationToken);

    /// <summary>Scores a text: the log-probability of every token under the model, given those before it.</summary>
    /// <param name="ids">One or more ids, at most a context of them.</param>
    /// <param name="top">How many of the likeliest tokens are reported with each, from 0 to the vocabulary's size.</param>
    /// <param name="adapter">As <see cref="GenerationOptions.Adapter"/>: a loaded one's name, <c>""</c> for none, <see langword="null"/> for the default.</param>
    /// <param name="cancellationToken">Seen between chunks.</param>
    /// <returns>The scores from the second token on; none for a single token.</returns>
    /// <exception cref="ArgumentException">An argument is out of range.</exception>
    /// <exception cref="UnknownAdapterException">No adapter of that name is loaded.</exception>
    /// <exception cref="ContextOverflowException">The text does not fit.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    /// <exception cref="InvalidOperationException">Too many requests are waiting.</exception>
    public async Task<IReadOnlyList<ScoredToken>> ScoreAsync(
        IReadOnlyList<int> ids, int top = 0, string? adapter = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(top, _backend.Config.VocabularySize);
        int[] prompt = CopyFitting(ids);
        return prompt.Length == 1
            ? []
            : await ReadAsync(new ScoringRequest(prompt, top, _backend.Config.VocabularySize, cancellationToken), adapter, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Scores several continuations of one prompt: the log-probability of each of their tokens, given the prompt and those before it.</summary>
    /// <remarks>The prompt is read once for all of them, and so is what they have in common at their beginning.</remarks>
    /// <param name="prompt">One or more ids, the begin of text included.</param>
    /// <param name="continuations">One or more lists of one or more ids; with the prompt, each is at most a context of them.</param>
    /// <param name="top">How many of the likeliest tokens are reported with each, from 0 to the vocabulary's size.</param>
    /// <param name="adapter">As <see cref="GenerationOptions.Adapter"/>: a loaded one's name, <c>""</c> for none, <see langword="null"/> for the default.</param>
    /// <param name="cancellationToken">Seen between chunks of the prompt and between continuations.</param>
    /// <returns>For each continuation, in the order given, a score for each of its tokens.</returns>
    /// <exception cref="ArgumentException">An argument is out of range.</exception>
    /// <exception cref="UnknownAdapterException">No adapter of that name is loaded.</exception>
    /// <exception cref="ContextOverflowException">Prompt and longest continuation do not fit.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    /// <exception cref="InvalidOperationException">Too many requests are waiting.</exception>
    public async Task<IReadOnlyList<IReadOnlyList<ScoredToken>>> ScoreContinuationsAsync(
        IReadOnlyList<int> prompt,
        IReadOnlyList<IReadOnlyList<int>> continuations,
        int top = 0,
        string? adapter = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(continuations);
        ArgumentOutOfRangeException.ThrowIfZero(continuations.Count);
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(top, _backend.Config.VocabularySize);
        int[] ids = CopyIds(prompt);
        int[][] copies = [.. continuations.Select(continuation => CopyIds(continuation, nameof(continuations)))];
        int longest = ids.Length + copies.Max(copy => copy.Length);
        if (longest > _backend.ContextLength)
        {
            throw new ContextOverflowException(longest, _backend.ContextLength);
        }

        var request = new ContinuationsRequest(ids, copies, top, _backend.Config.VocabularySize, cancellationToken);
        using CancellationTokenRegistration registration = Submit(request, adapter ?? _defaults.Adapter, cancellationToken);
        return await request.Completion.ConfigureAwait(false);
    }

    /// <summary>Reads a text and returns the logits behind some of its tokens.</summary>
    /// <param name="ids">One or more ids, at most a context of them.</param>
    /// <param name="positions">Where logits are wanted: ascending, from 0 to one less than the ids; <see langword="null"/> for everywhere.</param>
    /// <param name="adapter">As <see cref="GenerationOptions.Adapter"/>: a loaded one's name, <c>""</c> for none, <see langword="null"/> for the default.</param>
    /// <param name="cancellationToken">Seen between chunks.</param>
    /// <returns>For each position a row with one logit for each id of the vocabulary; the row at a position predicts the token after it.</returns>
    /// <exception cref="ArgumentException">An argument is out of range.</exception>
    /// <exception cref="UnknownAdapterException">No adapter of that name is loaded.</exception>
    /// <exception cref="ContextOverflowException">The text does not fit.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    /// <exception cref="InvalidOperationException">Too many requests are waiting.</exception>
    public async Task<float[][]> GetLogitsAsync(
        IReadOnlyList<int> ids, IReadOnlyList<int>? positions = null, string? adapter = null, CancellationToken cancellationToken = default)
    {
        int[] prompt = CopyFitting(ids);
        int[] wanted = positions is null ? [.. Enumerable.Range(0, prompt.Length)] : [.. positions];
        for (int i = 0; i < wanted.Length; i++)
        {
            if (wanted[i] < (i == 0 ? 0 : wanted[i - 1] + 1) || wanted[i] >= prompt.Length)
            {
                throw new ArgumentException($"Position {wanted[i]} (number {i}) is not ascending or not from 0 to {prompt.Length - 1}.", nameof(positions));
            }
        }

        return wanted.Length == 0
            ? []
            : await ReadAsync(new LogitsRequest(prompt, wanted, _backend.Config.VocabularySize, cancellationToken), adapter, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>How many tokens of a prompt the pool would supply now. At least one token of a prompt is always read anew.</summary>
    /// <param name="prompt">The ids of the prompt.</param>
    /// <param name="adapter">The adapter that would read it, as <see cref="GenerationOptions.Adapter"/>.</param>
    /// <exception cref="UnknownAdapterException">No adapter of that name is loaded.</exception>
    public int CountCachedTokens(IReadOnlyList<int> prompt, string? adapter = null)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        int[] ids = [.. prompt];
        return _pool.Match(ids.AsSpan(0, Math.Max(0, ids.Length - 1)), _adapters.Find(adapter ?? _defaults.Adapter));
    }

    /// <summary>Ends the loop after the forward pass that it is in, and frees all caches.</summary>
    /// <remarks>What is under way ends with an <see cref="ObjectDisposedException"/>. Once, twice or from many threads at a time is the same.</remarks>
    public void Dispose()
    {
        _loop.Dispose();
        _adapters.Dispose();
        _pool.Dispose();
    }

    private static long DefaultPrefixCacheBytes(LlamaBackend backend) =>
        Math.Min(2 * backend.CacheBytes(backend.ContextLength), GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4);

    private async IAsyncEnumerable<GenerationUpdate> StreamAsync(GenerationPlan plan, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new GenerationRequest(plan, _backend.Config, _tokenizer, _time, _diagnostics, _promptLookup, cancellationToken);
        using CancellationTokenRegistration registration = Submit(request, plan.Options.Adapter, cancellationToken);
        try
        {
            await foreach (GenerationUpdate update in request.Updates.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                yield return update;
            }
        }
        finally
        {
            _loop.Cancel(request);
        }
    }

    private async Task<T[]> ReadAsync<T>(ReadingRequest<T> request, string? adapter, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration registration = Submit(request, adapter ?? _defaults.Adapter, cancellationToken);
        return await request.Completion.ConfigureAwait(false);
    }

    private CancellationTokenRegistration Submit(EngineRequest request, string? adapter, CancellationToken cancellationToken)
    {
        // Registered first, so that a token that is cancelled already is seen before any work.
        CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(_ => _loop.Cancel(request), null);
        try
        {
            request.UseAdapter(_adapters, adapter);
            _loop.Enqueue(request);
            if (request.CancelRequested)
            {
                _loop.Cancel(request);      // cancelled before it stood in the queue, where the token's own call did not find it
            }

            return registration;
        }
        catch (Exception error)
        {
            registration.Dispose();
            request.Fail(error);
            throw;
        }
    }

    /// <summary>The request's settings over the defaults, copied and checked, every one filled in.</summary>
    private GenerationOptions Resolve(GenerationOptions? options)
    {
        GenerationOptions resolved = (options ?? new()).Or(_defaults).Snapshot();
        resolved.Validate();
        resolved = resolved.Effective();
        resolved.Seed ??= RandomNumberGenerator.GetInt32(int.MaxValue);
        CheckIds(resolved.StopTokenIds ?? [], nameof(GenerationOptions.StopTokenIds));
        CheckIds(resolved.LogitBias?.Keys ?? [], nameof(GenerationOptions.LogitBias));
        _ = _adapters.Find(resolved.Adapter);
        bool needsText = resolved.ReturnFullText is true || resolved.BadWords is { Count: > 0 } || resolved.StopSequences is { Count: > 0 } ||
            resolved.Constraint is not null;
        if (needsText && _tokenizer is null)
        {
            throw new ArgumentException(
                "ReturnFullText, BadWords, StopSequences and Constraint work on text, and the checkpoint has no tokenizer.", nameof(options));
        }

        return resolved;
    }

    /// <summary>Fits prompt and answer into the context.</summary>
    private GenerationPlan Plan(int[] prompt, GenerationOptions options)
    {
        int context = _backend.ContextLength;
        int dropped = 0;
        if (prompt.Length >= context)
        {
            int room = Math.Max(1, Math.Min(options.MaxNewTokens ?? int.MaxValue, context / 4));
            if (options.ContextOverflow is not ContextOverflow.TruncateLeft || room >= context)
            {
                throw new ContextOverflowException(prompt.Length, context);
            }

            dropped = prompt.Length - (context - room);
            int kept = prompt[0] == _backend.Config.BeginOfTextId ? 1 : 0;
            prompt = [.. prompt[..kept], .. prompt[(kept + dropped)..]];
        }

        int maxNewTokens = Math.Min(options.MaxNewTokens ?? int.MaxValue, context - prompt.Length);
        int[] endIds = [.. options.IgnoreEos is true ? [] : _backend.Config.EndOfTextIds, .. options.StopTokenIds ?? []];
        TokenConstraint? constraint = options.Constraint is null ? null : _constraints!.Get(options.Constraint);
        return new(prompt, dropped, maxNewTokens, endIds, options with { MaxNewTokens = maxNewTokens }, constraint);
    }

    private int[] CopyFitting(IReadOnlyList<int> ids)
    {
        int[] copy = CopyIds(ids);
        return copy.Length <= _backend.ContextLength ? copy : throw new ContextOverflowException(copy.Length, _backend.ContextLength);
    }

    private int[] CopyIds(IReadOnlyList<int> ids, [CallerArgumentExpression(nameof(ids))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(ids, name);
        int[] copy = [.. ids];
        if (copy.Length == 0)
        {
            throw new ArgumentException("At least one token id is needed.", name);
        }

        CheckIds(copy, name);
        return copy;
    }

    private void CheckIds(IEnumerable<int> ids, string? name)
    {
        int index = 0;
        foreach (int id in ids)
        {
            if (id < 0 || id >= _backend.Config.VocabularySize)
            {
                throw new ArgumentException($"{name}: token id {id} (number {index}) is not from 0 to {_backend.Config.VocabularySize - 1}.", name);
            }

            index++;
        }
    }
}
