namespace Llama2.DemoModel.Tests;

public sealed class CommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("corpus").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static async Task<(int Code, string Output, string Error)> Run(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        return (await DemoCommands.RunAsync(arguments, output, error), output.ToString(), error.ToString());
    }

    [Fact]
    public async Task Generate_Twice_WritesTheSameBytes()
    {
        string[] command = ["generate", "--rows", "200", "--seed", "5", "--split", "test", "--out", _folder];

        Assert.Equal(0, (await Run(command)).Code);
        byte[] first = File.ReadAllBytes(Path.Combine(_folder, "test.jsonl"));
        Assert.Equal(0, (await Run(command)).Code);

        Assert.Equal(first, File.ReadAllBytes(Path.Combine(_folder, "test.jsonl")));
        Assert.Equal(["test.jsonl", "test.txt"], Directory.GetFiles(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        CorpusRow[] rows = [.. File.ReadLines(Path.Combine(_folder, "test.jsonl")).Select(CorpusWriter.Read)];
        Assert.Equal(200, rows.Length);
        Assert.Equal(
            string.Concat(rows.SelectMany(row => row.Messages).Select(message => message.Content + "\n")), File.ReadAllText(Path.Combine(_folder, "test.txt")));
    }

    [Fact]
    public async Task Stats_Corpus_CountsRows()
    {
        await Run("generate", "--rows", "300", "--out", _folder, "--label-weights", "1,0,0,0,0,0");

        (int code, string output, _) = await Run("stats", Path.Combine(_folder, "train.jsonl"));

        Assert.Equal(0, code);
        Assert.Contains("distinct rows     300", output, StringComparison.Ordinal);
        Assert.Contains("emotion/sadness", output, StringComparison.Ordinal);
        Assert.DoesNotContain("emotion/joy", output, StringComparison.Ordinal);
        Assert.Contains("summary answer words", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Statistics_WithTokenizer_CountsTokens()
    {
        CorpusStatistics statistics = new(text => text.Length);
        statistics.Add(new([new("user", "ab cd"), new("assistant", "joy")], "emotion", "joy"));
        using StringWriter output = new();
        statistics.Print(output);

        Assert.Equal((1, 1, 3), (statistics.Rows, statistics.DistinctRows, statistics.Vocabulary));
        Assert.Equal(1, statistics.Labels["emotion/joy"]);
        Assert.Contains("emotion tokens         mean 9.0", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Show_Rows_PrintsMessages()
    {
        (int code, string output, _) = await Run("show", "--rows", "3");

        Assert.Equal(0, code);
        Assert.Equal(3, output.Split("[assistant]").Length - 1);
    }

    [Theory]
    [InlineData]
    [InlineData("dance")]
    [InlineData("stats")]
    [InlineData("generate", "--rows", "5")]
    [InlineData("generate", "--rows")]
    [InlineData("show", "--rows", "x")]
    [InlineData("show", "--split", "dev")]
    [InlineData("show", "--colour", "red")]
    [InlineData("show", "--rows", "-1")]
    [InlineData("show", "--task", "dance")]
    [InlineData("stats", "missing-file.jsonl")]
    [InlineData("train")]
    [InlineData("train", "--out", "x", "--recipe", "missing-file.json")]
    public async Task Run_BadArguments_Returns2(params string[] arguments)
    {
        (int code, _, string error) = await Run(arguments);

        Assert.Equal(2, code);
        Assert.NotEmpty(error);
    }
}
