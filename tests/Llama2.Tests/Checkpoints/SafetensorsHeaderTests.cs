using System.Buffers.Binary;
using System.Text;
using Llama2.Testing;

namespace Llama2.Tests;

public class SafetensorsHeaderTests
{
    [Fact]
    public void Read_WellFormed_HasNamesShapesAndPlaces()
    {
        SafetensorsEntry[] entries =
        [
            .. Read(
                """{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16],"more":[1]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F32","shape":[0,9],"data_offsets":[4,4]}}  """,
                16),
        ];
        Assert.Equal(["b", "a", "e"], entries.Select(entry => entry.Name));
        Assert.Equal(("BF16", 12), (entries[0].DataType, entries[0].Offset - entries[1].Offset + 8));
        Assert.Equal([2, 3], entries[0].Shape);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "tensors")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "tensors")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}""", 9, "tensor 'a': data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "tensor 'b': data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}""", 20, "tensor 'b': data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}""", 0, "tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,9223372036854775807],"data_offsets":[0,4]}}""", 4, "tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", 4, "tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}""", 8, "tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", 8, "tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""", 8, "tensor 'a'")]
    [InlineData("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", 8, "tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32F32F32F32F32F32F32F32F32F32F32","shape":[2],"data_offsets":[0,8]}}""", 8, "tensor 'a': dtype")]
    [InlineData("""{"a":{"dtype":4,"shape":[2],"data_offsets":[0,8]}}""", 8, "header, byte 14")]
    [InlineData("""{"a":3}""", 0, "header, byte 5")]
    [InlineData("""[]""", 0, "header, byte 0")]
    [InlineData("""{"a":{"dtype":"\ud800","shape":[2],"data_offsets":[0,8]}}""", 8, "header")]
    [InlineData("""{} x""", 0, "header")]
    [InlineData("""{""", 0, "header")]
    [InlineData("", 0, "header")]
    public void Read_Contradiction_NamesIt(string header, int bytes, string field) =>
        Assert.Equal(field, Assert.Throws<CheckpointException>(() => Read(header, bytes)).Field);

    [Fact]
    public void Read_LongName_IsRefused() => Assert.Throws<CheckpointException>(() => Read($$"""{"{{new string('a', 1025)}}":3}""", 0));

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void Read_ShortFile_IsRefused(int length)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f"], new byte[length]);
        using var file = new MappedFile(folder["f"]);
        Assert.Equal("length", Assert.Throws<CheckpointException>(() => SafetensorsHeader.Read(file)).Field);
    }

    [Theory]
    [InlineData(11UL)]
    [InlineData(100_000_001UL)]
    [InlineData(ulong.MaxValue)]
    public void Read_HeaderBeyondTheFile_IsRefused(ulong length)
    {
        using var folder = new TemporaryFolder();
        byte[] bytes = new byte[18];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        File.WriteAllBytes(folder["f"], bytes);
        using var file = new MappedFile(folder["f"]);
        Assert.Equal("header length", Assert.Throws<CheckpointException>(() => SafetensorsHeader.Read(file)).Field);
    }

    private static IReadOnlyList<SafetensorsEntry> Read(string header, int bytes)
    {
        using var folder = new TemporaryFolder();
        byte[] text = Encoding.UTF8.GetBytes(header), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        File.WriteAllBytes(folder["f"], [.. length, .. text, .. new byte[bytes]]);
        using var file = new MappedFile(folder["f"]);
        return SafetensorsHeader.Read(file);
    }
}
