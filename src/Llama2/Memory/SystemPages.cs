using System.Runtime.InteropServices;

namespace Llama2;

/// <summary>Asks Linux for memory in huge pages, and to let go of the pages of mapped files; elsewhere nothing happens.</summary>
/// <remarks>
/// Most systems give huge pages only to those who ask ("madvise" in /sys/kernel/mm/transparent_hugepage/enabled). A system that has none gives
/// small ones without an error.
/// </remarks>
internal static unsafe partial class SystemPages
{
    private const long PageBytes = 2 << 20;
    private const long LeastBytes = 2 * PageBytes;                            // less is not worth a mapping of its own
    private const long SmallPageBytes = 4096;
    private const int ReadWrite = 1 | 2;                                      // PROT_READ | PROT_WRITE
    private const int PrivateAnonymous = 0x02 | 0x20;                         // MAP_PRIVATE | MAP_ANONYMOUS
    private const int DontNeed = 4;                                           // MADV_DONTNEED
    private const int HugePage = 14;                                          // MADV_HUGEPAGE

    /// <summary>Maps zeroed memory, aligned to a huge page.</summary>
    /// <returns>Null where there are no such mappings, little is asked for, or the system refuses.</returns>
    public static void* Map(long bytes)
    {
        if (!OperatingSystem.IsLinux() || bytes < LeastBytes)
        {
            return null;
        }

        // One page more, of which the ends that do not fit go back at once.
        nint length = checked((nint)RoundUp(bytes)), whole = checked(length + (nint)PageBytes);
        nint start = MMap(0, whole, ReadWrite, PrivateAnonymous, -1, 0);
        if (start == -1)
        {
            return null;
        }

        nint aligned = (nint)RoundUp(start), before = aligned - start, after = whole - length - before;
        if (before > 0)
        {
            _ = MUnmap(start, before);
        }

        if (after > 0)
        {
            _ = MUnmap(aligned + length, after);
        }

        _ = MAdvise(aligned, length, HugePage);                               // a wish: refused, the pages are small
        return (void*)aligned;
    }

    public static void Unmap(void* start, long bytes) => _ = MUnmap((nint)start, (nint)RoundUp(bytes));

    /// <summary>Lets go of the pages of a mapped file that have been read and will not be soon: they no longer count as ours, and come back from the file if need be.</summary>
    public static void Release(void* start, long bytes)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        nint first = ((nint)start + (nint)SmallPageBytes - 1) & ~(nint)(SmallPageBytes - 1), end = (nint)start + (nint)bytes & ~(nint)(SmallPageBytes - 1);
        if (end > first)
        {
            _ = MAdvise(first, end - first, DontNeed);
        }
    }

    private static long RoundUp(long bytes) => checked(bytes + PageBytes - 1) & ~(PageBytes - 1);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint MMap(nint address, nint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int MUnmap(nint address, nint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MAdvise(nint address, nint length, int advice);
}
