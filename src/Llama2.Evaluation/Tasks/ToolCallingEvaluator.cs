using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>What an evaluation of function calling found.</summary>
/// <param name="Items">The cases with their answers, in order.</param>
/// <param name="Report">The figures and all else, to be read.</param>
public sealed record ToolCallingEvaluation(IReadOnlyList<EvaluatedItem> Items, EvaluationReport Report);

/// <summary>Offers functions to a model and measures how often it calls the right one with the right arguments, and none where none is due.</summary>
/// <remarks>
/// One call at a time is allowed, and the model is free to answer in words. Thread-safe if the client is. A failed case that is counted is a malformed answer
/// without a call.
/// </remarks>
/// <example>
/// <code>
/// var evaluator = new ToolCallingEvaluator(client, new() { ChatOptions = new() { Temperature = 0 } });
/// ToolCallingEvaluation result = await evaluator.EvaluateAsync("Calls", ToolCallItems.ReadJsonLinesAsync("cases.jsonl"));
/// </code>
/// </example>
public sealed class ToolCallingEvaluator
{
    internal const string RightDecision = "right_decision";
    internal const string RightFunction = "right_function";
    internal const string RightArguments = "right_arguments";
    internal const string WellFormed = "well_formed";
    internal const string NeedlessCalls = "needless_calls";

    private static readonly (string Name, Func<EvaluatedItem, double> Score)[] _metrics =
    [
        (RightDecision, result => Share(IsRight(result))),
        (RightFunction, result => result.Item.ExpectedCall is { } call ? Share(CallsRightFunction(result, call)) : double.NaN),
        (RightArguments, result => result.Item.ExpectedCall is null ? double.NaN : Share(IsRight(result))),
        (WellFormed, result => Share(IsWellFormed(result))),
        (NeedlessCalls, result => result.Item.ExpectedCall is null ? Share(result.Calls.Count > 0) : double.NaN),
    ];

    private readonly IChatClient _client;
    private readonly EvaluatorOptions _options;
    private readonly ItemRunner _runner;

    /// <summary>Makes an evaluator.</summary>
    /// <param name="client">The model, without function invocation; stays the caller's.</param>
    /// <param name="options">How to ask, or <see langword="null"/> for the defaults. Its <see cref="EvaluatorOptions.ChatOptions"/> must not have tools of their own.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public ToolCallingEvaluator(IChatClient client, EvaluatorOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        (_client, _options) = (client, options ?? new());
        _runner = new(_options, AskAsync);
        if (_options.ChatOptions?.Tools is { Count: > 0 })
        {
            throw new ArgumentException("EvaluatorOptions.ChatOptions has tools, but each case brings its own.", nameof(options));
        }

        if (_options.Intervals?.Except(Metrics).FirstOrDefault() is { } unknown)
        {
            throw new ArgumentException($"EvaluatorOptions.Intervals has '{unknown}', which is none of the metrics: {string.Join(", ", Metrics)}.", nameof(options));
        }
    }

    /// <summary>Gets the names of the figures, the most important first.</summary>
    public static IReadOnlyList<string> Metrics { get; } = [.. _metrics.Select(metric => metric.Name)];

    /// <summary>Asks about every case, computes the figures and writes a report.</summary>
    /// <param name="title">The title of the report.</param>
    /// <param name="items">One or more cases, see <see cref="ToolCallItems"/>; read as they are needed.</param>
    /// <param name="bootstrap">How to estimate intervals, or <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told after each case, from any thread.</param>
    /// <param name="cancellationToken">Seen between cases and by the client.</param>
    /// <exception cref="InvalidOperationException">There is no case.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<ToolCallingEvaluation> EvaluateAsync(
        string title,
        IAsyncEnumerable<EvaluationItem> items,
        BootstrapOptions? bootstrap = null,
        IProgress<EvaluationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(title);
        IReadOnlyList<EvaluatedItem> results = await _runner.RunAsync(items, progress, cancellationToken).ConfigureAwait(false);
        if (results.Count == 0)
        {
            throw new InvalidOperationException("There is no case to evaluate.");
        }

        var report = new EvaluationReport
        {
            Title = title,
            Task = "tool-calling",
            Model = _client.GetService<ChatClientMetadata>()?.DefaultModelId,
            Items = results.Count,
            Metrics = [.. _metrics.Select(metric => Measure(metric.Name, [.. results.Select(metric.Score)], bootstrap))],
            Examples = [.. results.Take(_options.Examples).Select(Example)],
            Settings = ReportSettings.Of(_options),
            Notes = ReportSettings.Failures(results),
        };
        return new(results, report);
    }

    private async Task<EvaluatedItem> AskAsync(EvaluationItem item, ChatMessage[] messages, CancellationToken cancellationToken)
    {
        ChatOptions options = _options.ChatOptions?.Clone() ?? new();
        if (item.Tools is { Count: > 0 } tools)
        {
            (options.Tools, options.ToolMode, options.AllowMultipleToolCalls) = ([.. tools], ChatToolMode.Auto, false);
        }

        ChatResponse response = await _client.GetResponseAsync(messages, options, cancellationToken).ConfigureAwait(false);
        FunctionCallContent[] calls = [.. response.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>()];
        string? error = calls.FirstOrDefault(call => call.Exception is not null)?.Exception!.Message;
        bool isCutOff = calls.Length == 0 && response.Text.Length == 0 && response.FinishReason == ChatFinishReason.Length;
        return new(item, isCutOff ? null : response.Text.Trim(), error ?? (isCutOff ? "The call was cut off." : null))
        {
            Calls = error is null ? [.. calls.Select(ToolCall.Of)] : [],
            Usage = response.Usage,
        };
    }

    private ReportMetric Measure(string name, double[] scores, BootstrapOptions? bootstrap)
    {
        double[] counted = [.. scores.Where(score => !double.IsNaN(score))];
        bool hasInterval = counted.Length > 0 && _options.Intervals?.Contains(name) is not false;
        return MetricNames.Describe(name, counted.Length > 0 ? counted.Average() : double.NaN) with
        {
            Interval = hasInterval ? Bootstrap.Mean(counted, bootstrap) : null,
        };
    }

    private static ReportExample Example(EvaluatedItem result) => new(
        result.Item.Input,
        result.Item.ExpectedCall?.ToString() ?? "(no call)",
        result.Calls.Count > 0 ? string.Join('\n', result.Calls) : result.Answer)
    {
        Verdict = IsRight(result) ? "right"
            : !IsWellFormed(result) ? "malformed"
            : result.Item.ExpectedCall is not { } expected ? "needless call"
            : result.Calls.Count == 0 ? "no call"
            : CallsRightFunction(result, expected) ? "wrong arguments"
            : "wrong function",
    };

    private static bool IsRight(EvaluatedItem result) =>
        IsWellFormed(result) && (result.Item.ExpectedCall is { } expected ? result.Calls is [var call] && call == expected : result.Calls.Count == 0);

    private static bool CallsRightFunction(EvaluatedItem result, ToolCall expected) => result.Calls is [var call] && call.Name == expected.Name;

    private static bool IsWellFormed(EvaluatedItem result) =>
        result.Error is null && result.Calls.All(call => result.Item.Tools?.Any(tool => tool.Name == call.Name) is true);

    private static double Share(bool isSo) => isSo ? 1 : 0;
}
