using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>How a kernel asks for the memory that its stream will reach soon, where the processor can be asked.</summary>
/// <remarks>A type of its own for each way (<see cref="IReadAhead"/>), since a kernel must not choose for every line.</remarks>
internal enum ReadAhead
{
    /// <summary><see cref="NothingAhead"/>.</summary>
    None,

    /// <summary><see cref="NonTemporalAhead"/>.</summary>
    NonTemporal,

    /// <summary><see cref="LinesAhead"/>.</summary>
    Lines,

    /// <summary><see cref="PagesAhead"/>.</summary>
    Pages,
}

/// <summary>A way of asking for memory ahead. Nothing is read, so an address beyond the end does no harm.</summary>
internal unsafe interface IReadAhead
{
    /// <summary>To be called for every 64 bytes of a stream.</summary>
    void Of(byte* stream);
}

/// <summary>Operands are in the first cache, or the processor itself looks ahead.</summary>
internal readonly unsafe struct NothingAhead : IReadAhead
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(byte* stream)
    {
    }
}

/// <summary>2 KiB ahead: for two streams side by side, where the processor itself looks further.</summary>
internal readonly unsafe struct NearAhead : IReadAhead
{
    private const int Distance = 2048;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(byte* stream)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(stream + Distance);
        }
    }
}

/// <summary>4 KiB ahead, past the second cache: for a stream that is used once beside inputs that are used again.</summary>
internal readonly unsafe struct NonTemporalAhead : IReadAhead
{
    private const int Distance = 4096;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(byte* stream)
    {
        if (Sse.IsSupported)
        {
            Sse.PrefetchNonTemporal(stream + Distance);
        }
    }
}

/// <summary>Two distances: 4 KiB into the first cache, which is too late for memory that many lines are waited for, and 16 KiB into the second.</summary>
internal readonly unsafe struct LinesAhead : IReadAhead
{
    private const int Near = 4096, Far = 4 * Near;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(byte* stream)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(stream + Near);
            Sse.Prefetch2(stream + Far);
        }
    }
}

/// <summary>Eight pages at a time, each from its beginning to its end, while the stream goes through the page before them.</summary>
/// <remarks>
/// Intel's processors fetch by themselves what a program will read next, but begin anew in every page. Asked for lines of eight pages in turns
/// they do so in eight pages at once, and as many lines are under way as a core can wait for.
/// </remarks>
internal readonly unsafe struct PagesAhead : IReadAhead
{
    public const nuint LineBytes = 64, PageBytes = 4096, Pages = 8, PartBytes = PageBytes / Pages;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(byte* stream)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(Ahead(stream));
        }
    }

    /// <summary>
    /// Line 8a + b of a page stands for line a of an eighth of the page that is 1 + b pages ahead: of the last eighth in the next page, of the
    /// first one in the eighth page from here. So each line is asked for once, and in each page one after the other.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static byte* Ahead(byte* stream)
    {
        nuint line = (nuint)stream / LineBytes, a = line / Pages % Pages, b = line % Pages;
        nuint page = (nuint)stream / PageBytes + 1 + b;
        return (byte*)(page * PageBytes + (Pages - 1 - b) * PartBytes + a * LineBytes);
    }
}

/// <summary>As <see cref="PagesAhead"/>, for a stream in pieces of whole pages, whose places a list tells.</summary>
/// <param name="pages">The page where the stream begins and those after it: <see cref="PagesAhead.Pages"/> more than are read.</param>
internal readonly unsafe struct ListedPagesAhead(byte** pages) : IReadAhead
{
    private readonly byte* _start = pages[0];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(byte* stream)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(Ahead(stream));
        }
    }

    /// <inheritdoc cref="PagesAhead.Ahead"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* Ahead(byte* stream)
    {
        nuint line = (nuint)(stream - _start) / PagesAhead.LineBytes, a = line / PagesAhead.Pages % PagesAhead.Pages, b = line % PagesAhead.Pages;
        byte* page = pages[line / (PagesAhead.PageBytes / PagesAhead.LineBytes) + 1 + b];
        return page + (PagesAhead.Pages - 1 - b) * PagesAhead.PartBytes + a * PagesAhead.LineBytes;
    }
}

/// <summary>The ways to use.</summary>
internal static unsafe class ReadAheads
{
    private const int LineBytes = 64;

    /// <summary>The fastest way for memory that no cache holds.</summary>
    public static ReadAhead OfMemory => Processor.IsIntel ? ReadAhead.Pages : ReadAhead.Lines;

    /// <summary>The fastest way for weights that no cache holds: for one input Zen 4 looks ahead best by itself, but not where weights are of 4 bits.</summary>
    /// <param name="format">Their format.</param>
    /// <param name="inputs">Inputs of the tile.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ReadAhead OfWeights(WeightFormat format, int inputs) =>
        inputs != 1 || !Processor.IsZen4 ? OfMemory : format == WeightFormat.Q4_0 ? ReadAhead.NonTemporal : ReadAhead.None;

    /// <summary>The fastest way for keys and values that no cache holds, where their pages are not listed.</summary>
    /// <param name="queries">Queries of the tile.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ReadAhead OfKeysAndValues(int queries) => queries == 1 && Processor.IsZen4 ? ReadAhead.NonTemporal : ReadAhead.Lines;

    /// <summary>Asks the second cache for memory that is needed soon, but not next.</summary>
    /// <param name="start">Where it begins.</param>
    /// <param name="bytes">How much of it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(byte* start, nint bytes)
    {
        byte* line = (byte*)((nint)start & -LineBytes);
        for (byte* end = start + bytes; Sse.IsSupported && line < end; line += LineBytes)
        {
            Sse.Prefetch1(line);
        }
    }
}
