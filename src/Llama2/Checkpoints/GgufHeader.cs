using System.Buffers.Binary;
using System.Numerics;

namespace Llama2;

/// <summary>A tensor as a GGUF header describes it; the offset counts from the beginning of the file.</summary>
internal readonly record struct GgufTensorInfo(string Name, WeightFormat Format, int Rows, int Columns, long Offset)
{
    public long ByteSize => Rows * Format.RowBytes(Columns);
}

/// <summary>Everything before the tensors' bytes: version, metadata and the places of the tensors, all checked. Immutable.</summary>
internal sealed class GgufHeader
{
    private const int MostTensorNameBytes = 1024;
    private const int LeastKeyBytes = 8 + 4 + 1;                                           // empty name, type, smallest value
    private const int LeastTensorBytes = 8 + 4 + 8 + 4 + 8;                                // empty name, dimensions, one of them, type, offset
    private readonly MappedFile _file;

    public GgufHeader(MappedFile file)
    {
        _file = file;
        var cursor = new GgufCursor(file);
        uint magic = cursor.UInt32("magic");
        if (magic != 0x46554747)
        {
            throw cursor.Fault("magic", $"0x{magic:X8}", "0x46554747 (the letters GGUF)");
        }

        uint version = cursor.UInt32("version");
        if (version is not (2 or 3))
        {
            throw BinaryPrimitives.ReverseEndianness(version) is 2 or 3
                ? cursor.Fault("version", "a big-endian file", "a little-endian one")
                : cursor.Fault("version", $"{version}", "2 or 3");
        }

        Version = (int)version;
        long tensors = cursor.Count(LeastTensorBytes, "tensor count");
        Metadata = new GgufMetadata(file, cursor, cursor.Count(LeastKeyBytes, "metadata count"));
        int alignment = Metadata.Int32("general.alignment") ?? 32;
        if (!BitOperations.IsPow2(alignment) || alignment > 1 << 20)
        {
            throw cursor.Fault("general.alignment", $"{alignment}", "a power of two up to 1,048,576");
        }

        if (Metadata.Int32("split.count") > 1)
        {
            throw cursor.Fault("split.count", $"a model in {Metadata.Int32("split.count")} files", "a whole one; join the files with llama-gguf-split --merge");
        }

        Tensors = ReadTensors(cursor, tensors, alignment);
    }

    public int Version { get; }

    public GgufMetadata Metadata { get; }

    /// <summary>The tensors by their GGUF names.</summary>
    public IReadOnlyDictionary<string, GgufTensorInfo> Tensors { get; }

    private Dictionary<string, GgufTensorInfo> ReadTensors(GgufCursor cursor, long count, int alignment)
    {
        var tensors = new Dictionary<string, GgufTensorInfo>();
        for (long i = 0; i < count; i++)
        {
            GgufTensorInfo tensor = ReadTensor(cursor, $"tensor {i} of {count}", alignment);
            if (!tensors.TryAdd(tensor.Name, tensor))
            {
                throw cursor.Fault($"tensor '{tensor.Name}'", "the name twice", "each name once");
            }
        }

        long data = cursor.Position + (-cursor.Position & (alignment - 1));
        long end = data;
        foreach (GgufTensorInfo tensor in tensors.Values.OrderBy(tensor => tensor.Offset).ToArray())
        {
            long room = _file.Length - data - tensor.Offset;
            if (room < tensor.ByteSize)
            {
                throw cursor.Fault($"tensor '{tensor.Name}'", $"{Math.Max(0, room):N0} bytes behind its offset of {tensor.Offset:N0}", $"{tensor.ByteSize:N0}");
            }

            if (data + tensor.Offset < end)
            {
                throw cursor.Fault($"tensor '{tensor.Name}'", $"an offset of {tensor.Offset:N0} inside another tensor", $"at least {end - data:N0}");
            }

            end = data + tensor.Offset + tensor.ByteSize;
            tensors[tensor.Name] = tensor with { Offset = data + tensor.Offset };
        }

        return tensors;
    }

    private GgufTensorInfo ReadTensor(GgufCursor cursor, string field, int alignment)
    {
        string name = cursor.Text(MostTensorNameBytes, field);
        field = $"tensor '{name}'";
        uint dimensions = cursor.UInt32(field);
        if (dimensions is < 1 or > 4)
        {
            throw cursor.Fault(field, $"{dimensions} dimensions", "1 to 4");
        }

        Span<ulong> sizes = [1, 1, 1, 1];                                                  // columns first, as ggml counts them
        for (int i = 0; i < dimensions; i++)
        {
            sizes[i] = cursor.UInt64(field);
        }

        uint type = cursor.UInt32(field);
        ulong offset = cursor.UInt64(field);
        WeightFormat format = GgufNames.ToFormat(type)
            ?? throw cursor.Fault(field, GgufNames.Describe(type), "F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q5_K or Q6_K");
        if (sizes[0] is 0 or > 1 << 28 || sizes[1] is 0 or > int.MaxValue || sizes[2] != 1 || sizes[3] != 1)
        {
            throw cursor.Fault(field, $"the shape {string.Join(" × ", sizes.ToArray())}", "a vector or a matrix");
        }

        if (sizes[0] % (ulong)format.BlockLength() != 0)
        {
            throw cursor.Fault(field, $"rows of {sizes[0]}", $"a multiple of {format}'s block of {format.BlockLength()}");
        }

        if (offset > (ulong)_file.Length || offset % (ulong)alignment != 0)
        {
            throw cursor.Fault(field, $"an offset of {offset}", $"a multiple of the alignment ({alignment}) inside the file");
        }

        return new(name, format, (int)sizes[1], (int)sizes[0], (long)offset);
    }
}
