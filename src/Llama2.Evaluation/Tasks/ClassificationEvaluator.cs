using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>What an evaluation of a classification found.</summary>
/// <param name="Items">The items with their answers, in order.</param>
/// <param name="Predictions">The class that was read from each answer, or <see langword="null"/> where there is none.</param>
/// <param name="Metrics">The figures.</param>
/// <param name="Report">All of it, to be read.</param>
public sealed record ClassificationEvaluation(
    IReadOnlyList<EvaluatedItem> Items, IReadOnlyList<string?> Predictions, ClassificationMetrics Metrics, EvaluationReport Report);

/// <summary>Asks a model for classes, reads them from its answers, and measures how often it is right.</summary>
/// <remarks>Thread-safe if the client is. A failed item that is counted has no prediction.</remarks>
/// <example>
/// <code>
/// var evaluator = new ClassificationEvaluator(client, ["joy", "sadness"], new() { PromptTemplate = "Which emotion? Joy or sadness?\n{input}" });
/// ClassificationEvaluation result = await evaluator.EvaluateAsync("Emotions", items);
/// Console.WriteLine(result.Metrics.Macro.F1);
/// </code>
/// </example>
public sealed class ClassificationEvaluator
{
    private readonly IChatClient _client;
    private readonly string[] _classes;
    private readonly EvaluatorOptions _options;
    private readonly ItemRunner _runner;
    private readonly Func<string, string?> _read;

    /// <summary>Makes an evaluator.</summary>
    /// <param name="client">The model; stays the caller's.</param>
    /// <param name="classes">The names of the classes; the items' references are among them.</param>
    /// <param name="options">How to ask, or <see langword="null"/> for the defaults.</param>
    /// <param name="readClass">Reads the class from an answer; <see cref="FindClass"/> by default.</param>
    /// <exception cref="ArgumentException">An option is out of range, there is no class, or a name is there twice.</exception>
    public ClassificationEvaluator(
        IChatClient client, IReadOnlyList<string> classes, EvaluatorOptions? options = null, Func<string, string?>? readClass = null)
    {
        _classes = [.. new ConfusionMatrix(classes).Classes];
        _options = options ?? new();
        _runner = new(client, _options);
        _client = client;
        _read = readClass ?? (answer => FindClass(answer, _classes));
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
        foreach (EvaluatedItem result in results)
        {
            predictions.Add(result.Answer is { } answer ? _read(answer) : null);
            accumulator.Add(result.Item.Reference, predictions[^1]);
        }

        ClassificationMetrics metrics = accumulator.Compute();
        var intervals = new Dictionary<string, ConfidenceInterval>(StringComparer.Ordinal)
        {
            ["accuracy"] = accumulator.Interval(resampled => resampled.Accuracy, bootstrap),
            ["f1_score_macro"] = accumulator.Interval(resampled => resampled.Macro.F1, bootstrap),
            ["matthews_correlation"] = accumulator.Interval(resampled => resampled.MatthewsCorrelation, bootstrap),
        };
        EvaluationReport report = EvaluationReport.Of(title, metrics, intervals) with
        {
            Task = "text-classification",
            Model = _client.GetService<ChatClientMetadata>()?.DefaultModelId,
            Examples = [.. results.Take(_options.Examples).Select((result, i) => new ReportExample(result.Item.Input, result.Item.Reference, result.Answer)
            {
                Verdict = predictions[i] == result.Item.Reference ? "right" : predictions[i] is { } wrong ? $"wrong: {wrong}" : "no class found",
            })],
            Settings = ReportSettings.Of(_options),
            Notes = ReportSettings.Failures(results),
        };
        return new(results, predictions, metrics, report);
    }

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
