using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>What an evaluation of a classification found.</summary>
/// <param name="Items">The items with their answers, in order.</param>
/// <param name="Predictions">The class that was read from each answer, or <see langword="null"/> where there is none.</param>
/// <param name="Metrics">The figures.</param>
/// <param name="Report">All of it, to be read.</param>
public sealed record ClassificationEvaluation(
    IReadOnlyList<EvaluatedItem> Items, IReadOnlyList<string?> Predictions, ClassificationMetrics Metrics, EvaluationReport Report);

/// <summary>Asks a model for classes, reads them from its answers or scores them as answers, and measures how often it is right.</summary>
/// <remarks>
/// Thread-safe if the client is. A failed item that is counted has no prediction; where there are probabilities, it counts as undecided between all
/// classes.
/// </remarks>
/// <example>
/// <code>
/// var evaluator = new ClassificationEvaluator(client, ["joy", "sadness"], new() { PromptTemplate = "Which emotion? Joy or sadness?\n{input}" });
/// ClassificationEvaluation result = await evaluator.EvaluateAsync("Emotions", items);
/// Console.WriteLine(result.Metrics.Macro.F1);
/// </code>
/// </example>
public sealed class ClassificationEvaluator
{
    private static readonly string[] _defaultIntervals = ["accuracy", "f1_score_macro", "matthews_correlation"];

    private readonly IChatClient _client;
    private readonly string[] _classes;
    private readonly EvaluatorOptions _options;
    private readonly ItemRunner _runner;
    private readonly Func<string, string?> _read;
    private readonly string[] _intervals;
    private readonly bool _scores;

    /// <summary>Makes an evaluator.</summary>
    /// <param name="client">The model; stays the caller's.</param>
    /// <param name="classes">The names of the classes; the items' references are among them.</param>
    /// <param name="options">How to ask, or <see langword="null"/> for the defaults.</param>
    /// <param name="readClass">Reads the class from an answer; <see cref="FindClass"/> by default. Only where answers are free.</param>
    /// <param name="method">Whether the model answers freely, or the classes are scored; the latter needs a <see cref="LlamaModel"/> behind the client.</param>
    /// <exception cref="ArgumentException">An option is out of range, there is no class, or a name is there twice.</exception>
    public ClassificationEvaluator(
        IChatClient client,
        IReadOnlyList<string> classes,
        EvaluatorOptions? options = null,
        Func<string, string?>? readClass = null,
        ClassificationMethod method = ClassificationMethod.ReadAnswer)
    {
        _classes = [.. new ConfusionMatrix(classes).Classes];
        _options = options ?? new();
        _client = client;
        _scores = method == ClassificationMethod.ScoreLabels;
        _read = readClass is null ? answer => FindClass(answer, _classes)
            : !_scores ? readClass
            : throw new ArgumentException("Nothing is read where labels are scored.", nameof(readClass));
        _runner = _scores ? new(_options, ScoreAsync) : new(client, _options);
        _intervals = [.. _options.Intervals ?? _defaultIntervals];
        if (Array.Find(_intervals, name => !ClassificationMetrics.IsFigure(name)) is { } unknown)
        {
            throw new ArgumentException($"EvaluatorOptions.Intervals has '{unknown}', which is no figure of a classification.", nameof(options));
        }
    }

    /// <summary>Finds the class that an answer names first, as a whole word in any case; of two at the same place, the longer one.</summary>
    /// <param name="answer">What a model said.</param>
    /// <param name="classes">The names of the classes.</param>
    /// <returns>The name, or <see langword="null"/> where there is none.</returns>
    public static string? FindClass(string answer, IReadOnlyList<string> classes)
    {
        ArgumentNullException.ThrowIfNull(answer);
        ArgumentNullException.ThrowIfNull(classes);
        string? found = null;
        int first = int.MaxValue;
        foreach (string name in classes)
        {
            int place = IndexOfWord(answer, name);
            if (place >= 0 && (place < first || (place == first && name.Length > found!.Length)))
            {
                (found, first) = (name, place);
            }
        }

        return found;
    }

    /// <summary>Asks about every item, measures and writes a report.</summary>
    /// <param name="title">The title of the report.</param>
    /// <param name="items">One or more items, each with a class for its reference; read as they are needed.</param>
    /// <param name="bootstrap">How to estimate intervals, or <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told after each item, from any thread.</param>
    /// <param name="cancellationToken">Seen between items and by the client.</param>
    /// <exception cref="ArgumentException">A reference is none of the classes.</exception>
    /// <exception cref="InvalidOperationException">There is no item.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<ClassificationEvaluation> EvaluateAsync(
        string title,
        IAsyncEnumerable<EvaluationItem> items,
        BootstrapOptions? bootstrap = null,
        IProgress<EvaluationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(title);
        IReadOnlyList<EvaluatedItem> results = await _runner.RunAsync(items, progress, cancellationToken).ConfigureAwait(false);
        var accumulator = new ClassificationAccumulator(_classes);
        var predictions = new List<string?>();
        double[] undecided = [.. _classes.Select(_ => 1.0 / _classes.Length)];
        foreach (EvaluatedItem result in results)
        {
            predictions.Add(result.Answer is not { } answer ? null : _scores ? answer : _read(answer));
            accumulator.Add(result.Item.Reference, predictions[^1], _scores ? [.. result.Probabilities ?? undecided] : default);
        }

        ClassificationMetrics metrics = accumulator.Compute();
        Dictionary<string, ConfidenceInterval> intervals = _intervals.Distinct().Where(name => metrics.Figure(name) is not null).ToDictionary(
            name => name, name => accumulator.Interval(resampled => resampled.Figure(name) ?? double.NaN, bootstrap), StringComparer.Ordinal);
        EvaluationReport report = EvaluationReport.Of(title, metrics, intervals) with
        {
            Task = "text-classification",
            Model = _client.GetService<ChatClientMetadata>()?.DefaultModelId,
            Examples = [.. results.Take(_options.Examples).Select((result, i) => new ReportExample(result.Item.Input, result.Item.Reference, result.Answer)
            {
                Verdict = predictions[i] == result.Item.Reference ? "right" : predictions[i] is { } wrong ? $"wrong: {wrong}" : "no class found",
            })],
            Histograms = _scores ? [Histogram(results)] : [],
            Settings = ReportSettings.Of(_options, ("scores_labels", _scores)),
            Notes = ReportSettings.Failures(results),
        };
        return new(results, predictions, metrics, report);
    }

    private async Task<EvaluatedItem> ScoreAsync(EvaluationItem item, ChatMessage[] messages, CancellationToken cancellationToken)
    {
        IReadOnlyList<LabelProbability> labels =
            await _client.ClassifyAsync(messages, _classes, _options.ChatOptions, cancellationToken).ConfigureAwait(false);
        return new(item, labels.MaxBy(label => label.Probability).Label, null) { Probabilities = [.. labels.Select(label => label.Probability)] };
    }

    private ReportHistogram Histogram(IReadOnlyList<EvaluatedItem> results) => ReportHistogram.Of(
        "Probability of the right class",
        "probability",
        [.. results.Where(result => result.Probabilities is not null).Select(result => result.Probabilities![Array.IndexOf(_classes, result.Item.Reference)])],
        minimum: 0,
        maximum: 1);

    private static int IndexOfWord(string text, string word)
    {
        int start = 0;
        while (word.Length > 0 && text.IndexOf(word, start, StringComparison.OrdinalIgnoreCase) is >= 0 and int place)
        {
            int end = place + word.Length;
            start = place + 1;
            if ((place == 0 || !char.IsLetterOrDigit(text[place - 1])) && (end == text.Length || !char.IsLetterOrDigit(text[end])))
            {
                return place;
            }
        }

        return -1;
    }
}
