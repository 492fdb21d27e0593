using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Llama2.Testing;

/// <summary>Reference tensors of a small trusted safetensors file.</summary>
public sealed class GoldenTensors
{
    private readonly byte[] _bytes;
    private readonly JsonElement _header;
    private readonly int _data;

    public GoldenTensors(string path)
    {
        _bytes = File.ReadAllBytes(path);
        int length = checked((int)BinaryPrimitives.ReadInt64LittleEndian(_bytes));
        _header = JsonDocument.Parse(_bytes.AsMemory(8, length)).RootElement;
        _data = 8 + length;
    }

    public bool Contains(string name) => _header.TryGetProperty(name, out _);

    public int[] Integers(string name) => [.. MemoryMarshal.Cast<byte, long>(Data(name, "I64")).ToArray().Select(value => checked((int)value))];

    /// <summary>The rows of a matrix.</summary>
    public float[][] Rows(string name) =>
        [.. MemoryMarshal.Cast<byte, float>(Data(name, "F32")).ToArray().Chunk(_header.GetProperty(name).GetProperty("shape")[1].GetInt32())];

    private ReadOnlySpan<byte> Data(string name, string type)
    {
        JsonElement tensor = _header.GetProperty(name), offsets = tensor.GetProperty("data_offsets");
        if (tensor.GetProperty("dtype").GetString() != type)
        {
            throw new InvalidOperationException($"{name} is not {type}.");
        }

        return _bytes.AsSpan(_data + offsets[0].GetInt32(), offsets[1].GetInt32() - offsets[0].GetInt32());
    }
}
