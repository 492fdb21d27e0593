using System.Runtime.InteropServices;

namespace Llama2;

/// <summary>Zeroed memory outside the managed heap, aligned to a cache line; freed by <see cref="Dispose"/> or, failing that, the finalizer.</summary>
/// <remarks>On Linux much of it at a time comes in huge pages where the system has them: what reads it all then does so up to twice as fast.</remarks>
internal sealed unsafe class AlignedMemory : IDisposable
{
    /// <summary>Bytes of a cache line: where memory begins.</summary>
    public const int Alignment = 64;

    private static long _liveBytes;
    private readonly AlignedMemory? _whole;                      // of which this is a part
    private readonly bool _mapped;
    private void* _allocated;
    private void* _start;                                        // in what is allocated, at the first whole line

    public AlignedMemory(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        _allocated = SystemPages.Map(bytes);
        _mapped = _allocated is not null;
        if (!_mapped)
        {
            _allocated = NativeMemory.AllocZeroed(checked((nuint)bytes + Alignment));     // much of it: zeros that the system makes at the first use
        }

        _start = (void*)(((nint)_allocated + Alignment - 1) & -Alignment);

        Interlocked.Add(ref _liveBytes, bytes);
        if (bytes > 0)
        {
            GC.AddMemoryPressure(bytes);
        }
    }

    private AlignedMemory(AlignedMemory whole, long offset, long bytes)
    {
        (_whole, Bytes) = (whole, bytes);
        _start = whole.Pointer + offset;
        GC.SuppressFinalize(this);
    }

    ~AlignedMemory() => Free();

    /// <summary>Bytes of the whole process that are allocated this way and not yet freed.</summary>
    public static long LiveBytes => Interlocked.Read(ref _liveBytes);

    public long Bytes { get; }

    public byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_start is null || _whole is { _start: null }, this);
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

    /// <summary>A part of this memory, which ends with it; disposing of the part frees nothing.</summary>
    /// <param name="offset">A multiple of <see cref="Alignment"/>.</param>
    /// <param name="bytes">Bytes of the part.</param>
    public AlignedMemory Part(long offset, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(offset & (Alignment - 1), 0, nameof(offset));
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Bytes - bytes);
        return new AlignedMemory(this, offset, bytes);
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        _start = null;
        if (_allocated is null)
        {
            return;                                              // a part, or freed already
        }

        if (_mapped)
        {
            SystemPages.Unmap(_allocated, Bytes);
        }
        else
        {
            NativeMemory.Free(_allocated);
        }

        _allocated = null;
        Interlocked.Add(ref _liveBytes, -Bytes);
        if (Bytes > 0)
        {
            GC.RemoveMemoryPressure(Bytes);
        }
    }
}
