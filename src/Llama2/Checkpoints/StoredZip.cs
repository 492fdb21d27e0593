using System.Buffers.Binary;
using System.Text;

namespace Llama2;

/// <summary>Where an entry of a zip archive lies in its file.</summary>
internal readonly record struct ZipPlace(long Offset, long Length);

/// <summary>
/// Finds the entries of an uncompressed zip archive, which is what torch writes, so that they can be used where they lie. Deflated,
/// encrypted and overlapping entries are refused, so nothing here can grow; archives above 4 GB (zip64) are read.
/// </summary>
internal static class StoredZip
{
    private const int MaxEntries = 1 << 16;
    private const int MaxNameBytes = 1024;
    private const int EndLength = 22, LocatorLength = 20, Zip64EndLength = 56, DirectoryEntryLength = 46, LocalHeaderLength = 30;

    public static IReadOnlyDictionary<string, ZipPlace> Read(MappedFile file)
    {
        (long offset, long length, long count) = FindDirectory(file);
        if (offset < 0 || length < 0 || length > file.Length - offset || count < 0 || count > MaxEntries || count * DirectoryEntryLength > length)
        {
            throw Error(file, "zip directory", $"{count:N0} entries in {length:N0} bytes at {offset:N0}", $"at most {MaxEntries:N0} entries inside the file");
        }

        var places = new Dictionary<string, ZipPlace>((int)count);
        var ranges = new List<(long Begin, long End)>((int)count);
        long position = offset, end = offset + length;
        for (int i = 0; i < count; i++)
        {
            position = ReadEntry(file, position, end, places, ranges);
        }

        RequireApart(file, ranges, offset);
        return places;
    }

    private static (long Offset, long Length, long Count) FindDirectory(MappedFile file)
    {
        long end = FindEnd(file);
        ReadOnlySpan<byte> record = file.Span(end, EndLength);
        if (end >= LocatorLength && UInt32(file.Span(end - LocatorLength, LocatorLength), 0) == 0x07064b50)
        {
            long zip64 = Int64(file.Span(end - LocatorLength, LocatorLength), 8);
            ReadOnlySpan<byte> wide = file.Span(zip64, Zip64EndLength);
            return UInt32(wide, 0) == 0x06064b50
                ? (Int64(wide, 48), Int64(wide, 40), Int64(wide, 32))
                : throw Error(file, "zip64 end of directory", $"0x{UInt32(wide, 0):x8}", "0x06064b50");
        }

        return (UInt32(record, 16), UInt32(record, 12), UInt16(record, 10));
    }

    /// <summary>The last record of a zip ends with a comment of up to 64 KB, so it is looked for from the end.</summary>
    private static long FindEnd(MappedFile file)
    {
        for (long position = file.Length - EndLength; position >= Math.Max(0, file.Length - EndLength - ushort.MaxValue); position--)
        {
            ReadOnlySpan<byte> record = file.Span(position, EndLength);
            if (UInt32(record, 0) == 0x06054b50 && position + EndLength + UInt16(record, 20) == file.Length)
            {
                return position;
            }
        }

        throw Error(file, "layout", "no zip archive", "a file that torch.save wrote in its zip layout (the default since torch 1.6)");
    }

    private static long ReadEntry(MappedFile file, long position, long end, Dictionary<string, ZipPlace> places, List<(long Begin, long End)> ranges)
    {
        ReadOnlySpan<byte> header = position <= end - DirectoryEntryLength ? file.Span(position, DirectoryEntryLength) : default;
        if (header.IsEmpty || UInt32(header, 0) != 0x02014b50)
        {
            throw Error(file, $"zip directory at {position:N0}", "no entry", "the number of entries that the archive claims");
        }

        int nameLength = UInt16(header, 28), extraLength = UInt16(header, 30), commentLength = UInt16(header, 32);
        long next = position + DirectoryEntryLength + nameLength + extraLength + commentLength;
        if (next > end || nameLength > MaxNameBytes)
        {
            throw Error(file, $"zip directory at {position:N0}", $"a name of {nameLength:N0} bytes", $"at most {MaxNameBytes:N0}, inside the directory");
        }

        string name = Encoding.UTF8.GetString(file.Span(position + DirectoryEntryLength, nameLength));
        ReadOnlySpan<byte> extra = file.Span(position + DirectoryEntryLength + nameLength, extraLength);
        int flags = UInt16(header, 8), method = UInt16(header, 10);
        long packed = UInt32(header, 20), size = UInt32(header, 24), local = UInt32(header, 42);
        Widen(file, name, extra, ref size, ref packed, ref local);
        if ((flags & 1) != 0 || method != 0 || packed != size)
        {
            throw Error(file, $"zip entry '{name}'", $"method {method}, flags {flags}", "an entry that is neither compressed nor encrypted");
        }

        ReadOnlySpan<byte> localHeader = file.Span(local, LocalHeaderLength);
        if (UInt32(localHeader, 0) != 0x04034b50)
        {
            throw Error(file, $"zip entry '{name}'", $"0x{UInt32(localHeader, 0):x8} at {local:N0}", "a local header, 0x04034b50");
        }

        long data = local + LocalHeaderLength + UInt16(localHeader, 26) + UInt16(localHeader, 28);
        if (size < 0 || size > file.Length - data)
        {
            throw Error(file, $"zip entry '{name}'", $"{size:N0} bytes at {data:N0}", $"at most {file.Length:N0}, the end of the file");
        }

        ranges.Add((local, data + size));
        return places.TryAdd(name, new(data, size)) ? next : throw Error(file, $"zip entry '{name}'", "two of that name", "one");
    }

    /// <summary>Takes the wide values of the zip64 field for those that are all ones in the narrow header, in this order.</summary>
    private static void Widen(MappedFile file, string name, ReadOnlySpan<byte> extra, ref long size, ref long packed, ref long local)
    {
        while (extra.Length >= 4)
        {
            int id = UInt16(extra, 0), length = UInt16(extra, 2);
            if (length > extra.Length - 4)
            {
                break;
            }

            if (id == 1)
            {
                ReadOnlySpan<byte> field = extra.Slice(4, length);
                size = Next(ref field, size);
                packed = Next(ref field, packed);
                local = Next(ref field, local);
                return;
            }

            extra = extra[(4 + length)..];
        }

        long Next(ref ReadOnlySpan<byte> field, long narrow)
        {
            if (narrow != uint.MaxValue)
            {
                return narrow;
            }

            if (field.Length < 8)
            {
                throw Error(file, $"zip entry '{name}'", "a short zip64 field", "8 bytes for each wide value");
            }

            long wide = Int64(field, 0);
            field = field[8..];
            return wide;
        }
    }

    private static void RequireApart(MappedFile file, List<(long Begin, long End)> ranges, long directory)
    {
        ranges.Sort();
        ranges.Add((directory, directory));
        for (int i = 1; i < ranges.Count; i++)
        {
            if (ranges[i].Begin < ranges[i - 1].End)
            {
                throw Error(file, $"zip entry at {ranges[i].Begin:N0}", "an overlap", $"a place from {ranges[i - 1].End:N0}, where the one before ends");
            }
        }
    }

    private static int UInt16(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[offset..]);

    private static uint UInt32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    private static long Int64(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadInt64LittleEndian(bytes[offset..]);

    private static CheckpointException Error(MappedFile file, string field, string found, string expected) => new(file.Path, field, found, expected);
}
