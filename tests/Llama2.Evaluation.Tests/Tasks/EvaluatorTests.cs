using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Evaluation.Tests;

public sealed class EvaluatorTests
{
    private static readonly EvaluationItem[] _texts = [new("one", "a b c d e"), new("two", "f g h i j"), new("three", "k l m n o")];
    private static readonly BootstrapOptions _few = new() { Resamples = 50 };

    [Fact]
    public async Task TextGeneration_Answers_AreScoredAndReported()
    {
        var asked = new List<(string System, string User, float? Temperature)>();
        using var client = new StubChatClient((messages, options, _) =>
        {
            asked.Add((messages[0].Text, messages[^1].Text, options?.Temperature));
            return Task.FromResult(messages[^1].Text == "Say: two" ? " f g h i j\n" : "nothing");
        });
        var evaluator = new TextGenerationEvaluator(
            client,
            new() { PromptTemplate = "Say: {input}", SystemPrompt = "Be brief.", ChatOptions = new() { Temperature = 0 }, Examples = 2 },
            new() { Metrics = ["rougeL", "bleu_4", "exact_match"], Stemmer = true });

        TextGenerationEvaluation result = await evaluator.EvaluateAsync("Texts", _texts.ToAsyncEnumerable(), _few);

        Assert.Equal([("Be brief.", "Say: one", 0), ("Be brief.", "Say: two", 0f), ("Be brief.", "Say: three", 0)], asked);
        Assert.Equal(["nothing", "f g h i j", "nothing"], result.Items.Select(item => item.Answer));
        Assert.Equal(1.0 / 3, result.Scores["rougeL"], 12);
        Assert.Equal(1.0 / 3, result.Scores["exact_match"], 12);
        Assert.Equal(("text-generation", "stub-model", 3L), (result.Report.Task, result.Report.Model, result.Report.Items!.Value));
        Assert.Equal(2, result.Report.Examples.Count);
        Assert.Equal("0", result.Report.Settings["temperature"]);
        Assert.Equal("true", result.Report.Settings["stemmer"]);
        Assert.Empty(result.Report.Notes);
    }

    [Fact]
    public async Task Classification_Answers_AreReadAndMeasured()
    {
        using var client = new StubChatClient(text => text switch { "a" => "I think it is JOY.", "b" => "joyful? no: sadness", _ => "who knows" });
        var evaluator = new ClassificationEvaluator(client, ["joy", "sadness"]);
        EvaluationItem[] items = [new("a", "joy"), new("b", "sadness"), new("c", "joy")];
        var reports = new List<EvaluationProgress>();

        ClassificationEvaluation result = await evaluator.EvaluateAsync("Emotions", items.ToAsyncEnumerable(), _few, new Progress(reports.Add));

        Assert.Equal(["joy", "sadness", null], result.Predictions);
        Assert.Equal(2.0 / 3, result.Metrics.Accuracy, 12);
        Assert.Equal(1, result.Metrics.Confusion.Unrecognised);
        Assert.Equal([new(1, 0), new(2, 0), new(3, 0)], reports);
        Assert.NotNull(result.Report.Metrics.Single(metric => metric.Name == "accuracy").Interval);
        Assert.Equal(["right", "right", "no class found"], result.Report.Examples.Select(example => example.Verdict));
    }

    [Fact]
    public async Task Classification_ScoredLabels_AreMeasuredWithTheirProbabilities()
    {
        using LlamaModel model = LlamaModel.Load(TinyModels.Create());
        using IChatClient client = model.AsIChatClient(leaveOpen: true);
        string[] classes = ["joy", "sadness", "fear"];
        var evaluator = new ClassificationEvaluator(
            client, classes, new() { PromptTemplate = "Which? {input}", Concurrency = 3, Intervals = ["AUC_macro"] }, method: ClassificationMethod.ScoreLabels);
        EvaluationItem[] items = [new("a", "joy"), new("b", "sadness"), new("c", "joy"), new("d", "fear")];

        ClassificationEvaluation result = await evaluator.EvaluateAsync("Emotions", items.ToAsyncEnumerable(), _few);

        for (int i = 0; i < items.Length; i++)
        {
            IReadOnlyList<LabelProbability> labels = await client.ClassifyAsync([new(ChatRole.User, $"Which? {items[i].Input}")], classes);
            Assert.Equal(labels.Select(label => label.Probability), result.Items[i].Probabilities!);
            Assert.Equal(labels.MaxBy(label => label.Probability).Label, result.Predictions[i]);
        }

        Assert.NotNull(result.Metrics.LogLoss);
        Assert.Equal(["AUC_macro"], result.Report.Metrics.Where(metric => metric.Interval is not null).Select(metric => metric.Name));
        Assert.Equal("true", result.Report.Settings["scores_labels"]);
        Assert.Equal(items.Length, Assert.Single(result.Report.Histograms).Counts.Sum());
    }

    [Fact]
    public async Task Classification_ScoredLabelsThatFail_CountAsUndecided()
    {
        using var client = new StubChatClient(_ => "joy");
        var evaluator = new ClassificationEvaluator(client, ["joy", "fear"], new() { CountFailures = true }, method: ClassificationMethod.ScoreLabels);

        ClassificationEvaluation result = await evaluator.EvaluateAsync("x", new EvaluationItem[] { new("a", "joy") }.ToAsyncEnumerable(), _few);

        Assert.Contains("no LlamaModel", result.Items[0].Error!, StringComparison.Ordinal);
        Assert.Null(result.Predictions[0]);
        Assert.Equal(Math.Log(2), result.Metrics.LogLoss!.Value, 1e-12);
    }

    [Fact]
    public async Task Evaluate_Conversation_IsAskedWithTemplateAndSystemMessage()
    {
        var asked = new List<string>();
        using var client = new StubChatClient((messages, _, _) =>
        {
            asked.Add(string.Join(" | ", messages.Select(message => $"{message.Role}: {message.Text}")));
            return Task.FromResult("Bob");
        });
        EvaluationItem[] items =
        [
            new("b", "x") { Conversation = [new(ChatRole.User, "a"), new(ChatRole.Assistant, "A"), new(ChatRole.User, "b")] },
            new("c", "x") { Conversation = [new(ChatRole.System, "own"), new(ChatRole.User, "c")] },
        ];

        TextGenerationEvaluation result = await new TextGenerationEvaluator(
            client, new() { PromptTemplate = "<{input}>", SystemPrompt = "s", Intervals = [] }, new() { Metrics = ["name_faithfulness", "f1"] })
            .EvaluateAsync("x", items.ToAsyncEnumerable(), _few);

        Assert.Equal(["system: s | user: a | assistant: A | user: <b>", "system: own | user: <c>"], asked);
        Assert.Equal(0, result.Scores["name_faithfulness"]);
        Assert.Equal([0, 0], result.ItemScores["f1"]);
        Assert.All(result.Report.Metrics, metric => Assert.Null(metric.Interval));
    }

    [Fact]
    public async Task Evaluate_ManyAtATime_KeepsTheOrder()
    {
        int running = 0, most = 0;
        using var client = new StubChatClient(async (messages, _, token) =>
        {
            int now = Interlocked.Increment(ref running);
            lock (_texts)
            {
                most = Math.Max(most, now);
            }

            int item = int.Parse(messages[^1].Text, System.Globalization.CultureInfo.InvariantCulture);
            await Task.Delay(item % 3, token);
            Interlocked.Decrement(ref running);
            return messages[^1].Text;
        });
        EvaluationItem[] items = [.. Enumerable.Range(0, 40).Select(i => new EvaluationItem($"{i}", $"{i}"))];

        TextGenerationEvaluation result = await new TextGenerationEvaluator(client, new() { Concurrency = 4 }, new() { Metrics = ["exact_match"] })
            .EvaluateAsync("Order", items.ToAsyncEnumerable(), _few);

        Assert.Equal(items.Select(item => item.Input), result.Items.Select(item => item.Answer));
        Assert.Equal(1, result.Scores["exact_match"]);
        Assert.InRange(most, 1, 4);
    }

    [Fact]
    public async Task Evaluate_Failure_EndsOrCounts()
    {
        using var client = new StubChatClient(text => text == "two" ? throw new InvalidOperationException("too long") : "k l m n o");

        await Assert.ThrowsAsync<InvalidOperationException>(() => new TextGenerationEvaluator(client).EvaluateAsync("x", _texts.ToAsyncEnumerable(), _few));
        TextGenerationEvaluation counted =
            await new TextGenerationEvaluator(client, new() { CountFailures = true }).EvaluateAsync("x", _texts.ToAsyncEnumerable(), _few);

        Assert.Equal((null, "too long"), (counted.Items[1].Answer, counted.Items[1].Error));
        Assert.Equal("1 of 3 items failed and count as wrong; the first: too long", Assert.Single(counted.Report.Notes));
        Assert.Equal(1.0 / 3, counted.Scores["rouge1"], 12);
    }

    [Fact]
    public async Task Evaluate_Cancelled_Throws()
    {
        using var source = new CancellationTokenSource();
        using var client = new StubChatClient(async (_, _, token) =>
        {
            await source.CancelAsync();
            await Task.Delay(Timeout.Infinite, token);
            return "";
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            new TextGenerationEvaluator(client, new() { CountFailures = true }).EvaluateAsync("x", _texts.ToAsyncEnumerable(), cancellationToken: source.Token));
    }

    [Fact]
    public async Task Evaluate_NothingOrUnknownClass_Throws()
    {
        using var client = new StubChatClient(_ => "joy");

        await Assert.ThrowsAsync<InvalidOperationException>(() => new TextGenerationEvaluator(client).EvaluateAsync("x", AsyncEnumerable.Empty<EvaluationItem>()));
        await Assert.ThrowsAsync<ArgumentException>(() => new ClassificationEvaluator(client, ["joy"]).EvaluateAsync("x", _texts.ToAsyncEnumerable()));
    }

    [Fact]
    public void Constructor_WrongOption_Throws()
    {
        using var client = new StubChatClient(_ => "");

        Assert.Throws<ArgumentException>(() => new TextGenerationEvaluator(client, new() { PromptTemplate = "no place" }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextGenerationEvaluator(client, new() { Concurrency = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextGenerationEvaluator(client, new() { Examples = -1 }));
        Assert.Throws<ArgumentException>(() => new TextGenerationEvaluator(client, metrics: new() { Metrics = ["meteor"] }));
        Assert.Throws<ArgumentException>(() => new ClassificationEvaluator(client, []));
        Assert.Throws<ArgumentException>(() => new ClassificationEvaluator(client, ["a"], new() { Intervals = ["confusion_matrix"] }));
        Assert.Throws<ArgumentException>(() => new ClassificationEvaluator(client, ["a"], readClass: text => text, method: ClassificationMethod.ScoreLabels));
        Assert.Throws<ArgumentException>(() => new TextGenerationEvaluator(client, new() { Intervals = ["f1"] }));
    }

    [Theory]
    [InlineData("It is joy, not sadness", "joy")]
    [InlineData("enjoyment of sadness", "sadness")]
    [InlineData("not sure", "not sure")]
    [InlineData("NOT", "not")]
    [InlineData("nothing", null)]
    [InlineData("", null)]
    public void FindClass_Answer_NamesTheFirstWholeWord(string answer, string? expected) =>
        Assert.Equal(expected, ClassificationEvaluator.FindClass(answer, ["joy", "sadness", "not", "not sure", ""]));

    private sealed class Progress(Action<EvaluationProgress> report) : IProgress<EvaluationProgress>
    {
        public void Report(EvaluationProgress value) => report(value);
    }
}
