namespace Llama2.Cli.Tests;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData(0, "0 bytes")]
    [InlineData(999, "999 bytes")]
    [InlineData(1_234, "1.23 kB")]
    [InlineData(13_476_838_400, "13.5 GB")]
    [InlineData(130_000_000, "130 MB")]
    [InlineData(long.MaxValue, "9.22 EB")]
    public void Format_Bytes_ThreeDigitsAndUnit(long bytes, string text) => Assert.Equal(text, ByteSize.Format(bytes));
}
