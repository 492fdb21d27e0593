using System.Text.Json;
using Llama2.Evaluation;
using Microsoft.Extensions.AI;

namespace Llama2.Cli.Tests;

/// <summary>A random model knows nothing, so the figures are compared with what the libraries say of the same model.</summary>
public sealed class EvaluateCommandTests(TinyModelFixture model) : IClassFixture<TinyModelFixture>
{
    private const string Emotions = """
        {"text": "so glad", "label_string": "joy", "label": 1}
        {"text": "so sad", "label_string": "sadness", "label": 0}

        {"text": "glad!", "label_string": "joy", "label": 1}
        """;

    private const string Conversations = """
        {"messages": [{"role": "user", "content": "A: Hi B"}, {"role": "assistant", "content": "A greets B."}], "task": "summary", "label": "x"}
        {"messages": [{"role": "user", "content": "glad"}, {"role": "assistant", "content": "joy"}], "task": "emotion", "label": "joy"}
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "sad"}, {"role": "assistant", "content": "sadness"}], "task": "emotion", "label": "sadness"}
        """;

    [Fact]
    public async Task Evaluate_Classification_ScoresTheClassesThatOccur()
    {
        string data = await WriteAsync("emotions.jsonl", Emotions), folder = model.Folder["out-classes"];

        CliResult result = await SucceedAsync("text-classification", data, "--out", folder, "--batch-size", "2");

        JsonElement[] rows = await RowsAsync(folder, "predictions.jsonl");
        using LlamaModel loaded = LlamaModel.Load(model.Path);
        using IChatClient client = loaded.AsIChatClient(leaveOpen: true);
        int right = 0;
        foreach ((JsonElement row, string text, string label) in new[] { (rows[0], "so glad", "joy"), (rows[1], "so sad", "sadness"), (rows[2], "glad!", "joy") })
        {
            string prompt = $"Classify this text as joy or sadness:\n{text}";
            IReadOnlyList<LabelProbability> expected = await client.ClassifyAsync([new(ChatRole.User, prompt)], ["joy", "sadness"]);
            Assert.Equal(expected.MaxBy(item => item.Probability).Label, row.GetProperty("predictions").GetString());
            Assert.All(expected, item => Assert.Equal(item.Probability, row.GetProperty("prediction_probabilities").GetProperty(item.Label).GetDouble(), 1e-12));
            Assert.Equal(label, row.GetProperty("ground_truth").GetString());
            right += row.GetProperty("predictions").GetString() == label ? 1 : 0;
        }

        EvaluationReport report = ReadReport(folder);
        Assert.Equal((right / 3.0, 3), (Figure(report, "accuracy"), report.Items));
        Assert.Contains("log_loss", report.Metrics.Select(metric => metric.Name));
        Assert.Equal(("text-classification", "emotions.jsonl"), (report.Task, report.Dataset));
        Assert.All(["report.md", "report.html", "accuracy_table.json"], name => Assert.True(File.Exists(Path.Combine(folder, name))));
        Assert.Equal(2, (await RowsAsync(folder, "performance_metadata.jsonl")).Single().GetProperty("batch_size").GetInt32());
        Assert.Matches(@"(?m)^accuracy +\d\.\d{4} ", result.Output);
        Assert.Matches(@"(?m)^joy +\d\.\d{4} .* 2$", result.Output);
        Assert.Contains("3 rows, input 'text', answer 'label_string'", result.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder, "*.tmp"));
    }

    [Fact]
    public async Task Evaluate_FreeAnswers_AreReadFromWhatTheModelSays()
    {
        string data = await WriteAsync("conversations.jsonl", Conversations), folder = model.Folder["out-free"];

        await SucceedAsync("text-classification", data, "--where", "task=emotion", "--answers", "free", "--out", folder, "--max-new-tokens", "4");

        JsonElement[] rows = await RowsAsync(folder, "predictions.jsonl");
        Assert.Equal(["joy", "sadness"], rows.Select(row => row.GetProperty("ground_truth").GetString()));
        Assert.Equal(await AnswerAsync("glad", 4), rows[0].GetProperty("answer").GetString());
        Assert.Equal(JsonValueKind.Null, rows[0].GetProperty("predictions").ValueKind);
        Assert.False(rows[0].TryGetProperty("prediction_probabilities", out _));
        Assert.DoesNotContain(ReadReport(folder).Metrics, metric => metric.Name == "log_loss");
    }

    [Fact]
    public async Task Evaluate_Summarization_ReportsRougeAndNames()
    {
        string data = await WriteAsync("conversations.jsonl", Conversations), folder = model.Folder["out-summary"];

        await SucceedAsync("summarization", data, "--where", "task=summary", "--out", folder, "--max-new-tokens", "6", "--title", "Sums");

        JsonElement row = Assert.Single(await RowsAsync(folder, "predictions.jsonl"));
        string answer = await AnswerAsync("A: Hi B", 6);
        Assert.Equal(answer, row.GetProperty("predictions").GetString());
        Assert.Equal(["A: Hi B", answer], row.GetProperty("prediction_appended").EnumerateArray().Select(message => message.GetProperty("content").GetString()));
        EvaluationReport report = ReadReport(folder);
        Assert.Equal(["rouge1", "rouge2", "rougeL", "rougeLsum", "name_faithfulness"], report.Metrics.Select(metric => metric.Name));
        Assert.Equal(("Sums", "summarization"), (report.Title, report.Task));
        Assert.Contains("max_new_tokens 6", report.Settings["generation"], StringComparison.Ordinal);
        JsonElement performance = Assert.Single(await RowsAsync(folder, "performance_metadata.jsonl"));
        Assert.Equal(6, performance.GetProperty("output_token_count").GetInt32());
    }

    [Fact]
    public async Task Evaluate_TextGeneration_GoesOnFromTheBareText()
    {
        string data = await WriteAsync("texts.jsonl", """{"input_string": "hello", "ground_truth": "world"}"""), folder = model.Folder["out-text"];

        await SucceedAsync("text-generation", data, "--out", folder, "--evaluation-config-params", """{"metrics": ["bleu_1", "perplexity"], "generator_config": {"max_new_tokens": 5}}""");

        CliResult generated = await CliRunner.RunAsync("generate", model.Path, "--prompt", "hello", "--do-sample", "false", "--max-new-tokens", "5");
        JsonElement row = Assert.Single(await RowsAsync(folder, "predictions.jsonl"));
        Assert.Equal(generated.Output.Trim(), row.GetProperty("predictions").GetString());
        using LlamaModel loaded = LlamaModel.Load(model.Path);
        Assert.Equal((await new PerplexityScorer(loaded).ScoreAsync("hello")).Perplexity, Figure(ReadReport(folder), "perplexity")!.Value, 1e-9);
    }

    [Fact]
    public async Task Evaluate_PerplexityAlone_NeedsNoAnswers()
    {
        string data = await WriteAsync("bare.jsonl", "{\"text\": \"hello\"}\n{\"text\": \"world\"}");

        CliResult result = await SucceedAsync("text-generation", data, "--evaluation-config-params", """{"metrics": ["perplexity"]}""", "--json");

        using JsonDocument report = JsonDocument.Parse(result.Output);
        Assert.Equal(["perplexity", "mean_perplexity", "bits_per_byte"], Names(report.RootElement));
        Assert.Equal(2, report.RootElement.GetProperty("items").GetInt32());
    }

    [Fact]
    public async Task Evaluate_PerplexityOfAnswers_IsThatOfTheConversations()
    {
        string data = await WriteAsync("conversations.jsonl", Conversations);

        CliResult result = await SucceedAsync(
            "chat-completion", data, "--evaluation-config-params", """{"metrics": ["perplexity", "f1"], "enable_metric_confidence": false}""", "--json", "--max-new-tokens", "2");

        using JsonDocument report = JsonDocument.Parse(result.Output);
        Assert.Equal(["f1", "perplexity", "mean_perplexity", "bits_per_byte"], Names(report.RootElement));
        using LlamaModel loaded = LlamaModel.Load(model.Path);
        using IChatClient client = loaded.AsIChatClient(leaveOpen: true);
        (double loss, int tokens) = (0, 0);
        foreach ((ChatMessage[] messages, string answer) in (IEnumerable<(ChatMessage[], string)>)
            [
                ([new(ChatRole.User, "A: Hi B")], "A greets B."), ([new(ChatRole.User, "glad")], "joy"),
                ([new(ChatRole.System, "s"), new(ChatRole.User, "sad")], "sadness"),
            ])
        {
            loss -= (await client.ClassifyAsync(messages, [answer]))[0].LogProbability;
            tokens += loaded.Tokenizer.CountTokens(answer) + 1;
        }

        JsonElement perplexity = report.RootElement.GetProperty("metrics")[1];
        Assert.Equal(Math.Exp(loss / tokens), perplexity.GetProperty("value").GetDouble(), 1e-6);
        Assert.False(perplexity.TryGetProperty("interval", out _));
    }

    [Fact]
    public async Task Evaluate_Config_Acts()
    {
        string data = await WriteAsync("emotions.jsonl", Emotions);
        string config = await WriteAsync("eval-config.json", """
            {"metrics": ["accuracy", "f1_score_macro", "f1_score_binary", "log_loss"], "enable_metric_confidence": true, "confidence_metrics": ["log_loss"],
            "class_labels": ["joy", "sadness"], "train_labels": ["sadness", "joy"], "use_binary": true, "multilabel": false}
            """);

        CliResult result = await SucceedAsync("text-classification", data, "--evaluation-config", config, "--json", "--limit", "2");

        using JsonDocument report = JsonDocument.Parse(result.Output);
        Assert.Equal(["accuracy", "log_loss", "f1_score_binary"], Names(report.RootElement));
        Assert.Equal(
            ["log_loss"],
            report.RootElement.GetProperty("metrics").EnumerateArray().Where(metric => metric.TryGetProperty("interval", out _)).Select(metric => metric.GetProperty("name").GetString()));
        Assert.False(report.RootElement.TryGetProperty("confusion", out _));
        Assert.Equal(["sadness", "joy"], report.RootElement.GetProperty("classes").EnumerateArray().Select(item => item.GetProperty("name").GetString()));
        Assert.Equal(2, report.RootElement.GetProperty("items").GetInt32());
    }

    [Fact]
    public async Task Evaluate_NotAggregated_PutsTheFiguresIntoTheRows()
    {
        string data = await WriteAsync("texts.jsonl", """{"input_string": "hello", "ground_truth": "world"}"""), folder = model.Folder["out-rows"];
        const string Config = """{"metrics": ["rouge1"], "aggregator": false, "stemmer": true, "smoothing": false}""";

        await SucceedAsync("chat-completion", data, "--out", folder, "--evaluation-config-params", Config, "--max-new-tokens", "2");

        Assert.Empty(ReadReport(folder).Metrics);
        Assert.Equal("true", ReadReport(folder).Settings["stemmer"]);
        Assert.Equal(0, Assert.Single(await RowsAsync(folder, "predictions.jsonl")).GetProperty("scores").GetProperty("rouge1").GetDouble());
        Assert.Contains("--out", (await RunAsync("chat-completion", data, "--evaluation-config-params", Config)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Evaluate_TooLong_EndsOrCounts()
    {
        string data = await WriteAsync("long.jsonl", $$"""{"text": "{{new string('%', 200)}}", "label": "a"}""" + "\n{\"text\": \"x\", \"label\": \"b\"}");

        CliResult ended = await RunAsync("text-classification", data);
        CliResult counted = await SucceedAsync("text-classification", data, "--count-failures");
        CliResult cut = await SucceedAsync("text-classification", data, "--context-overflow", "truncate-left");

        Assert.Equal(CommandLine.Failure, ended.Code);
        Assert.Contains("context", ended.Error, StringComparison.Ordinal);
        Assert.Contains("1 of 2 items failed", counted.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("failed", cut.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'rouge1' is no metric", "text-classification", """{"metrics": ["rouge1"]}""")]
    [InlineData("stemmer has no effect", "text-classification", """{"stemmer": true}""")]
    [InlineData("smoothing has no effect", "text-classification", """{"smoothing": true}""")]
    [InlineData("aggregator cannot be false", "text-classification", """{"aggregator": false}""")]
    [InlineData("generator_config has no effect", "text-classification", """{"generator_config": {}}""")]
    [InlineData("confidence_metrics needs", "text-classification", """{"confidence_metrics": ["accuracy"]}""")]
    [InlineData("'accuracy_table' is no figure", "text-classification", """{"confidence_metrics": ["accuracy_table"], "enable_metric_confidence": true}""")]
    [InlineData("'c' is none of the train_labels", "text-classification", """{"class_labels": ["c"], "train_labels": ["a", "b"]}""")]
    [InlineData("names a class twice", "text-classification", """{"class_labels": ["a", "a"]}""")]
    [InlineData("use_binary needs two classes; there are 3", "text-classification", """{"class_labels": ["joy", "sadness", "fear"], "use_binary": true}""")]
    [InlineData("'multilabel'", "text-classification", """{"multilabe": true}""", "multilabe")]
    [InlineData("multilabel", "text-classification", """{"multilabel": true}""")]
    [InlineData("class_labels has no effect", "summarization", """{"class_labels": ["a"]}""")]
    [InlineData("train_labels has no effect", "summarization", """{"train_labels": ["a"]}""")]
    [InlineData("use_binary has no effect", "chat-completion", """{"use_binary": true}""")]
    [InlineData("'accuracy' is no metric", "text-generation", """{"metrics": ["accuracy"]}""")]
    [InlineData("'perplexity' is no metric", "text-classification", """{"metrics": ["perplexity"]}""")]
    [InlineData("metrics is empty", "summarization", """{"metrics": []}""")]
    [InlineData("'max_new_tokens' was probably meant", "summarization", """{"generator_config": {"max_new_token": 5}}""")]
    [InlineData("must be an object", "summarization", "[]")]
    public async Task Evaluate_ConfigThatCannotAct_IsRefused(string message, string task, string config, string? instead = null)
    {
        string data = await WriteAsync("emotions.jsonl", Emotions);

        CliResult result = await RunAsync(task, data, "--evaluation-config-params", config);

        Assert.Equal(CommandLine.Usage, result.Code);
        Assert.Contains(instead ?? message, result.Error, StringComparison.Ordinal);
        Assert.Empty(result.Output);
    }

    [Theory]
    [InlineData("needs probabilities", "text-classification", "--answers", "free", "--evaluation-config-params", """{"metrics": ["AUC_macro"]}""")]
    [InlineData("cannot act where labels are scored", "text-classification", "--temperature", "0.5")]
    [InlineData("--answers is for text-classification only", "summarization", "--answers", "free")]
    [InlineData("it must hold {input}", "summarization", "--prompt-template", "x")]
    [InlineData("--system has no place", "text-generation", "--system", "x")]
    [InlineData("--where: COLUMN=VALUE", "summarization", "--where", "task")]
    [InlineData("none of them 'title'", "summarization", "--input-column-names", "title")]
    [InlineData("none of them 'title'", "summarization", "--label-column-name", "title")]
    [InlineData("several are not supported", "summarization", "--input-column-names", "a,b")]
    [InlineData("not both", "summarization", "--evaluation-config", "a.json", "--evaluation-config-params", "{}")]
    [InlineData("both given", "summarization", "--temperature", "0.5", "--evaluation-config-params", """{"generator_config": {}}""")]
    [InlineData("--batch-size: from 1 to 1024", "summarization", "--batch-size", "0")]
    [InlineData("--limit: at least 1", "summarization", "--limit", "0")]
    public async Task Evaluate_WrongUsage_SaysWhy(string message, string task, params string[] args)
    {
        CliResult result = await RunAsync(task, await WriteAsync("emotions.jsonl", Emotions), args);

        Assert.Equal(CommandLine.Usage, result.Code);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("has no row that --where asks for", Emotions, "--where", "label=7")]
    [InlineData("line 1", "[1]")]
    [InlineData("line 1", "{")]
    [InlineData("line 2: 'label' is missing", "{\"text\": \"a\", \"label\": \"b\"}\n{\"text\": \"a\"}")]
    [InlineData("has no row", "\n")]
    public async Task Evaluate_BadData_FailsAndNamesTheLine(string message, string rows, params string[] args)
    {
        CliResult result = await RunAsync("text-classification", await WriteAsync("bad.jsonl", rows), args);

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Evaluate_NoFile_Fails()
    {
        CliResult result = await RunAsync("summarization", model.Folder["none.jsonl"]);

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Contains("none.jsonl", result.Error, StringComparison.Ordinal);
    }

    private static string[] Names(JsonElement report) => [.. report.GetProperty("metrics").EnumerateArray().Select(metric => metric.GetProperty("name").GetString()!)];

    private static double? Figure(EvaluationReport report, string name) => report.Metrics.Single(metric => metric.Name == name).Value;

    private static EvaluationReport ReadReport(string folder)
    {
        using FileStream stream = File.OpenRead(Path.Combine(folder, "report.json"));
        return EvaluationReport.ReadJson(stream);
    }

    private static async Task<JsonElement[]> RowsAsync(string folder, string name) =>
        [.. (await File.ReadAllLinesAsync(Path.Combine(folder, name))).Select(line => JsonDocument.Parse(line).RootElement)];

    private async Task<string> AnswerAsync(string question, int tokens)
    {
        using LlamaModel loaded = LlamaModel.Load(model.Path);
        using IChatClient client = loaded.AsIChatClient(leaveOpen: true);
        return (await client.GetResponseAsync(question, new() { Temperature = 0, MaxOutputTokens = tokens })).Text.Trim();
    }

    private async Task<CliResult> SucceedAsync(string task, string data, params string[] args) => (await RunAsync(task, data, args)).Succeeded();

    private Task<CliResult> RunAsync(string task, string data, params string[] args) =>
        CliRunner.RunAsync(["evaluate", model.Path, "--task", task, "--test-data", data, .. args]);

    private async Task<string> WriteAsync(string name, string text)
    {
        string path = model.Folder[name];
        await File.WriteAllTextAsync(path, text);
        return path;
    }
}
