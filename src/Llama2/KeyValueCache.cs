namespace Llama2;

/// <summary>The keys and values of one sequence in one backend: the model's memory of the tokens so far.</summary>
/// <remarks>
/// Belongs to one sequence at a time and is not thread-safe. It starts empty, grows in blocks as tokens are forwarded, and keeps its
/// memory when it is rewound.
/// </remarks>
public abstract class KeyValueCache : IDisposable
{
    /// <summary>Gets the number of tokens that the cache holds.</summary>
    public int Length { get; protected set; }

    /// <summary>Gets the most tokens that it can hold.</summary>
    public abstract int Capacity { get; }

    /// <summary>Gets the bytes that it occupies now, those of tokens to come included.</summary>
    public abstract long ByteSize { get; }

    /// <summary>Forgets the tokens from <paramref name="length"/> on.</summary>
    /// <param name="length">From 0 to <see cref="Length"/>.</param>
    public void Rewind(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    /// <summary>Copies the first tokens into a new cache, so that two sequences can go on from them.</summary>
    /// <param name="length">From 0 to <see cref="Length"/>.</param>
    public abstract KeyValueCache Fork(int length);

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
