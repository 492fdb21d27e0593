namespace Llama2.Tests;

public unsafe class AlignedMemoryTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(5 << 20)]
    public void New_AnySize_ZerosFromAWholeLineOn(int bytes)
    {
        using var memory = new AlignedMemory(bytes);
        Assert.Equal(0, (nint)memory.Pointer % AlignedMemory.Alignment);
        Assert.Equal(-1, new ReadOnlySpan<byte>(memory.Pointer, bytes).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void Part_WrittenTo_IsThatPartOfTheWhole()
    {
        using var whole = new AlignedMemory(256);
        using (AlignedMemory part = whole.Part(64, 100))
        {
            new Span<byte>(part.Pointer, 100).Fill(7);
            Assert.Equal(100, part.Bytes);
        }

        Assert.Equal([0, 7, 7, 0], [whole.Pointer[63], whole.Pointer[64], whole.Pointer[163], whole.Pointer[164]]);      // disposing of the part frees nothing
    }

    [Theory]
    [InlineData(-64, 1)]
    [InlineData(8, 1)]
    [InlineData(192, 65)]
    [InlineData(64, -1)]
    [InlineData(64, long.MaxValue)]
    public void Part_NotInTheWhole_Throws(long offset, long bytes)
    {
        using var whole = new AlignedMemory(256);
        Assert.Throws<ArgumentOutOfRangeException>(() => whole.Part(offset, bytes));
    }

    [Fact]
    public void Pointer_OfWhatIsDisposed_Throws()
    {
        var whole = new AlignedMemory(256);
        AlignedMemory part = whole.Part(0, 64), disposed = whole.Part(64, 64);
        disposed.Dispose();
        Assert.Throws<ObjectDisposedException>(() => (nint)disposed.Pointer);
        whole.Dispose();
        whole.Dispose();
        Assert.Throws<ObjectDisposedException>(() => (nint)whole.Pointer);
        Assert.Throws<ObjectDisposedException>(() => (nint)part.Pointer);
    }
}
