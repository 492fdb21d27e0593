using Llama2.Testing;

namespace Llama2.Tests;

public class TorchArchiveTests
{
    [Theory]
    [InlineData("FloatStorage", "0", 6, 0, new[] { 2, 3 }, null, null)]
    [InlineData("FloatStorage", "0", 6, 1, new[] { 5 }, null, null)]
    [InlineData("FloatStorage", "0", 6, 1, new[] { 2, 3 }, null, "numbers from 1")]
    [InlineData("FloatStorage", "0", 7, 0, new[] { 2, 3 }, null, "a storage of 7")]
    [InlineData("FloatStorage", "0", 6, int.MaxValue, new[] { 2, 3 }, null, "numbers from")]
    [InlineData("FloatStorage", "0", 6, 0, new[] { int.MaxValue, int.MaxValue }, null, "numbers from 0")]
    [InlineData("FloatStorage", "1", 6, 0, new[] { 2, 3 }, null, "storage '1'")]
    [InlineData("LongStorage", "0", 3, 0, new[] { 3 }, null, "LongStorage")]
    [InlineData("FloatStorage", "0", 6, 0, new[] { 2, 3 }, new[] { 1, 2 }, "strides [1, 2]")]
    [InlineData("FloatStorage", "0", 6, 0, new[] { 6 }, new[] { 0 }, "strides [0]")]
    [InlineData("FloatStorage", "0", 6, 0, new[] { 0, 3 }, null, "shape [0, 3]")]
    [InlineData("FloatStorage", "0", 6, 0, new[] { 1, 2, 3 }, new[] { 6, 3, 1 }, "shape [1, 2, 3]")]
    public void Open_Tensor_LiesInItsStorageOrIsRefused(string type, string key, int count, int offset, int[] shape, int[]? strides, string? error)
    {
        byte[] pickle = new PickleBuilder().Op('}').Text("w").Tensor(type, key, count, offset, shape, strides).Op('s').Stop();
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f"], new ZipBuilder().Add("x/data.pkl", pickle).Add("x/data/0", new byte[24]).Build());
        using var file = new MappedFile(folder["f"]);
        var archive = new TorchArchive(file);
        if (error is null)
        {
            MappedTensor tensor = archive.Open("w", "name");
            Assert.Equal(("name", shape[^1]), (tensor.Name, tensor.Columns));
        }
        else
        {
            Assert.Contains(error, Assert.Throws<CheckpointException>(() => archive.Open("w", "name")).Found);
        }

        Assert.Throws<CheckpointException>(() => archive.Open("missing", "name"));
    }

    [Fact]
    public void New_OtherContent_IsRefused()
    {
        byte[] pickle = new PickleBuilder().Op('}').Stop();
        Assert.Contains("none", Refused(new ZipBuilder().Add("x/other", pickle)));
        Assert.Contains("several", Refused(new ZipBuilder().Add("x/data.pkl", pickle).Add("y/data.pkl", pickle)));
        Assert.Contains("another order", Refused(new ZipBuilder().Add("x/data.pkl", pickle).Add("x/byteorder", "big"u8)));
    }

    private static string Refused(ZipBuilder zip)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f"], zip.Build());
        using var file = new MappedFile(folder["f"]);
        return Assert.Throws<CheckpointException>(() => new TorchArchive(file)).Found;
    }
}
