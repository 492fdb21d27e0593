using Llama2.Evaluation;
using Microsoft.Extensions.AI;

namespace Llama2.Cli;

/// <summary>Asks a model about the items of a plan and puts what was measured into one report.</summary>
internal sealed class EvaluationRun(
    EvaluationPlan plan, bool isConversation, IReadOnlyList<EvaluationItem> items, LlamaModel model, string? folder, Terminal terminal)
{
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly string _name = Path.GetFileName(plan.DataPath);

    public async Task<EvaluationReport> RunAsync(string? title, CancellationToken cancellationToken)
    {
        using IChatClient client = model.AsIChatClient(leaveOpen: true);
        EvaluationReport report = plan.Task == EvaluationTask.TextClassification ? await ClassifyAsync(client, cancellationToken)
            : plan.Task == EvaluationTask.ToolCalling ? await CallAsync(client, cancellationToken)
            : plan.TextMetrics.Count > 0 ? await GenerateAsync(client, cancellationToken)
            : new() { Title = "", Model = model.ModelId, Items = items.Count, Settings = new Dictionary<string, string>() };
        if (plan.MeasuresPerplexity)
        {
            EvaluationReport perplexity = await MeasurePerplexityAsync(client, cancellationToken);
            report = report with { Metrics = [.. report.Metrics, .. perplexity.Metrics], Histograms = [.. report.Histograms, .. perplexity.Histograms] };
        }

        string task = EvaluationTasks.NameOf(plan.Task);
        return report with
        {
            Title = title ?? $"{task}: {_name}",
            Task = task,
            Dataset = _name,
            Created = _time.GetUtcNow(),
            Settings = plan.Settings(report.Settings),
        };
    }

    private async Task<EvaluationReport> ClassifyAsync(IChatClient client, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> classes = plan.Classes(items);
        EvaluatorOptions options = plan.ToOptions(classes, isConversation);
        CheckSettings(options);
        var evaluator = new ClassificationEvaluator(client, classes, options, method: plan.Method);
        DateTimeOffset start = _time.GetUtcNow();
        ClassificationEvaluation result = await WithProgressAsync(progress =>
            evaluator.EvaluateAsync("", items.ToAsyncEnumerable(), progress: progress, cancellationToken: cancellationToken));
        if (folder is not null)
        {
            await PredictionFile.WriteAsync(folder, result, classes, cancellationToken);
            await PredictionFile.WritePerformanceAsync(folder, result.Items, plan.BatchSize, start, _time.GetUtcNow(), cancellationToken);
            if (plan.ScoresLabels && plan.Config.Metrics?.Contains("accuracy_table") is not false)
            {
                await PredictionFile.WriteAccuracyTableAsync(folder, result.Metrics.AccuracyTable(), cancellationToken);
            }
        }

        IReadOnlySet<string> figures = plan.Figures(result.Metrics);
        return result.Report with
        {
            Metrics = [.. result.Report.Metrics.Where(metric => figures.Contains(metric.Name))],
            Confusion = plan.Config.Metrics?.Contains("confusion_matrix") is false ? null : result.Report.Confusion,
        };
    }

    private async Task<EvaluationReport> GenerateAsync(IChatClient client, CancellationToken cancellationToken)
    {
        EvaluatorOptions options = plan.ToOptions([], isConversation);
        CheckSettings(options);
        options = options with { Intervals = plan.Config.Aggregator ? options.Intervals?.Where(name => name != EvaluationPlan.Perplexity).ToArray() : [] };
        var metrics = new TextGenerationMetricOptions { Metrics = plan.TextMetrics, Stemmer = plan.Config.Stemmer, Smoothing = plan.Config.Smoothing };
        var evaluator = new TextGenerationEvaluator(client, options, metrics);
        DateTimeOffset start = _time.GetUtcNow();
        TextGenerationEvaluation result = await WithProgressAsync(progress =>
            evaluator.EvaluateAsync("", items.ToAsyncEnumerable(), progress: progress, cancellationToken: cancellationToken));
        if (folder is not null)
        {
            await PredictionFile.WriteAsync(folder, result, cancellationToken);
            await PredictionFile.WritePerformanceAsync(folder, result.Items, plan.BatchSize, start, _time.GetUtcNow(), cancellationToken);
        }

        return plan.Config.Aggregator ? result.Report : result.Report with
        {
            Metrics = [],
            Notes = [.. result.Report.Notes, "The figures are not aggregated: those of each text are in predictions.jsonl."],
        };
    }

    private async Task<EvaluationReport> CallAsync(IChatClient client, CancellationToken cancellationToken)
    {
        EvaluatorOptions options = plan.ToOptions([], isConversation);
        CheckSettings(options);
        var evaluator = new ToolCallingEvaluator(client, options);
        DateTimeOffset start = _time.GetUtcNow();
        ToolCallingEvaluation result = await WithProgressAsync(progress =>
            evaluator.EvaluateAsync("", items.ToAsyncEnumerable(), progress: progress, cancellationToken: cancellationToken));
        if (folder is not null)
        {
            await PredictionFile.WriteAsync(folder, result, cancellationToken);
            await PredictionFile.WritePerformanceAsync(folder, result.Items, plan.BatchSize, start, _time.GetUtcNow(), cancellationToken);
        }

        return result.Report;
    }

    private async Task<EvaluationReport> MeasurePerplexityAsync(IChatClient client, CancellationToken cancellationToken)
    {
        PerplexityResult result = plan.Task == EvaluationTask.TextGeneration
            ? await new PerplexityScorer(model).EvaluateAsync(items.Select(item => item.Input).ToAsyncEnumerable(), cancellationToken: cancellationToken)
            : await WithProgressAsync(progress => new AnswerPerplexityEvaluator(client, plan.ToOptions([], isConversation) with { ChatOptions = null })
                .EvaluateAsync(items.ToAsyncEnumerable(), progress, cancellationToken));
        if (result.Texts.Count == 0)
        {
            throw new InvalidDataException("perplexity: there is no text that it could be measured of.");
        }

        EvaluationReport report = EvaluationReport.Of("", result);
        bool hasInterval = plan.Config.EnableMetricConfidence is not false && plan.Config.ConfidenceMetrics?.Contains(EvaluationPlan.Perplexity) is not false;
        return hasInterval ? report : report with { Metrics = [.. report.Metrics.Select(metric => metric with { Interval = null })] };
    }

    /// <summary>Settings that the model refuses are an error of the call, not of each item.</summary>
    private void CheckSettings(EvaluatorOptions options)
    {
        if (options.ChatOptions is not null)
        {
            try
            {
                model.Explain([new(ChatRole.User, "-")], options.ChatOptions);
            }
            catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
            {
                throw new UsageException($"generator_config: {CommandLine.Describe(exception)}");
            }
        }

        if (!options.PromptTemplate.Contains(EvaluatorOptions.InputPlace, StringComparison.Ordinal))
        {
            throw new UsageException($"--prompt-template: it must hold {EvaluatorOptions.InputPlace}.");
        }
    }

    private async Task<T> WithProgressAsync<T>(Func<IProgress<EvaluationProgress>, Task<T>> work)
    {
        var line = new EvaluationProgressLine(terminal, items.Count);
        try
        {
            return await work(line);
        }
        finally
        {
            line.Clear();
        }
    }
}
