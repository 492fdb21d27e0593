namespace Llama2;

/// <summary>An adapter in one backend, ready to stand beside its weights; pieces of a batch name it.</summary>
/// <remarks>Immutable. Whoever loaded it disposes it, once no batch names it any more and before the backend.</remarks>
public abstract class BackendAdapter : IDisposable
{
    /// <summary>Gets the bytes that it occupies.</summary>
    public abstract long ByteSize { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases the memory.</summary>
    /// <param name="disposing">Always <see langword="true"/>; there is no finalizer.</param>
    protected virtual void Dispose(bool disposing)
    {
    }
}
