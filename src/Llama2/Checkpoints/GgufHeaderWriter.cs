using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Llama2;

/// <summary>Collects the bytes of a GGUF v3 header: metadata first, then tensors. Not thread-safe.</summary>
internal sealed class GgufHeaderWriter
{
    private readonly ArrayBufferWriter<byte> _metadata = new();
    private readonly ArrayBufferWriter<byte> _tensors = new();
    private ulong _keyCount;
    private ulong _tensorCount;

    public void Add(string key, uint value)
    {
        Key(key, GgufType.UInt32);
        UInt32(_metadata, value);
    }

    public void Add(string key, int value) => Add(key, checked((uint)value));

    public void Add(string key, float value)
    {
        Key(key, GgufType.Float32);
        Single(value);
    }

    public void Add(string key, bool value)
    {
        Key(key, GgufType.Bool);
        _metadata.Write([value ? (byte)1 : (byte)0]);
    }

    public void Add(string key, string value)
    {
        Key(key, GgufType.String);
        Text(_metadata, value);
    }

    public void Add(string key, IReadOnlyCollection<string> values)
    {
        Array(key, GgufType.String, values.Count);
        foreach (string value in values)
        {
            Text(_metadata, value);
        }
    }

    public void Add(string key, IReadOnlyCollection<float> values)
    {
        Array(key, GgufType.Float32, values.Count);
        foreach (float value in values)
        {
            Single(value);
        }
    }

    public void Add(string key, IReadOnlyCollection<int> values)
    {
        Array(key, GgufType.Int32, values.Count);
        foreach (int value in values)
        {
            UInt32(_metadata, (uint)value);
        }
    }

    /// <summary>Adds a tensor; the offset counts from the end of the padded header.</summary>
    public void AddTensor(string name, WeightFormat format, int rows, int columns, long offset)
    {
        Text(_tensors, name);
        bool vector = GgufNames.IsNorm(name);
        UInt32(_tensors, vector ? 1u : 2u);
        UInt64(_tensors, (ulong)columns);
        if (!vector)
        {
            UInt64(_tensors, (ulong)rows);
        }

        UInt32(_tensors, GgufNames.ToNumber(format));
        UInt64(_tensors, (ulong)offset);
        _tensorCount++;
    }

    /// <summary>The whole header, padded to the alignment.</summary>
    public byte[] ToArray(int alignment)
    {
        int length = 24 + _metadata.WrittenCount + _tensors.WrittenCount;
        byte[] header = new byte[length + (-length & (alignment - 1))];
        "GGUF"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), 3);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), _tensorCount);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(16), _keyCount);
        _metadata.WrittenSpan.CopyTo(header.AsSpan(24));
        _tensors.WrittenSpan.CopyTo(header.AsSpan(24 + _metadata.WrittenCount));
        return header;
    }

    private void Key(string key, GgufType type)
    {
        Text(_metadata, key);
        UInt32(_metadata, (uint)type);
        _keyCount++;
    }

    private void Array(string key, GgufType element, int count)
    {
        Key(key, GgufType.Array);
        UInt32(_metadata, (uint)element);
        UInt64(_metadata, (ulong)count);
    }

    private void Single(float value)
    {
        BinaryPrimitives.WriteSingleLittleEndian(_metadata.GetSpan(4), value);
        _metadata.Advance(4);
    }

    private static void UInt32(ArrayBufferWriter<byte> target, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(target.GetSpan(4), value);
        target.Advance(4);
    }

    private static void UInt64(ArrayBufferWriter<byte> target, ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(target.GetSpan(8), value);
        target.Advance(8);
    }

    private static void Text(ArrayBufferWriter<byte> target, string value)
    {
        UInt64(target, (ulong)Encoding.UTF8.GetByteCount(value));
        Encoding.UTF8.GetBytes(value, target);
    }
}
