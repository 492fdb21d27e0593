namespace Llama2.Training.Tests;

public sealed class CsvRowTests
{
    [Theory]
    [InlineData("", new[] { "" })]
    [InlineData("a", new[] { "a" })]
    [InlineData("a,b", new[] { "a", "b" })]
    [InlineData(",", new[] { "", "" })]
    [InlineData("a,", new[] { "a", "" })]
    [InlineData("\"\"", new[] { "" })]
    [InlineData("\"\",", new[] { "", "" })]
    [InlineData("\"a,b\",c", new[] { "a,b", "c" })]
    [InlineData("\"a\"\"b\"\"\"", new[] { "a\"b\"" })]
    [InlineData("\"a\r\nb\"", new[] { "a\r\nb" })]
    [InlineData(" \"a\"", new[] { " \"a\"" })]
    [InlineData("5\" pipe,x", new[] { "5\" pipe", "x" })]
    public void Split_WellFormed_GivesTheFields(string row, string[] fields) => Assert.Equal(fields, CsvRow.Split(row, ','));

    [Fact]
    public void Split_Tabs_KeepsCommas() => Assert.Equal(["a,b", "c"], CsvRow.Split("a,b\tc", '\t'));

    [Theory]
    [InlineData("a,\"b", "the quote that opens field 2 is never closed")]
    [InlineData("\"a\"\"", "the quote that opens field 1 is never closed")]
    [InlineData("x,\"a\"b,c", "something follows the closing quote of field 2")]
    [InlineData("\"a\" ,c", "something follows the closing quote of field 1")]
    public void Split_Malformed_SaysWhere(string row, string problem) =>
        Assert.Equal(problem, Assert.Throws<BadRowException>(() => CsvRow.Split(row, ',')).Message);
}
