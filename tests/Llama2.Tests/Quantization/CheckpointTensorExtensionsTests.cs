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

    private sealed class OneRow(WeightFormat format, byte[] row) : CheckpointTensor("row", format, 1, 64)
    {
        public override void ReadRow(int index, Span<byte> destination) => row.CopyTo(destination);
    }
}
