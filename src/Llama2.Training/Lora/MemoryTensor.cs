using System.Runtime.InteropServices;

namespace Llama2.Training;

/// <summary>A tensor in memory, in single precision.</summary>
internal sealed class MemoryTensor : CheckpointTensor
{
    private readonly float[] _values;

    private MemoryTensor(string name, int rows, int columns, float[] values)
        : base(name, WeightFormat.F32, rows, columns) => _values = values;

    public static MemoryTensor Copy(CheckpointTensor tensor)
    {
        float[] values = new float[checked(tensor.Rows * tensor.Columns)];
        for (int row = 0; row < tensor.Rows; row++)
        {
            tensor.ReadRow(row, values.AsSpan(row * tensor.Columns, tensor.Columns));
        }

        return new(tensor.Name, tensor.Rows, tensor.Columns, values);
    }

    public override void ReadRow(int row, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        MemoryMarshal.AsBytes(_values.AsSpan(row * Columns, Columns)).CopyTo(destination);
    }
}
