using System.Globalization;

namespace Llama2;

/// <summary>What a load takes.</summary>
/// <param name="WeightBytes">Bytes of the weights that are copied to memory.</param>
/// <param name="MappedBytes">Bytes of the weights that stay in the mapped file, and which the system may drop and read again.</param>
/// <param name="CacheBytesPerToken">Bytes of keys and values per token of a sequence.</param>
/// <param name="ContextLength">The most tokens of a sequence.</param>
/// <param name="ActivationBytes">Bytes of the buffers of a forward pass.</param>
/// <param name="AdapterBytes">Bytes of the adapters that stand beside the weights.</param>
public sealed record MemoryEstimate(
    long WeightBytes, long MappedBytes, long CacheBytesPerToken, int ContextLength, long ActivationBytes, long AdapterBytes = 0)
{
    /// <summary>Gets the bytes of one sequence that fills the context.</summary>
    public long FullContextCacheBytes => CacheBytesPerToken * ContextLength;

    /// <summary>Gets the bytes that the process needs of its own with one full context.</summary>
    public long TotalBytes => WeightBytes + AdapterBytes + ActivationBytes + FullContextCacheBytes;

    internal void ThrowIfAbove(long availableBytes, string path)
    {
        if (TotalBytes > availableBytes)
        {
            throw new InsufficientMemoryException(string.Create(
                CultureInfo.InvariantCulture,
                $"{path} needs {TotalBytes / 1e9:0.00} GB (weights {WeightBytes / 1e9:0.00}, adapters {AdapterBytes / 1e9:0.00}, buffers {ActivationBytes / 1e9:0.00}, a context of {ContextLength} tokens " +
                $"{FullContextCacheBytes / 1e9:0.00}), and {availableBytes / 1e9:0.00} GB are there. Choose a smaller WeightFormat or ContextLength, or set CheckMemory to false."));
        }
    }
}
