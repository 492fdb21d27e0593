using System.Runtime.InteropServices;

namespace Llama2;

/// <summary>Zeroed memory outside the managed heap, aligned to a cache line; freed by <see cref="Dispose"/> or, failing that, the finalizer.</summary>
internal sealed unsafe class AlignedMemory : IDisposable
{
    private const int Alignment = 64;
    private static long _liveBytes;
    private void* _start;

    public AlignedMemory(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        _start = NativeMemory.AlignedAlloc(checked((nuint)Math.Max(bytes, 1)), Alignment);
        NativeMemory.Clear(_start, (nuint)bytes);
        Bytes = bytes;
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

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_start is not null)
        {
            NativeMemory.AlignedFree(_start);
            _start = null;
            Interlocked.Add(ref _liveBytes, -Bytes);
            if (Bytes > 0)
            {
                GC.RemoveMemoryPressure(Bytes);
            }
        }
    }
}
