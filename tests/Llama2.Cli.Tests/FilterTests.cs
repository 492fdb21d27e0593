using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Cli.Tests;

public sealed class FilterTests(TinyModelFixture model) : IClassFixture<TinyModelFixture>
{
    [Fact]
    public async Task Tokenize_ThenDetokenize_GivesTheTextBack()
    {
        string[] texts = ["", "hello", " two  words ", "äöü €\n\t\"", "🦙"];
        CliResult ids = (await CliRunner.FilterAsync(texts.Select(text => JsonSerializer.Serialize(new { text })), "tokenize", model.Path)).Succeeded();
        CliResult back = (await CliRunner.FilterAsync(ids.Lines, "detokenize", model.Path)).Succeeded();

        Assert.Equal(texts, back.Lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()));
        Assert.Empty(ids.Error + back.Error);
    }

    [Fact]
    public async Task Tokenize_BadLines_AreAnsweredInOrder()
    {
        CliResult result = (await CliRunner.FilterAsync(
            ["{\"text\":\"a\"}", "nonsense", "", "{\"txt\":1}", "{\"text\":5}", "[1]", "{\"text\":\"\\ud800\"}", "{\"text\":\"a\"}"],
            "tokenize",
            model.Path)).Succeeded();

        Assert.Equal(["ids", "error", "error", "error", "error", "error", "ids"], result.Lines.Select(FirstName));
        Assert.Equal(result.Lines[0], result.Lines[^1]);
    }

    [Theory]
    [InlineData("{\"ids\":[300]}")]
    [InlineData("{\"ids\":[-1]}")]
    [InlineData("{\"ids\":[1.5]}")]
    [InlineData("{\"ids\":[\"1\"]}")]
    [InlineData("{\"ids\":7}")]
    public async Task Detokenize_NoIds_Error(string line) =>
        Assert.Equal("error", FirstName(Assert.Single((await CliRunner.FilterAsync([line], "detokenize", model.Path)).Succeeded().Lines)));

    [Fact]
    public async Task Template_Messages_PromptAndIds()
    {
        CliResult result = (await CliRunner.FilterAsync(
            [
                "{\"messages\":[{\"role\":\"user\",\"content\":\"<s> hi\"}]}",
                "{\"messages\":[{\"role\":\"assistant\",\"content\":\"hi\"}]}",
                "{\"messages\":[{\"role\":\"user\"}]}",
            ],
            "template",
            model.Path)).Succeeded();

        JsonElement answer = JsonDocument.Parse(result.Lines[0]).RootElement;
        Assert.Equal("<s>[INST] <s> hi [/INST]", answer.GetProperty("prompt").GetString());
        Assert.Equal(1, answer.GetProperty("ids").EnumerateArray().Count(id => id.GetInt32() == 1));
        Assert.Equal(["error", "error"], result.Lines[1..].Select(FirstName));
    }

    [Theory]
    [InlineData("role", "{\"messages\":[{\"role\":\" \",\"content\":\"hi\"}]}")]
    [InlineData("content", "{\"messages\":[{\"role\":\"user\",\"content\":null}]}")]
    [InlineData("messages", "{\"messages\":{}}")]
    public async Task Template_BadMember_ErrorNamesIt(string member, string line) => Assert.StartsWith(
        $"{{\"error\":\"\\\"{member}\\\"", Assert.Single((await CliRunner.FilterAsync([line], "template", model.Path)).Succeeded().Lines), StringComparison.Ordinal);

    [Fact]
    public async Task Logits_Positions_AreRowsOfTheWhole()
    {
        CliResult result = (await CliRunner.FilterAsync(
            ["{\"input_ids\":[1,5,9]}", "{\"input_ids\":[1,5,9],\"positions\":[2,0]}", "{\"input_ids\":[1,5,9],\"positions\":[2]}"],
            "logits",
            model.PathWithoutTokenizer)).Succeeded();

        float[][][] answers = [.. result.Answers.Select(CliResult.Logits)];
        (float[][] all, float[][] some, float[][] last) = (answers[0], answers[1], answers[2]);
        Assert.Equal(3, all.Length);
        Assert.All(all, row => Assert.Equal(40, row.Length));
        Assert.Equal(all[2], some[0]);
        Assert.Equal(all[0], some[1]);
        Assert.Equal(all[2], Assert.Single(last));
    }

    [Theory]
    [InlineData("{\"input_ids\":[]}")]
    [InlineData("{\"input_ids\":[40]}")]
    [InlineData("{\"input_ids\":[1],\"positions\":[1]}")]
    [InlineData("{\"input_ids\":[1],\"positions\":[-1]}")]
    [InlineData("{\"ids\":[1]}")]
    public async Task Logits_BadLine_Error(string line) =>
        Assert.Equal("error", FirstName(Assert.Single((await CliRunner.FilterAsync([line], "logits", model.PathWithoutTokenizer)).Succeeded().Lines)));

    [Fact]
    public async Task Logits_PastTheContext_RunsWithOneWarning()
    {
        string longer = Line(150), longest = Line(300);
        CliResult result = (await CliRunner.FilterAsync([longer, Line(3), longest], "logits", model.PathWithoutTokenizer)).Succeeded();
        CliResult raised = (await CliRunner.FilterAsync([longer, longest], "logits", model.PathWithoutTokenizer, "--context-length", "200")).Succeeded();

        Assert.Equal(3, result.Lines.Length);
        Assert.Equal("warning: 150 tokens are more than the 128 that the model was trained for\n", result.Error);
        Assert.Equal("warning: 200 tokens are more than the 128 that the model was trained for\n", raised.Error);
        Assert.Equal(result.Lines[0], raised.Lines[0]);
        Assert.Equal("error", FirstName(raised.Lines[1]));

        static string Line(int length) => $"{{\"input_ids\":[{string.Join(',', Enumerable.Repeat(1, length))}],\"positions\":[{length - 1}]}}";
    }

    [Fact]
    public async Task Logits_DynamicScalingPastTheContext_ReadsTheLineInOnePass()
    {
        using var folder = new TemporaryFolder();
        LlamaConfig config = TinyModels.Config with { ContextLength = 32, RopeScaling = new(RopeScalingKind.Dynamic, 2) };
        using RandomCheckpoint checkpoint = TinyModels.Create(1, config);
        HuggingFaceFolder.Write(checkpoint, folder["model"], WeightFormat.F32);
        int[] ids = [.. Enumerable.Range(0, 200).Select(i => 1 + i * 7 % 300)];
        double[] expected = new ReferenceModel(checkpoint).Logits(ids)[^1];

        CliResult result = (await CliRunner.FilterAsync([$"{{\"input_ids\":[{string.Join(',', ids)}]}}"], "logits", folder["model"])).Succeeded();

        float[][] logits = CliResult.Logits(Assert.Single(result.Answers));
        Assert.Equal(ids.Length, logits.Length);
        Assert.All(expected.Zip(logits[^1]), pair => Assert.Equal(pair.First, pair.Second, 1e-3));
    }

    [Fact]
    public async Task Filter_LineThatTheMemoryCannotHold_ErrorAndTheNextIsAnswered()
    {
        using var terminal = new TestTerminal("{\"bytes\":2147483647}\n{\"bytes\":9}\n");

        int code = await JsonLines.RunAsync(
            terminal.Streams,
            (line, answer) => answer.WriteNumber("made", new byte[line.GetProperty("bytes").GetInt64()].Length),
            CancellationToken.None);

        Assert.Equal(CommandLine.Success, code);
        string[] lines = terminal.Output.ToString().Split('\n');
        Assert.Equal("error", FirstName(lines[0]));
        Assert.Equal("{\"made\":9}", lines[1]);
    }

    [Fact]
    public async Task Filter_Interrupted_EndsWithOne()
    {
        using var terminal = new TestTerminal("{\"text\":\"a\"}\n");
        terminal.Streams.Interrupts.Raise();

        Assert.Equal(CommandLine.Failure, await CommandLine.RunAsync(["tokenize", model.Path], terminal.Streams));
        Assert.Equal("error: cancelled\n", terminal.Error.ToString());
    }

    private static string FirstName(string line) => JsonDocument.Parse(line).RootElement.EnumerateObject().First().Name;
}
