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

        CliResult result = await FilterAsync(rows, "tokenize");

        Assert.Equal(rows.Select(row => Integers(row, "ids")), result.Answers.Select(answer => Integers(answer, "ids")));
    }

    [SharedDataFact]
    public async Task Detokenize_GoldenRows_EqualTexts()
    {
        JsonElement[] rows = [.. TestData.Rows("tokenizer/decode_golden.jsonl")];

        CliResult result = await FilterAsync(rows, "detokenize");

        Assert.Equal(rows.Select(row => row.GetProperty("text").GetString()), result.Answers.Select(answer => answer.GetProperty("text").GetString()));
    }

    [SharedDataFact]
    public async Task Template_GoldenRows_EqualIdsOrAreRefused()
    {
        JsonElement[] rows = [.. TestData.Rows("chat/llama2_chat_golden.jsonl")];

        CliResult result = await FilterAsync(rows, "template");

        Assert.Equal(rows.Select(Expected), result.Answers.Select(Show));

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
            rows.Select(row => $"{{\"input_ids\":{row.GetProperty("input_ids")},\"positions\":{row.GetProperty("logit_positions")}}}"),
            "logits",
            folder.Path)).Succeeded();

        Assert.NotEmpty(rows);
        Assert.Equal(rows.Length, result.Lines.Length);
        foreach ((JsonElement row, JsonElement answer) in rows.Zip(result.Answers))
        {
            float[][] expected = golden.Rows($"{row.GetProperty("key").GetString()}.logits");
            float[][] actual = CliResult.Logits(answer);
            Assert.Equal(expected.Length, actual.Length);
            Assert.All(expected.Zip(actual), pair => Assert.True(pair.First.Zip(pair.Second, (a, b) => Math.Abs(a - b)).Max() <= 1e-4));
        }
    }

    private static async Task<CliResult> FilterAsync(IEnumerable<JsonElement> rows, string filter) =>
        (await CliRunner.FilterAsync(rows.Select(row => row.GetRawText()), filter, TestData.Path("tokenizer/tokenizer.model"))).Succeeded();

    private static int[] Integers(JsonElement row, string name) => CliResult.Integers(row, name);
}
