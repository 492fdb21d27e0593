using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Cli.Tests;

/// <summary>Reference figures through the command line; the tests of the engine hold every row, these hold that nothing is lost on the way.</summary>
public sealed class GoldenTests
{
    private static string[] GreedyStory => ["--prompt", "", "--do-sample", "false", "--stop-token", "1", "--max-new-tokens", "256"];

    [SharedDataTheory]
    [InlineData("stories260K")]
    [InlineData("stories260K-f16-untied")]
    public async Task Generate_Stories_IsTheDocumentedStory(string name)
    {
        CliResult result = (await CliRunner.RunAsync(["generate", TestData.Path($"models/{name}"), .. GreedyStory])).Succeeded();

        Assert.Equal(await File.ReadAllTextAsync(TestData.Path("models/stories260K_doc_greedy.txt")), result.Output);
    }

    /// <summary>In bf16 the story is another one after a while; the golden rows, shorter, are the same but for the one that the data's README names.</summary>
    [SharedDataTheory]
    [InlineData("stories260K")]
    [InlineData("stories260K-f16-untied")]
    [InlineData("stories260K-bf16-sharded")]
    public async Task Generate_GoldenPrompt_EqualsGolden(string name)
    {
        JsonElement row = TestData.Rows("models/stories260K_golden_greedy.jsonl").Single(row => row.GetProperty("prompt").GetString() == "Once upon a time");

        CliResult result = (await CliRunner.RunAsync(
            "generate", TestData.Path($"models/{name}"), "--json", "--prompt", "Once upon a time", "--do-sample", "false", "--stop-token", "1",
            "--max-new-tokens", $"{row.GetProperty("new_ids").GetArrayLength()}")).Succeeded();

        JsonElement json = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal(Integers(row, "prompt_ids"), Integers(json, "prompt_ids"));
        Assert.Equal(Integers(row, "new_ids"), Integers(json, "ids"));
    }

    [SharedDataFact]
    public async Task Generate_StoriesThroughQuantize_IsTheDocumentedStory()
    {
        using var folder = new TemporaryFolder();
        (await CliRunner.RunAsync("quantize", TestData.Path("models/stories260K"), folder["s.gguf"], "--format", "f32")).Succeeded();

        CliResult result = (await CliRunner.RunAsync(["generate", folder["s.gguf"], .. GreedyStory])).Succeeded();

        Assert.Equal(await File.ReadAllTextAsync(TestData.Path("models/stories260K_doc_greedy.txt")), result.Output);
    }

    [SharedDataFact]
    public async Task Tokenize_GoldenRows_EqualIds()
    {
        JsonElement[] rows = [.. TestData.Rows("tokenizer/encode_golden.jsonl")];

        CliResult result = (await CliRunner.FilterAsync(rows.Select(row => row.GetRawText()), "tokenize", TestData.Path("tokenizer/tokenizer.model"))).Succeeded();

        Assert.Equal(rows.Select(row => string.Join(' ', Integers(row, "ids"))), result.Lines.Select(line => string.Join(' ', Integers(JsonDocument.Parse(line).RootElement, "ids"))));
    }

    [SharedDataFact]
    public async Task Detokenize_GoldenRows_EqualTexts()
    {
        JsonElement[] rows = [.. TestData.Rows("tokenizer/decode_golden.jsonl")];

        CliResult result = (await CliRunner.FilterAsync(rows.Select(row => row.GetRawText()), "detokenize", TestData.Path("tokenizer/tokenizer.model"))).Succeeded();

        Assert.Equal(rows.Select(row => row.GetProperty("text").GetString()), result.Lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()));
    }

    [SharedDataFact]
    public async Task Template_GoldenRows_EqualIdsOrAreRefused()
    {
        JsonElement[] rows = [.. TestData.Rows("chat/llama2_chat_golden.jsonl")];

        CliResult result = (await CliRunner.FilterAsync(rows.Select(row => row.GetRawText()), "template", TestData.Path("tokenizer/tokenizer.model"))).Succeeded();

        Assert.Equal(rows.Select(Expected), result.Lines.Select(line => Show(JsonDocument.Parse(line).RootElement)));

        static string Expected(JsonElement row) =>
            row.GetProperty("must_error").GetBoolean() || row.GetProperty("meta_error").ValueKind == JsonValueKind.String
                ? "error"
                : $"{row.GetProperty("prompt").GetString()} {string.Join(' ', Integers(row, "ids_meta"))}";

        static string Show(JsonElement answer) =>
            answer.TryGetProperty("error", out _) ? "error" : $"{answer.GetProperty("prompt").GetString()} {string.Join(' ', Integers(answer, "ids"))}";
    }

    [SharedDataTheory]
    [InlineData("tiny-mha", "default")]
    [InlineData("tiny-gqa", "default")]
    [InlineData("tiny-gqa", "linear2.5")]
    [InlineData("tiny-gqa", "dynamic2")]
    [InlineData("tiny-gqa", "eps1e-2")]
    [InlineData("tiny-mqa-32k-tied", "default")]
    public async Task Logits_GoldenRows_Close(string model, string variant)
    {
        JsonElement[] rows = [.. TestData.Rows("models/tiny-random/golden.jsonl")
            .Where(row => row.GetProperty("model").GetString() == model && row.GetProperty("variant").GetString() == variant)];
        var golden = new GoldenTensors(TestData.Path("models/tiny-random/golden_logits.safetensors"));
        using var folder = new TemporaryFolder();
        string source = TestData.Path($"models/tiny-random/{model}"), config = variant == "default" ? "config.json" : $"config.{variant}.json";
        File.Copy(System.IO.Path.Combine(source, "model.safetensors"), folder["model.safetensors"]);
        File.Copy(System.IO.Path.Combine(source, config), folder["config.json"]);

        CliResult result = (await CliRunner.FilterAsync(
            rows.Select(row => $"{{\"input_ids\":{row.GetProperty("input_ids").GetRawText()},\"positions\":{row.GetProperty("logit_positions").GetRawText()}}}"),
            "logits",
            folder.Path)).Succeeded();

        Assert.NotEmpty(rows);
        foreach ((JsonElement row, string line) in rows.Zip(result.Lines))
        {
            float[][] expected = golden.Rows($"{row.GetProperty("key").GetString()}.logits");
            float[][] actual = [.. JsonDocument.Parse(line).RootElement.GetProperty("logits").EnumerateArray().Select(logits => logits.EnumerateArray().Select(logit => logit.GetSingle()).ToArray())];
            Assert.Equal(expected.Length, actual.Length);
            Assert.All(expected.Zip(actual), pair => Assert.True(pair.First.Zip(pair.Second, (a, b) => Math.Abs(a - b)).Max() <= 1e-4));
        }
    }

    private static int[] Integers(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
}
