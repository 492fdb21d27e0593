using Llama2.Testing;

namespace Llama2.Tests;

public class MappedFileTests
{
    [Theory]
    [InlineData(0, 4, true)]
    [InlineData(4, 0, true)]
    [InlineData(3, 2, false)]
    [InlineData(5, 0, false)]
    [InlineData(-1, 1, false)]
    [InlineData(0, -1, false)]
    [InlineData(long.MaxValue, int.MaxValue, false)]
    [InlineData(long.MinValue, 1, false)]
    public void Span_AnyPlace_IsInsideTheFileOrRefused(long offset, int length, bool inside)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f"], [1, 2, 3, 4]);
        using var file = new MappedFile(folder["f"]);
        Assert.Equal(4, file.Length);
        if (inside)
        {
            Assert.Equal(new byte[] { 1, 2, 3, 4 }.AsSpan((int)offset, length).ToArray(), file.Span(offset, length).ToArray());
        }
        else
        {
            Assert.Throws<CheckpointException>(() => file.Span(offset, length).Length);
        }
    }

    [Fact]
    public void New_EmptyFile_HoldsNothing()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f"], []);
        using var file = new MappedFile(folder["f"]);
        Assert.True(file.Span(0, 0).IsEmpty);
        Assert.Throws<CheckpointException>(() => file.Span(0, 1).Length);
    }

    [Fact]
    public void New_TensorBeyondTheFile_IsRefused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f"], new byte[64]);
        using var file = new MappedFile(folder["f"]);
        Assert.Equal("tensor 'w'", Assert.Throws<CheckpointException>(() => new MappedTensor("w", WeightFormat.F32, 4, 4, file, 4)).Field);
        Assert.Throws<CheckpointException>(() => new MappedTensor("w", WeightFormat.F32, int.MaxValue, 1 << 28, file, 0));
        Assert.Throws<CheckpointException>(() => new MappedTensor("w", WeightFormat.F32, 1, 1, file, -4));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MappedTensor("w", WeightFormat.F32, 0, 4, file, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MappedTensor("w", WeightFormat.F32, 4, 0, file, 0));
        Assert.Throws<ArgumentException>(() => new MappedTensor("w", WeightFormat.Q8_0, 1, 31, file, 0));
        Assert.Equal(64, new MappedTensor("w", WeightFormat.F32, 4, 4, file, 0).ByteSize);
    }

    [Fact]
    public void InterleavedRow_AndHalvedRow_AreInverse() =>
        Assert.All(Enumerable.Range(0, 48), row => Assert.Equal(row, RotaryOrder.InterleavedRow(RotaryOrder.HalvedRow(row, 16), 16)));

    [Fact]
    public void InterleavedRow_SecondHead_TakesEvenRowsThenOdd() =>
        Assert.Equal([4, 6, 5, 7], Enumerable.Range(4, 4).Select(row => RotaryOrder.InterleavedRow(row, 4)));
}
