using System.Buffers.Binary;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Changes a file of a folder and reads the folder: that goes well or fails with the errors that are promised, in little memory.</summary>
internal static class FileAttack
{
    public const long MostBytes = 8 << 20;

    public static void Run(TemporaryFolder folder, string name, int kind, uint place, byte value, Action<string> read)
    {
        byte[] original = File.ReadAllBytes(folder[name]);
        File.WriteAllBytes(folder[name], Change(original, kind & 7, place * 2_654_435_761, value));        // spread: small numbers reach the whole file
        try
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Exception? exception = Record.Exception(() => read(folder.Path));
            Assert.True(exception is null or CheckpointException or IOException, $"{exception}");
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostBytes);
        }
        finally
        {
            File.WriteAllBytes(folder[name], original);
        }
    }

    private static byte[] Change(byte[] original, int kind, uint place, byte value)
    {
        int at = (int)(place % original.Length);
        byte[] changed = [.. original, .. new byte[8]];
        switch (kind)
        {
            case 0:
                return original[..at];
            case 1:
                return [.. original[..at], value, .. original[at..]];
            case 2:
                return [.. original[..at], .. original[Math.Min(original.Length, at + 1 + value)..]];
            case 3:
                BinaryPrimitives.WriteInt64LittleEndian(changed.AsSpan(at), long.MaxValue);
                break;
            case 4:
                BinaryPrimitives.WriteInt64LittleEndian(changed.AsSpan(at), -1 - value);
                break;
            case 5:
                changed[at] = (byte)('0' + value % 10);
                break;
            case 6:
                changed[at] ^= (byte)(1 << (value & 7));
                break;
            default:
                changed[at] = value;
                break;
        }

        return changed[..original.Length];
    }
}
