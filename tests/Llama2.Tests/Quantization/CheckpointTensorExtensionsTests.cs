namespace Llama2.Tests;

public class CheckpointTensorExtensionsTests
{
    [Theory]
    [InlineData(WeightFormat.F32)]
    [InlineData(WeightFormat.Q8_0)]
    public void ReadRow_StoredRow_IsDecoded(WeightFormat format)
    {
        float[] weights = WeightCodecTests.Weights(new Random(41), 64, 1), expected = new float[64], read = new float[70];
        byte[] stored = new byte[format.RowBytes(64)];
        WeightCodec.Encode(format, weights, stored);
        WeightCodec.Decode(format, stored, expected);
        new OneRow(format, stored).ReadRow(0, read);
        Assert.Equal(expected, read[..64]);
        Assert.Equal(0, read[64]);
    }

    [Theory]
    [InlineData(WeightFormat.F16, 70_000f)]
    [InlineData(WeightFormat.Q8_0, float.NaN)]
    [InlineData(WeightFormat.Q4_0, float.PositiveInfinity)]
    public void EncodeRow_WeightThatTheFormatCannotStore_IsTheFilesFault(WeightFormat format, float weight)
    {
        byte[] stored = new byte[64 * sizeof(float)], destination = new byte[format.RowBytes(64)];
        BitConverter.TryWriteBytes(stored.AsSpan(12), weight);
        CheckpointException error = Assert.Throws<CheckpointException>(
            () => new OneRow(WeightFormat.F32, stored).EncodeRow(0, format, destination, "model.safetensors"));
        Assert.Equal(("model.safetensors", "tensor 'row', row 0", $"weights that {format} can store"), (error.File, error.Field, error.Expected));
    }

    private sealed class OneRow(WeightFormat format, byte[] row) : CheckpointTensor("row", format, 1, 64)
    {
        public override void ReadRow(int index, Span<byte> destination) => row.CopyTo(destination);
    }
}
