using System.Runtime.InteropServices;

namespace Llama2.Tests;

/// <summary>Rows of plain tensors as floats, independent of the library's own codec.</summary>
internal static class Rows
{
    public static float[] Read(CheckpointTensor tensor, int row)
    {
        byte[] bytes = new byte[tensor.RowBytes];
        tensor.ReadRow(row, bytes);
        return tensor.Format switch
        {
            WeightFormat.F32 => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            WeightFormat.F16 => Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(bytes).ToArray(), half => (float)half),
            WeightFormat.BF16 => Array.ConvertAll(MemoryMarshal.Cast<byte, ushort>(bytes).ToArray(), upper => BitConverter.Int32BitsToSingle(upper << 16)),
            _ => throw new NotSupportedException($"{tensor.Format}"),
        };
    }

    /// <summary>Both checkpoints have the same shape and the same bits.</summary>
    public static void AssertEqual(Checkpoint expected, Checkpoint actual)
    {
        Assert.Equal(expected.Tensors.Keys.Order(), actual.Tensors.Keys.Order());
        foreach ((string name, CheckpointTensor tensor) in expected.Tensors)
        {
            Assert.Equal((tensor.Format, tensor.Rows, tensor.Columns), (actual.Tensors[name].Format, actual.Tensors[name].Rows, actual.Tensors[name].Columns));
            for (int row = 0; row < tensor.Rows; row++)
            {
                Assert.Equal(Read(tensor, row), Read(actual.Tensors[name], row));
            }
        }
    }
}
