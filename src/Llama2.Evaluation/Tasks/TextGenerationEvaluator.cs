using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>What an evaluation of generated text found.</summary>
/// <param name="Items">The items with their answers, in order.</param>
/// <param name="Scores">The figures, by the names of the metrics.</param>
/// <param name="Report">All of it, to be read.</param>
public sealed record TextGenerationEvaluation(
    IReadOnlyList<EvaluatedItem> Items, IReadOnlyDictionary<string, double> Scores, EvaluationReport Report)
{
    /// <summary>Gets the figures of each text alone, by the names of the metrics, in the order of the items.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<double>> ItemScores { get; init; } = new Dictionary<string, IReadOnlyList<double>>();
}

/// <summary>Asks a model for texts and compares them with what they should say: summaries, answers, continuations.</summary>
/// <remarks>Thread-safe if the client is. A failed item that is counted scores as an empty text.</remarks>
/// <example>
/// <code>
/// var evaluator = new TextGenerationEvaluator(client, new() { PromptTemplate = "Summarize:\n{input}" });
/// TextGenerationEvaluation result = await evaluator.EvaluateAsync("Summaries", items);
/// await result.Report.SaveAsync("evaluation");
/// </code>
/// </example>
public sealed class TextGenerationEvaluator
{
    private readonly IChatClient _client;
    private readonly EvaluatorOptions _options;
    private readonly TextGenerationMetricOptions _metrics;
    private readonly ItemRunner _runner;

    /// <summary>Makes an evaluator.</summary>
    /// <param name="client">The model; stays the caller's.</param>
    /// <param name="options">How to ask, or <see langword="null"/> for the defaults.</param>
    /// <param name="metrics">What to compute, or <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public TextGenerationEvaluator(IChatClient client, EvaluatorOptions? options = null, TextGenerationMetricOptions? metrics = null)
    {
        _options = options ?? new();
        _metrics = metrics ?? new();
        _runner = new(client, _options);
        _client = client;
        var accumulator = new TextGenerationAccumulator(_metrics);    // a wrong metric is told now, not after an hour of asking
        if (_options.Intervals?.Except(accumulator.Metrics).FirstOrDefault() is { } unknown)
        {
            throw new ArgumentException($"EvaluatorOptions.Intervals has '{unknown}', which is none of the metrics: {string.Join(", ", accumulator.Metrics)}.", nameof(options));
        }
    }

    /// <summary>Asks about every item, computes the figures and writes a report.</summary>
    /// <param name="title">The title of the report.</param>
    /// <param name="items">One or more items; read as they are needed.</param>
    /// <param name="bootstrap">How to estimate intervals, or <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told after each item, from any thread.</param>
    /// <param name="cancellationToken">Seen between items and by the client.</param>
    /// <exception cref="InvalidOperationException">There is no item.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<TextGenerationEvaluation> EvaluateAsync(
        string title,
        IAsyncEnumerable<EvaluationItem> items,
        BootstrapOptions? bootstrap = null,
        IProgress<EvaluationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(title);
        IReadOnlyList<EvaluatedItem> results = await _runner.RunAsync(items, progress, cancellationToken).ConfigureAwait(false);
        var accumulator = new TextGenerationAccumulator(_metrics);
        var examples = new List<ReportExample>();
        foreach (EvaluatedItem result in results)
        {
            IReadOnlyDictionary<string, double> scores = accumulator.Add(result.Item.Reference, result.Answer ?? "", result.Item.Input);
            if (examples.Count < _options.Examples)
            {
                examples.Add(new(result.Item.Input, result.Item.Reference, result.Answer)
                {
                    Metrics = [.. scores.Take(3).Select(score => new ReportMetric(score.Key, score.Value))],
                });
            }
        }

        EvaluationReport report = accumulator.ToReport(title, bootstrap, _options.Intervals) with
        {
            Task = "text-generation",
            Model = _client.GetService<ChatClientMetadata>()?.DefaultModelId,
            Examples = examples,
            Settings = ReportSettings.Of(_options, ("stemmer", _metrics.Stemmer), ("smoothing", _metrics.Smoothing)),
            Notes = ReportSettings.Failures(results),
        };
        return new(results, accumulator.Scores(), report) { ItemScores = accumulator.ItemScores() };
    }
}
