namespace Llama2;

/// <summary>Loads the weights of a checkpoint into a backend.</summary>
/// <param name="checkpoint">The checkpoint; it stays open as long as the backend lives, and stays the caller's.</param>
/// <param name="options">How to load and run it.</param>
/// <param name="progress">Told after each tensor.</param>
/// <param name="cancellationToken">Ends the load; everything is freed then.</param>
/// <returns>The backend, which the model disposes.</returns>
public delegate LlamaBackend LlamaBackendLoader(
    Checkpoint checkpoint, LlamaModelOptions options, IProgress<LoadProgress>? progress, CancellationToken cancellationToken);

/// <summary>The seam: something that holds a model's weights and turns a batch of tokens into logits.</summary>
/// <remarks>
/// <see cref="Forward"/> is called by one thread at a time; the weights are immutable. Every implementation passes the same contract
/// test: golden logits, a batch equals its pieces run alone, rewinding, forking.
/// </remarks>
public abstract class LlamaBackend : IDisposable
{
    /// <summary>Gets what is really used: device, kernels, formats, bytes.</summary>
    public abstract BackendInfo Info { get; }

    /// <summary>Gets the shape of the model.</summary>
    public abstract LlamaConfig Config { get; }

    /// <summary>Gets the most tokens of a sequence.</summary>
    public abstract int ContextLength { get; }

    /// <summary>Makes an empty cache for a new sequence.</summary>
    public abstract KeyValueCache CreateCache();

    /// <summary>Bytes that a cache of so many tokens occupies.</summary>
    /// <param name="tokens">The number of tokens.</param>
    public abstract long CacheBytes(int tokens);

    /// <summary>Gets an adapter ready to stand beside the weights, so that pieces of a batch can name it: each its own, or none.</summary>
    /// <remarks>
    /// A backend need not: this method refuses unless it is overridden, and an adapter that is merged while the weights are read asks nothing of a
    /// backend. Unlike <see cref="Forward"/> it may be called by any thread at any time. A piece without an adapter gets the same bits whatever is
    /// loaded.
    /// </remarks>
    /// <param name="adapter">The adapter; its numbers are copied.</param>
    /// <returns>The caller's, who disposes it once no batch names it any more.</returns>
    /// <exception cref="ArgumentException">The adapter is of another shape than the model.</exception>
    /// <exception cref="NotSupportedException">The backend cannot.</exception>
    public virtual BackendAdapter LoadAdapter(LoraAdapter adapter) => throw new NotSupportedException(
        $"{GetType().Name} runs no adapters beside the weights; merge one into them with LlamaModelOptions.MergedAdapter.");

    /// <summary>Runs every token of the batch through the model and extends the caches by them.</summary>
    /// <param name="batch">The tokens.</param>
    /// <param name="logits">[<see cref="LlamaBatch.LogitRowCount"/>, vocabulary], written row by row in the order of the pieces.</param>
    /// <exception cref="ArgumentException">An id is not in the vocabulary, a cache is full, a cache or an adapter is not of this backend; nothing has changed then.</exception>
    public abstract void Forward(LlamaBatch batch, Span<float> logits);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases the weights.</summary>
    /// <param name="disposing">Always <see langword="true"/>; there is no finalizer.</param>
    protected virtual void Dispose(bool disposing)
    {
    }
}
