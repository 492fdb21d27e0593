namespace Llama2;

/// <summary>What a backend really uses.</summary>
/// <param name="Device">The device, such as <c>cpu</c> or <c>cuda:0</c>.</param>
/// <param name="Kernels">The instruction set or library, such as <c>AVX-512</c>.</param>
/// <param name="Threads">Threads that work on a forward pass.</param>
/// <param name="WeightFormats">The formats of the matrices with their bytes, most bytes first, such as <c>Q8_0 6.7 GB, F32 1.1 MB</c>.</param>
/// <param name="WeightBytes">Bytes of all weights.</param>
/// <param name="CacheBytesPerToken">Bytes of keys and values per token of a sequence.</param>
public sealed record BackendInfo(string Device, string Kernels, int Threads, string WeightFormats, long WeightBytes, long CacheBytesPerToken)
{
    /// <summary>Gets the bytes of the adapters that stand beside the weights now, those included that are unloaded but still in use.</summary>
    public long AdapterBytes { get; init; }
}
