using System.Runtime.InteropServices;

namespace Llama2;

/// <summary>Zeroed memory outside the managed heap, aligned to a cache line; freed by <see cref="Dispose"/> or, failing that, the finalizer.</summary>
/// <remarks>On Linux much of it at a time comes in huge pages where the system has them: what reads it all then does so up to twice as fast.</remarks>
internal sealed unsafe class AlignedMemory : IDisposable
{
    private const int Alignment = 64;
    private static long _liveBytes;
    private readonly bool _mapped;
    private void* _start;

    public AlignedMemory(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        _start = SystemPages.Map(bytes);
        _mapped = _start is not null;
        if (!_mapped)
        {
            _start = NativeMemory.AlignedAlloc(checked((nuint)Math.Max(bytes, 1)), Alignment);
            NativeMemory.Clear(_start, (nuint)bytes);
        }

        Interlocked.Add(ref _liveBytes, bytes);
        if (bytes > 0)
        {
            GC.AddMemoryPressure(bytes);
        }
    }

    ~AlignedMemory() => Free();

    /// <summary>Bytes of the whole process that are allocated this way and not yet freed.</summary>
    public static long LiveBytes => Interlocked.Read(ref _liveBytes);

    public long Bytes { get; }

    public byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_start is null, this);
            return (byte*)_start;
        }
    }

    public float* Floats => (float*)Pointer;

    /// <summary>Makes room for so many bytes; what was there is lost. The old memory goes only once the new is there: if there is none, the old one serves on.</summary>
    /// <param name="memory">The memory.</param>
    /// <param name="bytes">The bytes needed.</param>
    /// <param name="reserve">Further bytes to ask for when it grows.</param>
    public static void Reserve(ref AlignedMemory memory, long bytes, long reserve = 0)
    {
        if (memory.Bytes < bytes)
        {
            var larger = new AlignedMemory(bytes + reserve);
            memory.Dispose();
            memory = larger;
        }
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_start is null)
        {
            return;
        }

        if (_mapped)
        {
            SystemPages.Unmap(_start, Bytes);
        }
        else
        {
            NativeMemory.AlignedFree(_start);
        }

        _start = null;
        Interlocked.Add(ref _liveBytes, -Bytes);
        if (Bytes > 0)
        {
            GC.RemoveMemoryPressure(Bytes);
        }
    }
}
