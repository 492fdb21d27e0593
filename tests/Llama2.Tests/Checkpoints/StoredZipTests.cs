using System.Buffers.Binary;
using Llama2.Testing;

namespace Llama2.Tests;

public class StoredZipTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Read_StoredEntries_HasTheirPlaces(bool zip64)
    {
        byte[] bytes = new ZipBuilder { Zip64 = zip64 }.Add("a", "one"u8).Add("b/c", "three"u8).Add("empty", default).Build();
        IReadOnlyDictionary<string, ZipPlace> places = Read(bytes);
        Assert.Equal(["a", "b/c", "empty"], places.Keys.Order());
        Assert.Equal("three"u8.ToArray(), bytes.AsSpan((int)places["b/c"].Offset, (int)places["b/c"].Length).ToArray());
        Assert.Equal(0, places["a"].Offset % 64);
    }

    [Fact]
    public void Read_Comment_IsPassedOver()
    {
        byte[] bytes = new ZipBuilder().Add("a", "one"u8).Build();
        bytes[^2] = 5;
        Assert.Single(Read([.. bytes, .. "hello"u8]));
    }

    [Fact]
    public void Read_DeflatedEncryptedOrDoubled_IsRefused()
    {
        Assert.Equal("zip entry 'a'", Field(new ZipBuilder().Add("a", "one"u8, method: 8).Build()));
        Assert.Equal("zip entry 'a'", Field(new ZipBuilder().Add("a", "one"u8, flags: 1).Build()));
        Assert.Equal("zip entry 'a'", Field(new ZipBuilder().Add("a", "one"u8).Add("a", "two"u8).Build()));
        Assert.StartsWith("zip directory", Field(new ZipBuilder().Add(new string('a', 1025), "one"u8).Build()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Read_EntriesInOnePlace_AreRefused(bool zip64)
    {
        var zip = new ZipBuilder { Zip64 = zip64 }.Add("a", "one"u8);
        Assert.StartsWith("zip entry at", Field(zip.Add("b", "two"u8, place: 0).Build()));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1L << 40)]
    [InlineData(-1L)]
    [InlineData(long.MaxValue)]
    public void Read_PlaceOutsideTheFile_IsRefused(long place) =>
        Assert.Throws<CheckpointException>(() => Read(new ZipBuilder { Zip64 = true }.Add("a", "one"u8, place: place).Build()));

    [Fact]
    public void Read_NoZip_SaysSo()
    {
        Assert.Equal("layout", Field([]));
        Assert.Equal("layout", Field(new byte[100_000]));
    }

    [Theory]
    [InlineData(10, 0xFFFF)]                    // entries
    [InlineData(10, 2)]
    [InlineData(12, 0xFFFFFFF)]                 // bytes of the directory
    [InlineData(16, 0xFFFFFFF)]                 // its place
    [InlineData(16, 0)]
    public void Read_WrongEndRecord_IsRefused(int offset, int value)
    {
        byte[] bytes = new ZipBuilder().Add("a", "one"u8).Build();
        Span<byte> field = bytes.AsSpan(bytes.Length - 22 + offset);
        if (offset == 10)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(field, (ushort)value);
        }
        else
        {
            BinaryPrimitives.WriteInt32LittleEndian(field, value);
        }

        Assert.Throws<CheckpointException>(() => Read(bytes));
    }

    [Fact]
    public void Read_WrongZip64Records_AreRefused()
    {
        byte[] good = new ZipBuilder { Zip64 = true }.Add("a", "one"u8).Build();
        int end = good.Length - 22 - 20 - 56;
        Assert.Equal("zip64 end of directory", Field(Changed(good, end, 0)));
        Assert.Equal("zip directory", Field(Changed(good, end + 32, 0xFF)));                        // entries
        Assert.Equal("zip directory", Field(Changed(good, end + 55, 0x80)));                        // a place below 0
        Assert.Equal("zip entry 'a'", Field(Changed(good, end - 26, 8)));                           // a zip64 field of one value
    }

    private static byte[] Changed(byte[] bytes, int offset, byte value)
    {
        byte[] changed = [.. bytes];
        changed[offset] = value;
        return changed;
    }

    private static string Field(byte[] bytes) => Assert.Throws<CheckpointException>(() => Read(bytes)).Field;

    private static IReadOnlyDictionary<string, ZipPlace> Read(byte[] bytes)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f"], bytes);
        using var file = new MappedFile(folder["f"]);
        return StoredZip.Read(file);
    }
}
