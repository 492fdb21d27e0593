using System.Buffers;
using System.Runtime.InteropServices;

namespace Llama2;

/// <summary>Rows of a checkpoint as floats.</summary>
internal static class CheckpointTensorExtensions
{
    /// <summary>Reads one row and decodes it.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="row">The row, from 0.</param>
    /// <param name="destination">At least <see cref="CheckpointTensor.Columns"/> floats.</param>
    public static void ReadRow(this CheckpointTensor tensor, int row, Span<float> destination)
    {
        destination = destination[..tensor.Columns];
        if (tensor.Format == WeightFormat.F32)
        {
            tensor.ReadRow(row, MemoryMarshal.AsBytes(destination));
            return;
        }

        byte[] stored = ArrayPool<byte>.Shared.Rent(tensor.RowBytes);
        tensor.ReadRow(row, stored);
        WeightCodec.Decode(tensor.Format, stored.AsSpan(0, tensor.RowBytes), destination);
        ArrayPool<byte>.Shared.Return(stored);
    }
}
