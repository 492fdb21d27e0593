namespace Llama2;

/// <summary>Runs any number of generations on one backend: one loop, one forward pass for all live sequences at a time.</summary>
/// <remarks>
/// Thread-safe: callers on any thread enqueue and await. The loop runs on a thread of its own. A sequence that ends leaves its
/// key-value cache, with its tokens, in a pool from which later requests with the same beginning go on.
/// </remarks>
public sealed class LlamaEngine : IDisposable
{
    internal LlamaEngine(LlamaBackend backend, LlamaTokenizer? tokenizer, LlamaModelOptions options, GenerationOptions defaults, LlamaDiagnostics? diagnostics = null, TimeProvider? timeProvider = null) =>
        throw new NotImplementedException();

    internal GenerationOptions Defaults => throw new NotImplementedException();

    /// <summary>Generates from token ids and streams as it goes; the last update carries the <see cref="GenerationResult"/>.</summary>
    /// <param name="prompt">One or more ids, the begin of text included.</param>
    /// <param name="options">The settings, or <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Seen between the chunks of a prompt and between tokens.</param>
    /// <exception cref="ArgumentException">A setting or an id is out of range; thrown before any work.</exception>
    /// <exception cref="ContextOverflowException">The prompt does not fit, and the policy is to throw.</exception>
    /// <exception cref="GenerationCanceledException">The caller cancelled; holds what there was by then.</exception>
    /// <exception cref="InvalidOperationException">Too many requests are waiting.</exception>
    public IAsyncEnumerable<GenerationUpdate> GenerateAsync(IReadOnlyList<int> prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();

    /// <summary>How many tokens of a prompt the pool would supply now.</summary>
    /// <param name="prompt">The ids of the prompt.</param>
    public int CountCachedTokens(IReadOnlyList<int> prompt) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotImplementedException();
}
