using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;

namespace Llama2;

/// <summary>Writes tensors as one safetensors file, row by row.</summary>
internal static class SafetensorsWriter
{
    /// <summary>The bytes of a tensor in another format.</summary>
    public static long ByteSize(CheckpointTensor tensor, WeightFormat format) => tensor.Rows * format.RowBytes(tensor.Columns);

    /// <param name="path">The file; it must not exist.</param>
    /// <param name="source">The checkpoint that the tensors come from, for messages.</param>
    /// <param name="tensors">What to write, in this order.</param>
    /// <param name="format">F32, F16 or BF16.</param>
    /// <param name="written">Told after each tensor.</param>
    /// <param name="cancellationToken">Seen between rows.</param>
    /// <param name="vectors">Whether a tensor of one row is a vector, as in a model; in an adapter of rank 1 it is a matrix.</param>
    public static void Write(
        string path,
        string source,
        IReadOnlyList<CheckpointTensor> tensors,
        WeightFormat format,
        Action<CheckpointTensor> written,
        CancellationToken cancellationToken,
        bool vectors = true)
    {
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 20);
        WriteHeader(stream, tensors, format, vectors);
        foreach (CheckpointTensor tensor in tensors)
        {
            WriteRows(stream, source, tensor, format, cancellationToken);
            written(tensor);
        }
    }

    private static void WriteHeader(FileStream stream, IReadOnlyList<CheckpointTensor> tensors, WeightFormat format, bool vectors)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            long offset = 0;
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");                       // transformers refuses a file that does not say so
            json.WriteEndObject();
            foreach (CheckpointTensor tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", format.ToString());
                json.WriteStartArray("shape");
                if (tensor.Rows > 1 || !vectors)
                {
                    json.WriteNumberValue(tensor.Rows);
                }

                json.WriteNumberValue(tensor.Columns);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += ByteSize(tensor, format));
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        int padding = -buffer.WrittenCount & 7;                     // the numbers begin at a multiple of 8
        buffer.GetSpan(padding)[..padding].Fill((byte)' ');
        buffer.Advance(padding);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, buffer.WrittenCount);
        stream.Write(length);
        stream.Write(buffer.WrittenSpan);
    }

    private static void WriteRows(FileStream stream, string source, CheckpointTensor tensor, WeightFormat format, CancellationToken cancellationToken)
    {
        byte[] encoded = new byte[format.RowBytes(tensor.Columns)];
        for (int row = 0; row < tensor.Rows; row++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            tensor.EncodeRow(row, format, encoded, source);
            stream.Write(encoded);
        }
    }
}
