using System.Buffers.Binary;
using System.Text;

namespace Llama2.Tests;

/// <summary>Writes zip archives as torch does, or as it never would.</summary>
internal sealed class ZipBuilder
{
    private readonly List<byte> _bytes = [];
    private readonly List<(string Name, long Offset, int Length, ushort Method, ushort Flags, long? Place)> _entries = [];

    public bool Zip64 { get; init; }

    public ZipBuilder Add(string name, ReadOnlySpan<byte> content, ushort method = 0, ushort flags = 0, long? place = null)
    {
        _entries.Add((name, _bytes.Count, content.Length, method, flags, place));
        byte[] title = Encoding.UTF8.GetBytes(name);
        int padding = 63 - (int)((_bytes.Count + 30 + title.Length + 4 + 63) % 64);             // torch puts the numbers at multiples of 64
        Write(0x04034b50, 4);
        Write(0, 22);
        Write(title.Length, 2);
        Write(4 + padding, 2);
        _bytes.AddRange(title);
        Write(0x4246, 2);
        Write(padding, 2);
        _bytes.AddRange(new byte[padding]);
        _bytes.AddRange(content);
        return this;
    }

    public byte[] Build()
    {
        long directory = _bytes.Count;
        foreach ((string name, long offset, int length, ushort method, ushort flags, long? place) in _entries)
        {
            byte[] title = Encoding.UTF8.GetBytes(name);
            Write(0x02014b50, 4);
            Write(0, 4);
            Write(flags, 2);
            Write(method, 2);
            Write(0, 8);
            Write(Zip64 ? uint.MaxValue : length, 4);
            Write(Zip64 ? uint.MaxValue : length, 4);
            Write(title.Length, 2);
            Write(Zip64 ? 34 : 0, 2);
            Write(0, 10);
            Write(Zip64 ? uint.MaxValue : place ?? offset, 4);
            _bytes.AddRange(title);
            if (Zip64)
            {
                Write(0x5455, 2);                               // a field to be passed over
                Write(2, 2);
                Write(0, 2);
                Write(1, 2);
                Write(24, 2);
                Write(length, 8);
                Write(length, 8);
                Write(place ?? offset, 8);
            }
        }

        long end = _bytes.Count;
        if (Zip64)
        {
            Write(0x06064b50, 4);
            Write(44, 8);
            Write(0, 12);
            Write(_entries.Count, 8);
            Write(_entries.Count, 8);
            Write(end - directory, 8);
            Write(directory, 8);
            Write(0x07064b50, 4);
            Write(0, 4);
            Write(end, 8);
            Write(1, 4);
        }

        Write(0x06054b50, 4);
        Write(0, 4);
        Write(Zip64 ? ushort.MaxValue : _entries.Count, 2);
        Write(Zip64 ? ushort.MaxValue : _entries.Count, 2);
        Write(Zip64 ? uint.MaxValue : end - directory, 4);
        Write(Zip64 ? uint.MaxValue : directory, 4);
        Write(0, 2);
        return _bytes.ToArray();
    }

    private void Write(long value, int bytes)
    {
        Span<byte> buffer = stackalloc byte[32];
        buffer.Clear();
        BinaryPrimitives.WriteInt64LittleEndian(buffer, value);
        _bytes.AddRange(buffer[..bytes]);
    }
}

/// <summary>Writes pickles operation by operation.</summary>
internal sealed class PickleBuilder
{
    private readonly List<byte> _bytes = [];

    public PickleBuilder Op(params ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public PickleBuilder Op(char operation) => Op((byte)operation);

    public PickleBuilder Op(char operation, byte argument) => Op((byte)operation, argument);

    public PickleBuilder Text(string text)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, Encoding.UTF8.GetByteCount(text));
        return Op('X').Op(length).Op(Encoding.UTF8.GetBytes(text));
    }

    public PickleBuilder Int(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return Op('J').Op(bytes);
    }

    public PickleBuilder Global(string module, string name) => Op('c').Op(Encoding.UTF8.GetBytes($"{module}\n{name}\n"));

    public PickleBuilder Ints(params int[] values)
    {
        Op('(');
        foreach (int value in values)
        {
            Int(value);
        }

        return Op('t');
    }

    /// <summary>A storage: ('storage', type, key, 'cpu', count).</summary>
    public PickleBuilder Storage(string type, string key, int count) =>
        Op('(').Text("storage").Global("torch", type).Text(key).Text("cpu").Int(count).Op('t').Op('Q');

    /// <summary>A whole tensor, as torch.save writes it.</summary>
    public PickleBuilder Tensor(string type, string key, int count, int offset, int[] shape, int[]? strides = null) =>
        Global("torch._utils", "_rebuild_tensor_v2").Op('(').Storage(type, key, count).Int(offset)
            .Ints(shape).Ints(strides ?? (shape.Length == 1 ? [1] : [shape[1], 1]))
            .Op(0x89).Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R');

    public byte[] Stop() => Op('.')._bytes.ToArray();
}

/// <summary>Writes a checkpoint as Meta hands it out.</summary>
internal static class MetaFolder
{
    public static void Write(Checkpoint source, string folder, int parts = 1, WeightFormat format = WeightFormat.F32, bool zip64 = false, int? vocabularySize = null)
    {
        LlamaConfig config = source.Config;
        File.WriteAllText(
            Path.Combine(folder, "params.json"),
            $$"""
            {"dim": {{config.HiddenSize}}, "n_layers": {{config.LayerCount}}, "n_heads": {{config.HeadCount}}, "n_kv_heads": {{config.KeyValueHeadCount}},
             "multiple_of": 256, "norm_eps": {{config.RmsNormEpsilon:R}}, "vocab_size": {{vocabularySize ?? config.VocabularySize}} }
            """);
        for (int part = 0; part < parts; part++)
        {
            File.WriteAllBytes(Path.Combine(folder, $"consolidated.{part:00}.pth"), Part(source, part, parts, format, zip64));
        }
    }

    private static byte[] Part(Checkpoint source, int part, int parts, WeightFormat format, bool zip64)
    {
        string type = format switch { WeightFormat.F32 => "FloatStorage", WeightFormat.F16 => "HalfStorage", _ => "BFloat16Storage" };
        var pickle = new PickleBuilder().Op(0x80, 2).Op('}').Op('q').Op(0).Op('(');
        var zip = new ZipBuilder { Zip64 = zip64 };
        var contents = new List<byte[]>();
        foreach (CheckpointTensor tensor in source.Tensors.Values)
        {
            (byte[] bytes, int rows, int columns) = Piece(tensor, source.Config.HeadSize, part, parts, format);
            pickle.Text(MetaCheckpoint.MetaName(tensor.Name)).Tensor(type, $"{contents.Count}", rows * columns, 0, tensor.Rows == 1 ? [columns] : [rows, columns]);
            contents.Add(bytes);
        }

        pickle.Text("rope.freqs").Tensor("ComplexFloatStorage", "0", 1, 0, [1]);                     // not needed, so not looked at
        zip.Add("consolidated/data.pkl", pickle.Op('u').Stop());
        zip.Add("consolidated/byteorder", "little"u8);
        for (int i = 0; i < contents.Count; i++)
        {
            zip.Add($"consolidated/data/{i}", contents[i]);
        }

        return zip.Add("consolidated/version", "3\n"u8).Build();
    }

    private static (byte[] Bytes, int Rows, int Columns) Piece(CheckpointTensor tensor, int headSize, int part, int parts, WeightFormat format)
    {
        bool vector = tensor.Rows == 1, turned = tensor.Name.Contains("q_proj") || tensor.Name.Contains("k_proj");
        bool byColumns = tensor.Name.Contains("o_proj") || tensor.Name.Contains("down_proj") || tensor.Name == TensorNames.Embedding;
        int rows = vector || byColumns ? tensor.Rows : tensor.Rows / parts, columns = byColumns ? tensor.Columns / parts : tensor.Columns;
        var bytes = new List<byte>();
        byte[] encoded = new byte[format.RowBytes(columns)];
        for (int i = 0; i < rows; i++)
        {
            int row = vector || byColumns ? i : part * rows + i;
            float[] weights = Rows.Read(tensor, turned ? RotaryOrder.HalvedRow(row, headSize) : row);
            WeightCodec.Encode(format, byColumns ? weights.AsSpan(part * columns, columns) : weights, encoded);
            bytes.AddRange(encoded);
        }

        return ([.. bytes], rows, columns);
    }
}
