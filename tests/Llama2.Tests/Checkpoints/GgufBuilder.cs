using System.Text;

namespace Llama2.Tests;

/// <summary>Lays out a GGUF file by hand, right or wrong: the tests' own view of the format.</summary>
public sealed class GgufBuilder
{
    private readonly List<(string Key, Action<BinaryWriter> Write)> _keys = [];
    private readonly List<Tensor> _tensors = [];

    public string Magic { get; set; } = "GGUF";

    public uint Version { get; set; } = 3;

    public int Alignment { get; set; } = 32;

    public ulong? TensorCount { get; set; }

    public ulong? KeyCount { get; set; }

    /// <summary>A whole model: hidden 8, ffn 12, one layer, 2 heads of 4 over 1 key-value head, 6 tokens; weight = 100 · row + column.</summary>
    public static GgufBuilder Model()
    {
        GgufBuilder builder = new GgufBuilder()
            .Set("general.architecture", "llama").Set("llama.context_length", 32u).Set("llama.embedding_length", 8u)
            .Set("llama.block_count", 1u).Set("llama.feed_forward_length", 12u).Set("llama.attention.head_count", 2u)
            .Set("llama.attention.head_count_kv", 1u).Set("llama.attention.layer_norm_rms_epsilon", 1e-5f)
            .Set("tokenizer.ggml.model", "llama")
            .Set("tokenizer.ggml.tokens", new[] { "<unk>", "<s>", "</s>", "a", "▁", "é" })
            .Set("tokenizer.ggml.scores", new[] { 0f, 0, 0, 0, -1, -2.5f })
            .Set("tokenizer.ggml.token_type", new[] { 2, 3, 3, 4, 1, 1 });
        builder.Matrix("token_embd.weight", 6, 8).Vector("blk.0.attn_norm.weight", 8).Matrix("blk.0.attn_q.weight", 8, 8)
            .Matrix("blk.0.attn_k.weight", 4, 8).Matrix("blk.0.attn_v.weight", 4, 8).Matrix("blk.0.attn_output.weight", 8, 8)
            .Vector("blk.0.ffn_norm.weight", 8).Matrix("blk.0.ffn_gate.weight", 12, 8).Matrix("blk.0.ffn_up.weight", 12, 8)
            .Matrix("blk.0.ffn_down.weight", 8, 12).Vector("output_norm.weight", 8).Matrix("output.weight", 6, 8);
        return builder;
    }

    public GgufBuilder Remove(string key)
    {
        _keys.RemoveAll(entry => entry.Key == key);
        return this;
    }

    public GgufBuilder Set(string key, object value) => Remove(key).Append(key, value);

    public GgufBuilder Append(string key, object value)
    {
        _keys.Add((key, writer => WriteValue(writer, value, withType: true)));
        return this;
    }

    /// <summary>Sets a value by its raw bytes, type included.</summary>
    public GgufBuilder SetRaw(string key, params byte[] bytes)
    {
        Remove(key)._keys.Add((key, writer => writer.Write(bytes)));
        return this;
    }

    public GgufBuilder Matrix(string name, int rows, int columns) => Add(new(name, [(ulong)columns, (ulong)rows], 0, Floats(rows, columns)));

    public GgufBuilder Vector(string name, int columns) => Add(new(name, [(ulong)columns], 0, Floats(1, columns)));

    public GgufBuilder Add(Tensor tensor)
    {
        _tensors.Add(tensor);
        return this;
    }

    public GgufBuilder RemoveTensor(string name)
    {
        _tensors.RemoveAll(tensor => tensor.Name == name);
        return this;
    }

    public GgufBuilder Change(string name, Func<Tensor, Tensor> change)
    {
        int index = _tensors.FindIndex(tensor => tensor.Name == name);
        _tensors[index] = change(_tensors[index]);
        return this;
    }

    public byte[] Build()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(Encoding.ASCII.GetBytes(Magic));
        writer.Write(Version);
        writer.Write(TensorCount ?? (ulong)_tensors.Count);
        writer.Write(KeyCount ?? (ulong)_keys.Count);
        foreach ((string key, Action<BinaryWriter> write) in _keys)
        {
            WriteText(writer, key);
            write(writer);
        }

        ulong offset = 0;
        foreach (Tensor tensor in _tensors)
        {
            WriteText(writer, tensor.Name);
            writer.Write((uint)tensor.Sizes.Length);
            Array.ForEach(tensor.Sizes, writer.Write);
            writer.Write(tensor.Type);
            writer.Write(tensor.Offset ?? offset);
            offset = Padded(offset + (ulong)tensor.Bytes.Length);
        }

        foreach (Tensor tensor in _tensors)
        {
            stream.SetLength((long)Padded((ulong)stream.Length));
            stream.Position = stream.Length;
            writer.Write(tensor.Bytes);
        }

        return stream.ToArray();
    }

    private ulong Padded(ulong offset) => (offset + (ulong)Alignment - 1) / (ulong)Alignment * (ulong)Alignment;

    private static byte[] Floats(int rows, int columns) =>
        [.. Enumerable.Range(0, rows * columns).SelectMany(i => BitConverter.GetBytes((float)(100 * (i / columns) + i % columns)))];

    private static void WriteValue(BinaryWriter writer, object value, bool withType)
    {
        (uint type, Action write) = value switch
        {
            byte number => (0u, () => writer.Write(number)),
            sbyte number => (1u, () => writer.Write(number)),
            ushort number => (2u, () => writer.Write(number)),
            short number => (3u, () => writer.Write(number)),
            uint number => (4u, () => writer.Write(number)),
            int number => (5u, () => writer.Write(number)),
            float number => (6u, () => writer.Write(number)),
            bool flag => (7u, () => writer.Write(flag)),
            string text => (8u, () => WriteText(writer, text)),
            Array array => (9u, () => WriteArray(writer, array)),
            ulong number => (10u, () => writer.Write(number)),
            long number => (11u, () => writer.Write(number)),
            double number => (12u, (Action)(() => writer.Write(number))),
            _ => throw new ArgumentException("no GGUF type", nameof(value)),
        };
        if (withType)
        {
            writer.Write(type);
        }

        write();
    }

    private static void WriteArray(BinaryWriter writer, Array array)
    {
        Type element = array.GetType().GetElementType()!;
        Type[] types = [typeof(byte), typeof(sbyte), typeof(ushort), typeof(short), typeof(uint), typeof(int), typeof(float), typeof(bool), typeof(string)];
        writer.Write(element.IsArray ? 9u : (uint)Array.IndexOf(types, element));
        writer.Write((ulong)array.Length);
        foreach (object value in array)
        {
            WriteValue(writer, value, withType: false);
        }
    }

    private static void WriteText(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    /// <summary>Sizes are ggml's: columns first. Without an offset the tensor follows the one before.</summary>
    public sealed record Tensor(string Name, ulong[] Sizes, uint Type, byte[] Bytes, ulong? Offset = null);
}
