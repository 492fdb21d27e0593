using System.Buffers.Binary;
using System.Text.Json;

namespace Llama2;

/// <summary>One tensor of a safetensors file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DataType">Its type as the file spells it, such as <c>BF16</c>.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Offset">Where its bytes begin in the file.</param>
internal sealed record SafetensorsEntry(string Name, string DataType, long[] Shape, long Offset);

/// <summary>
/// Reads the head of a safetensors file: 8 bytes of length, a JSON object of tensors, then their bytes without holes or overlaps.
/// </summary>
internal static class SafetensorsHeader
{
    private const int MaxHeaderBytes = 100_000_000;             // the format's own limit
    private const int MaxTensors = 1 << 17;
    private const int MaxNameLength = 1024;
    private const int MaxDimensions = 8;

    public static IReadOnlyList<SafetensorsEntry> Read(MappedFile file)
    {
        if (file.Length < 8)
        {
            throw new CheckpointException(file.Path, "length", $"{file.Length:N0} bytes", "at least 8");
        }

        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(file.Span(0, 8));
        if (length > (ulong)Math.Min(MaxHeaderBytes, file.Length - 8))
        {
            throw new CheckpointException(
                file.Path, "header length", $"{length:N0} bytes",
                $"at most {Math.Min(MaxHeaderBytes, file.Length - 8):N0}, what the format and the file allow");
        }

        try
        {
            return Parse(file, (int)length);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)    // the second: text that is not Unicode
        {
            throw new CheckpointException(file.Path, "header", exception.Message.TrimEnd('.'), "the format's JSON", exception);
        }
    }

    private static List<SafetensorsEntry> Parse(MappedFile file, int length)
    {
        var reader = new Utf8JsonReader(file.Span(8, length));
        var entries = new List<SafetensorsEntry>();
        var ends = new List<(long Begin, long End, string Name)>();
        var names = new HashSet<string>();
        Expect(ref reader, JsonTokenType.StartObject, file);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("__metadata__"u8))
            {
                reader.Skip();
                continue;
            }

            string name = reader.ValueSpan.Length <= MaxNameLength
                ? reader.GetString()!
                : throw Error(file, "names", "a longer one", $"at most {MaxNameLength:N0} bytes");
            if (!names.Add(name))
            {
                throw Error(file, $"tensor '{name}'", "two of that name", "one");
            }

            if (names.Count > MaxTensors)
            {
                throw Error(file, "tensors", "more", $"at most {MaxTensors:N0}");
            }

            entries.Add(ReadEntry(ref reader, file, name, 8 + length, out long begin, out long end));
            ends.Add((begin, end, name));
        }

        reader.Read();                                          // throws where anything but blanks follows
        RequireCovered(file, ends, file.Length - 8 - length);
        return entries;
    }

    private static SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, MappedFile file, string name, int dataStart, out long begin, out long end)
    {
        string? type = null;
        long[]? shape = null, offsets = null;
        Expect(ref reader, JsonTokenType.StartObject, file);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("dtype"u8))
            {
                Expect(ref reader, JsonTokenType.String, file);
                type = reader.ValueSpan.Length <= 32 ? reader.GetString() : throw Error(file, $"tensor '{name}': dtype", "a long text", "the name of a type");
            }
            else if (reader.ValueTextEquals("shape"u8))
            {
                shape = Numbers(ref reader, file, name);
            }
            else if (reader.ValueTextEquals("data_offsets"u8))
            {
                offsets = Numbers(ref reader, file, name);
            }
            else
            {
                reader.Skip();
            }
        }

        if (type is null || shape is null || offsets is not { Length: 2 } || offsets[0] > offsets[1])
        {
            throw Error(file, $"tensor '{name}'", "an entry without them", "dtype, shape and two data_offsets in rising order");
        }

        (begin, end) = (offsets[0], offsets[1]);
        if (ElementBytes(type) is int bytes && bytes > 0 && ByteSize(shape, bytes) != end - begin)
        {
            throw Error(file, $"tensor '{name}'", $"{end - begin:N0} bytes", $"what {type} [{string.Join(", ", shape)}] takes");
        }

        return new(name, type, shape, dataStart + begin);
    }

    private static long[] Numbers(ref Utf8JsonReader reader, MappedFile file, string name)
    {
        var numbers = new List<long>(2);
        Expect(ref reader, JsonTokenType.StartArray, file);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0 || numbers.Count == MaxDimensions)
            {
                throw Error(file, $"tensor '{name}'", "another value", $"at most {MaxDimensions} whole numbers of at least 0");
            }

            numbers.Add(number);
        }

        return [.. numbers];
    }

    /// <summary>The size of a tensor, or −1 where it is beyond what a file can hold.</summary>
    private static long ByteSize(long[] shape, int elementBytes)
    {
        UInt128 size = (UInt128)elementBytes;
        foreach (long dimension in shape)
        {
            size *= (UInt128)dimension;
            if (size > long.MaxValue)
            {
                return -1;
            }
        }

        return (long)size;
    }

    /// <summary>0 where the type is unknown: such a tensor cannot be read, but its size does not concern us.</summary>
    private static int ElementBytes(string type) => type switch
    {
        "F64" or "I64" or "U64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "U8" or "I8" or "BOOL" => 1,
        _ => 0,
    };

    private static void RequireCovered(MappedFile file, List<(long Begin, long End, string Name)> tensors, long length)
    {
        tensors.Sort();
        long covered = 0;
        foreach ((long begin, long end, string name) in tensors)
        {
            if (begin != covered)
            {
                throw Error(file, $"tensor '{name}': data_offsets", $"{begin:N0}", $"{covered:N0}, where the tensor before it ends");
            }

            covered = end;
        }

        if (covered != length)
        {
            throw Error(file, "tensors", $"{covered:N0} bytes in all", $"{length:N0}, what the file holds behind its header");
        }
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type, MappedFile file)
    {
        if (!reader.Read() || reader.TokenType != type)
        {
            throw Error(file, $"header, byte {reader.TokenStartIndex:N0}", $"{reader.TokenType}", $"{type}");
        }
    }

    private static CheckpointException Error(MappedFile file, string field, string found, string expected) => new(file.Path, field, found, expected);
}
