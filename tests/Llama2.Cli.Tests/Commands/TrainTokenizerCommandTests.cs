using Llama2.Testing;

namespace Llama2.Cli.Tests;

public sealed class TrainTokenizerCommandTests : IDisposable
{
    private const string Sentence = "the cat sat on the mat and the rat sat on the cat, naïvely";
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task TrainTokenizer_TextsAndRows_GiveATokenizerThatRoundTrips()
    {
        await File.WriteAllLinesAsync(_folder["a.txt"], [Sentence, "", Sentence]);
        await File.WriteAllLinesAsync(_folder["b.jsonl"], [
            """{"story":"the hat of the cat","answer":"that hat"}""",
            """{"messages":[{"role":"user","content":"the cat?"},{"role":"assistant","content":"sat"}]}"""]);

        CliResult trained = (await CliRunner.RunAsync(
            "train-tokenizer", _folder["a.txt"], _folder["b.jsonl"], "--text-key", "story", "--ground-truth-key", "answer",
            "--out", _folder["tokenizer.model"], "--vocab-size", "300", "--character-coverage", "1")).Succeeded();
        CliResult ids = (await CliRunner.FilterAsync([$$"""{"text":"{{Sentence}} 𝄞"}"""], "tokenize", _folder["tokenizer.model"])).Succeeded();
        CliResult text = (await CliRunner.FilterAsync(ids.Lines, "detokenize", _folder["tokenizer.model"])).Succeeded();

        Assert.Contains("300 ids from 6 texts of ", trained.Error, StringComparison.Ordinal);
        Assert.Empty(trained.Output);
        Assert.Equal($"{Sentence} 𝄞", text.Answers[0].GetProperty("text").GetString());
        Assert.True(CliResult.Integers(ids.Answers[0], "ids").Length < Sentence.Length / 2);
    }

    [Fact]
    public async Task TrainTokenizer_FewTexts_WarnsThatTheVocabularyIsSmaller()
    {
        await File.WriteAllTextAsync(_folder["a.txt"], "ab ab\n");

        CliResult result = (await CliRunner.RunAsync("train-tokenizer", _folder["a.txt"], "--out", _folder["t.model"])).Succeeded();

        Assert.Contains("warning: the texts have pairs for ", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--vocab-size must be from 260", "--vocab-size", "10")]
    [InlineData("do not fit in a vocabulary of 261; --character-coverage decides", "--vocab-size", "261")]
    [InlineData("--character-coverage must be above 0", "--character-coverage", "2")]
    public async Task TrainTokenizer_OptionOutOfRange_IsWrongUsage(string message, params string[] options)
    {
        await File.WriteAllTextAsync(_folder["a.txt"], Sentence + "\n");

        CliResult result = await CliRunner.RunAsync(["train-tokenizer", _folder["a.txt"], "--out", _folder["t.model"], .. options]);

        Assert.Equal(CommandLine.Usage, result.Code);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["t.model"]));
    }

    [Fact]
    public async Task TrainTokenizer_BadRow_IsNamedOrSkipped()
    {
        await File.WriteAllTextAsync(_folder["bad.jsonl"], $"{{\"story\":\"x\"}}\n{{\"text\":\"{Sentence}\"}}\n");
        string[] all = ["train-tokenizer", _folder["bad.jsonl"], "--out", _folder["t.model"]];

        CliResult fatal = await CliRunner.RunAsync(all);
        CliResult skipped = (await CliRunner.RunAsync([.. all, "--bad-rows", "skip"])).Succeeded();

        Assert.Equal(CommandLine.Failure, fatal.Code);
        Assert.Contains("bad.jsonl, line 1: neither 'messages' nor 'text'.", fatal.Error, StringComparison.Ordinal);
        Assert.Contains("from 1 texts", skipped.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TrainTokenizer_FileThatExists_IsReplacedOnlyByForce()
    {
        await File.WriteAllTextAsync(_folder["a.txt"], Sentence + "\n");
        await File.WriteAllTextAsync(_folder["t.model"], "precious");
        string[] all = ["train-tokenizer", _folder["a.txt"], "--out", _folder["t.model"]];

        CliResult refused = await CliRunner.RunAsync(all);
        (await CliRunner.RunAsync([.. all, "--force"])).Succeeded();

        Assert.Equal(CommandLine.Failure, refused.Code);
        Assert.Contains("exists; --force replaces it.", refused.Error, StringComparison.Ordinal);
        Assert.NotEqual("precious", await File.ReadAllTextAsync(_folder["t.model"]));
    }

    public void Dispose() => _folder.Dispose();
}
