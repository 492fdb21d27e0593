using System.Buffers;
using System.Numerics.Tensors;
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

        if (tensor.Region is { } region)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)tensor.Rows, nameof(row));
            WeightCodec.Decode(tensor.Format, region.File.Span(region.OffsetOf(row, tensor.RowBytes), tensor.RowBytes), destination);
            return;
        }

        byte[] stored = ArrayPool<byte>.Shared.Rent(tensor.RowBytes);
        tensor.ReadRow(row, stored);
        WeightCodec.Decode(tensor.Format, stored.AsSpan(0, tensor.RowBytes), destination);
        ArrayPool<byte>.Shared.Return(stored);
    }

    /// <summary>Reads and decodes every row of a small tensor.</summary>
    /// <exception cref="OverflowException">An array cannot hold them.</exception>
    public static float[] ReadAll(this CheckpointTensor tensor)
    {
        float[] values = new float[checked(tensor.Rows * tensor.Columns)];
        for (int row = 0; row < tensor.Rows; row++)
        {
            tensor.ReadRow(row, values.AsSpan(row * tensor.Columns, tensor.Columns));
        }

        return values;
    }

    /// <summary>Reads one row and stores it in a format; one that has the format already is copied as it is.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="row">The row, from 0.</param>
    /// <param name="format">A format that <see cref="WeightCodec"/> writes, or the tensor's own.</param>
    /// <param name="destination">The bytes of the row.</param>
    /// <param name="file">The checkpoint, for messages.</param>
    /// <exception cref="CheckpointException">The format cannot store a weight.</exception>
    public static void EncodeRow(this CheckpointTensor tensor, int row, WeightFormat format, Span<byte> destination, string file)
    {
        if (tensor.Format == format)
        {
            tensor.ReadRow(row, destination);
            return;
        }

        float[] rented = ArrayPool<float>.Shared.Rent(tensor.Columns);
        try
        {
            Span<float> weights = rented.AsSpan(0, tensor.Columns);
            tensor.ReadRow(row, weights);
            if (format == WeightFormat.F16 && TensorPrimitives.MaxMagnitudeNumber<float>(weights) is >= BlockScale.HalfOverflow and < float.PositiveInfinity)
            {
                throw new ArgumentException($"A weight of {TensorPrimitives.MaxMagnitudeNumber<float>(weights)} is beyond half precision.");
            }

            WeightCodec.Encode(format, weights, destination);
        }
        catch (ArgumentException exception)
        {
            throw new CheckpointException(
                file, $"tensor '{tensor.Name}', row {row}", exception.Message.TrimEnd('.'), $"weights that {format} can store", exception);
        }
        finally
        {
            ArrayPool<float>.Shared.Return(rented);
        }
    }
}
