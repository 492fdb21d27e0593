using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>Asks for memory that a stream will reach soon, where the processor can be asked.</summary>
/// <remarks>
/// Two distances: the second cache begins to fetch a line early enough for memory that many lines are waited for, and the first cache takes it over
/// from there. Nothing is read, so an address beyond the end does no harm.
/// </remarks>
internal static unsafe class ReadAhead
{
    private const int Near = 4096;                                            // bytes
    private const int Far = 4 * Near;
    private const int NearOfTwo = 2048;

    /// <summary>To be called for every 64 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Of(byte* stream)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(stream + Near);
            Sse.Prefetch2(stream + Far);
        }
    }

    /// <summary>To be called for every 64 bytes of each of two streams that are read side by side, where the processor itself looks further ahead.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void OfOneOfTwo(byte* stream)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(stream + NearOfTwo);
        }
    }
}
