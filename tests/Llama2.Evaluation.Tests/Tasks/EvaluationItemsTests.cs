using Llama2.Testing;

namespace Llama2.Evaluation.Tests;

public sealed class EvaluationItemsTests
{
    [Fact]
    public async Task ReadJsonLinesAsync_Rows_AreItems()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder["a.jsonl"], "{\"text\": \"h\\u00e9\", \"label\": 3, \"x\": []}\r\n\n  \n{\"label\": \"joy\", \"text\": \"\"}");

        EvaluationItem[] items = await EvaluationItems.ReadJsonLinesAsync(folder["a.jsonl"], "text", "label").ToArrayAsync();

        Assert.Equal([new("hé", "3"), new("", "joy")], items);
    }

    [Theory]
    [InlineData("{\"input_string\": \"a\"}", "line 2: 'ground_truth' is missing")]
    [InlineData("{\"input_string\": null, \"ground_truth\": \"b\"}", "line 2: 'input_string' is Null")]
    [InlineData("[]", "line 2: found Array")]
    [InlineData("{", "line 2: ")]
    public async Task ReadJsonLinesAsync_BadRow_IsNamedByItsLine(string row, string message)
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder["a.jsonl"], "{\"input_string\": \"a\", \"ground_truth\": \"b\"}\n" + row);

        InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(() => EvaluationItems.ReadJsonLinesAsync(folder["a.jsonl"]).CountAsync().AsTask());

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReadJsonLinesAsync_NoFile_Throws()
    {
        await Assert.ThrowsAsync<FileNotFoundException>(() => EvaluationItems.ReadJsonLinesAsync("missing.jsonl").CountAsync().AsTask());
        Assert.Throws<ArgumentException>(() => EvaluationItems.ReadJsonLinesAsync("a", ""));
    }
}
