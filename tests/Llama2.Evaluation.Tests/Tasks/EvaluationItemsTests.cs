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

    [Fact]
    public async Task ReadJsonLinesAsync_Conversations_EndBeforeTheAnswer()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder["a.jsonl"], """
            {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}], "label": "l", "task": "one"}
            {"messages": [{"role": "user", "content": "u2"}], "label": "l2", "task": "two"}
            """);

        EvaluationItem[] own = await EvaluationItems.ReadJsonLinesAsync(
            folder["a.jsonl"], "messages", null, row => row.GetProperty("task").GetString() == "one").ToArrayAsync();
        EvaluationItem[] labelled = await EvaluationItems.ReadJsonLinesAsync(folder["a.jsonl"], "messages", "label").ToArrayAsync();

        EvaluationItem item = Assert.Single(own);
        Assert.Equal(("u", "a"), (item.Input, item.Reference));
        Assert.Equal(["system: s", "user: u"], item.Conversation!.Select(message => $"{message.Role}: {message.Text}"));
        Assert.Equal([("u", "l"), ("u2", "l2")], labelled.Select(item => (item.Input, item.Reference)));
        Assert.Equal(2, labelled[0].Conversation!.Count);
        InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(() =>
            EvaluationItems.ReadJsonLinesAsync(folder["a.jsonl"], "messages", null).CountAsync().AsTask());
        Assert.Contains("line 2: 'messages' ends with no assistant message", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"input_string\": [1], \"ground_truth\": \"b\"}", "line 2: 'input_string' holds Number")]
    [InlineData("{\"input_string\": [], \"ground_truth\": \"b\"}", "line 2: 'input_string' has no message of the user")]
    [InlineData("{\"input_string\": [{\"role\": \"user\"}], \"ground_truth\": \"b\"}", "line 2: 'content' is missing")]
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
