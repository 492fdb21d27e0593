using System.Buffers.Binary;
using System.Text;

namespace Llama2;

/// <summary>The types of GGUF metadata values; the numbers are the format's.</summary>
internal enum GgufType
{
    UInt8 = 0,
    Int8 = 1,
    UInt16 = 2,
    Int16 = 3,
    UInt32 = 4,
    Int32 = 5,
    Float32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    UInt64 = 10,
    Int64 = 11,
    Float64 = 12,
}

/// <summary>Reads GGUF's primitives from a mapped file, front to back; every length is checked against what is left. Not thread-safe.</summary>
internal sealed class GgufCursor(MappedFile file, long position = 0)
{
    private const int MostNestedArrays = 8;
    private static readonly UTF8Encoding _strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public long Position { get; private set; } = position;

    private long Remaining => file.Length - Position;

    public uint UInt32(string field) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, field));

    public ulong UInt64(string field) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, field));

    /// <summary>A number of things of at least so many bytes each, which must therefore fit into the rest of the file.</summary>
    public long Count(int leastBytes, string field)
    {
        ulong count = UInt64(field);
        return count <= (ulong)(Remaining / leastBytes)
            ? (long)count
            : throw Fault(field, $"{count:N0}", $"at most {Remaining / leastBytes:N0}, for {Remaining:N0} bytes remain");
    }

    /// <summary>A string of at most so many bytes of UTF-8.</summary>
    public string Text(int mostBytes, string field)
    {
        long length = Count(1, field);
        if (length > mostBytes)
        {
            throw Fault(field, $"a string of {length:N0} bytes", $"at most {mostBytes:N0}");
        }

        try
        {
            return _strict.GetString(Take((int)length, field));
        }
        catch (DecoderFallbackException exception)
        {
            throw new CheckpointException(file.Path, field, "bytes that are no UTF-8", "a string", exception);
        }
    }

    public GgufType Type(string field)
    {
        uint type = UInt32(field);
        return type <= (uint)GgufType.Float64 ? (GgufType)type : throw Fault(field, $"value type {type}", "a type from 0 to 12");
    }

    /// <summary>An integer of any width, or null for a value of another type.</summary>
    public decimal? Integer(GgufType type, string field) => type switch
    {
        GgufType.UInt8 => Take(1, field)[0],
        GgufType.Int8 => (sbyte)Take(1, field)[0],
        GgufType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(Take(2, field)),
        GgufType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(Take(2, field)),
        GgufType.UInt32 => UInt32(field),
        GgufType.Int32 => (int)UInt32(field),
        GgufType.UInt64 => UInt64(field),
        GgufType.Int64 => (long)UInt64(field),
        _ => null,
    };

    /// <summary>A floating-point number, or null for a value of another type.</summary>
    public double? Real(GgufType type, string field) => type switch
    {
        GgufType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(Take(4, field)),
        GgufType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(Take(8, field)),
        _ => null,
    };

    /// <summary>Passes over a value and checks that it is there.</summary>
    public void Skip(GgufType type, string field, int depth = 0)
    {
        switch (type)
        {
            case GgufType.String:
                long length = Count(1, field);                                             // moves the position first
                Position += length;
                break;
            case GgufType.Array when depth == MostNestedArrays:
                throw Fault(field, "arrays in arrays in arrays", $"at most {MostNestedArrays} levels");
            case GgufType.Array:
                GgufType element = Type(field);
                long count = Count(LeastBytes(element), field);
                if (element is GgufType.String or GgufType.Array)
                {
                    for (; count > 0; count--)
                    {
                        Skip(element, field, depth + 1);
                    }
                }
                else
                {
                    Position += count * LeastBytes(element);
                }

                break;
            default:
                _ = Take(LeastBytes(type), field);
                break;
        }
    }

    public CheckpointException Fault(string field, string found, string expected) => new(file.Path, field, found, expected);

    /// <summary>The bytes of a value; of a string its length, of an array its type and length.</summary>
    private static int LeastBytes(GgufType type) => type switch
    {
        GgufType.UInt8 or GgufType.Int8 or GgufType.Bool => 1,
        GgufType.UInt16 or GgufType.Int16 => 2,
        GgufType.UInt32 or GgufType.Int32 or GgufType.Float32 => 4,
        GgufType.Array => 12,
        _ => 8,
    };

    private ReadOnlySpan<byte> Take(int length, string field)
    {
        if (length > Remaining)
        {
            throw Fault(field, $"{Remaining:N0} bytes before the end of the file", $"{length:N0}");
        }

        ReadOnlySpan<byte> bytes = file.Span(Position, length);
        Position += length;
        return bytes;
    }
}
