using System.Runtime.InteropServices;

namespace Llama2;

/// <summary>A tensor in memory, in single precision.</summary>
internal sealed class MemoryTensor(string name, int rows, int columns, float[] values) : CheckpointTensor(name, WeightFormat.F32, rows, columns)
{
    public static MemoryTensor Copy(CheckpointTensor tensor) => new(tensor.Name, tensor.Rows, tensor.Columns, tensor.ReadAll());

    public override void ReadRow(int row, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        MemoryMarshal.AsBytes(values.AsSpan(row * Columns, Columns)).CopyTo(destination);
    }
}
