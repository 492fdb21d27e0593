using System.Globalization;
using System.Text.Json;
using Llama2.Evaluation;
using Microsoft.Extensions.AI;

namespace Llama2.Cli;

/// <summary>What is to be evaluated and how; everything in it acts.</summary>
internal sealed record EvaluationPlan
{
    public const string Perplexity = "perplexity";

    private const int DefaultNewTokens = 256;                   // the contract's

    public required EvaluationTask Task { get; init; }

    public required EvaluationConfig Config { get; init; }

    public required string DataPath { get; init; }

    public required string? Input { get; init; }

    public required string? Label { get; init; }

    public required IReadOnlyList<string> Where { get; init; }

    public required int Limit { get; init; }

    public required int BatchSize { get; init; }

    public required string? PromptTemplate { get; init; }

    public required string? System { get; init; }

    public required ClassificationMethod Method { get; init; }

    public required bool CountFailures { get; init; }

    /// <summary>The settings of generation, the defaults of an evaluation filled in.</summary>
    public ChatOptions? ChatOptions { get; private init; }

    public bool ScoresLabels => Task == EvaluationTask.TextClassification && Method == ClassificationMethod.ScoreLabels;

    /// <summary>The metrics that compare the model's texts with the right ones.</summary>
    public IReadOnlyList<string> TextMetrics => [.. (Config.Metrics ?? EvaluationTasks.Metrics(Task)).Where(name => name != Perplexity).Distinct()];

    public bool MeasuresPerplexity => Config.Metrics?.Contains(Perplexity) is true;

    /// <summary>Whether rows need an answer: only bare texts have a perplexity of their own.</summary>
    public bool NeedsLabel => TextMetrics.Count > 0 || Task != EvaluationTask.TextGeneration;

    /// <summary>Checks that everything can act.</summary>
    /// <exception cref="UsageException">Something cannot.</exception>
    public EvaluationPlan Checked()
    {
        RefuseIf(Config.Metrics is { Count: 0 }, "metrics", "is empty");
        RefuseIf(Config.ConfidenceMetrics is not null && Config.EnableMetricConfidence is not true, "confidence_metrics", "needs enable_metric_confidence: true");
        if (Task == EvaluationTask.TextClassification)
        {
            CheckClassification();
        }
        else
        {
            CheckText();
        }

        return this;
    }

    /// <summary>Takes the options of the command line into the plan.</summary>
    /// <exception cref="UsageException">They cannot act.</exception>
    public EvaluationPlan With(GenerationOptions options)
    {
        if (ScoresLabels)
        {
            return options with { ContextOverflow = null } == new GenerationOptions()
                ? this with { ChatOptions = new() { RawRepresentationFactory = _ => options } }
                : throw new UsageException("Options of generation other than --context-overflow cannot act where labels are scored; --answers free generates.");
        }

        if (options != new GenerationOptions() && Config.GeneratorConfig is not null)
        {
            throw new UsageException("Options of generation and generator_config are both given; use one of them.");
        }

        var config = new AdditionalPropertiesDictionary();
        foreach (JsonProperty property in Config.GeneratorConfig?.EnumerateObject() ?? default)
        {
            config[property.Name] = property.Value;
        }

        // Figures should repeat, so nothing is drawn unless somebody says how to draw.
        bool draws = options is not { DoSample: null, Temperature: null, TopP: null, TopK: null, MinP: null, TypicalP: null, Seed: null }
            || config.Keys.Any(name => name is "do_sample" or "temperature" or "top_p" or "top_k" or "min_p" or "typical_p" or "seed");
        GenerationOptions raw = options with { DoSample = draws ? options.DoSample : false, MaxNewTokens = options.MaxNewTokens ?? DefaultNewTokens };
        return this with { ChatOptions = new() { RawRepresentationFactory = _ => raw, AdditionalProperties = config } };
    }

    /// <summary>The classes that the model chooses among.</summary>
    /// <param name="items">The items; their answers are the classes where nobody names any.</param>
    /// <exception cref="UsageException">The classes do not fit the configuration.</exception>
    public IReadOnlyList<string> Classes(IReadOnlyList<EvaluationItem> items)
    {
        IReadOnlyList<string> classes =
            Config.TrainLabels ?? Config.ClassLabels ?? [.. items.Select(item => item.Reference).Distinct().Order(StringComparer.Ordinal)];
        RefuseIf(Config.UseBinary && classes.Count != 2, "use_binary", $"needs two classes; there are {classes.Count}");
        return classes;
    }

    public EvaluatorOptions ToOptions(IReadOnlyList<string> classes, bool isConversation)
    {
        string template = PromptTemplate ?? (isConversation ? EvaluatorOptions.InputPlace : EvaluationTasks.PromptTemplate(Task));
        string labels = classes.Count > 1 ? $"{string.Join(", ", classes.SkipLast(1))} or {classes[^1]}" : string.Concat(classes);
        return new()
        {
            PromptTemplate = template.Replace("{labels}", labels, StringComparison.Ordinal),
            SystemPrompt = System,
            ChatOptions = ChatOptions,
            Concurrency = BatchSize,
            CountFailures = CountFailures,
            Intervals = Config.EnableMetricConfidence is false ? [] : Config.ConfidenceMetrics,
        };
    }

    /// <summary>The figures of a classification that were asked for.</summary>
    public IReadOnlySet<string> Figures(ClassificationMetrics metrics)
    {
        IEnumerable<string> names = Config.Select(metrics).Keys;
        return names.Where(name => !Config.UseBinary || !IsAverage(name)).ToHashSet();
    }

    /// <summary>What ran, for the report.</summary>
    public IReadOnlyDictionary<string, string> Settings(IReadOnlyDictionary<string, string> evaluators)
    {
        var settings = new Dictionary<string, string>(evaluators, StringComparer.Ordinal) { ["batch_size"] = BatchSize.ToString(CultureInfo.InvariantCulture) };
        if (Where.Count > 0)
        {
            settings["where"] = string.Join(", ", Where);
        }

        if (ChatOptions?.RawRepresentationFactory?.Invoke(null!) is GenerationOptions options && !ScoresLabels)
        {
            string[] set = [GenerationReport.Describe(options), Config.GeneratorConfig?.GetRawText() ?? ""];
            settings["generation"] = string.Join(", ", set.Where(text => text.Length > 0));
        }

        return settings;
    }

    private static bool IsAverage(string name) => name.EndsWith("_macro", StringComparison.Ordinal)
        || name.EndsWith("_micro", StringComparison.Ordinal) || name.EndsWith("_weighted", StringComparison.Ordinal);

    private static void RefuseIf(bool condition, string key, string why)
    {
        if (condition)
        {
            throw new UsageException($"{key} {why}.");
        }
    }

    private void CheckClassification()
    {
        RefuseIf(!Config.Aggregator, "aggregator", "cannot be false: a classification has no figures of single items");
        RefuseIf(Config.Stemmer, "stemmer", "has no effect on a classification");
        RefuseIf(Config.Smoothing, "smoothing", "has no effect on a classification");
        RefuseIf(Config.GeneratorConfig is not null && ScoresLabels, "generator_config", "has no effect where labels are scored; --answers free generates");
        foreach (string name in (Config.Metrics ?? []).Concat(Config.ConfidenceMetrics ?? []))
        {
            RefuseIf(!ClassificationMetrics.Names.Contains(name), $"'{name}'", $"is no metric of a classification; those are {string.Join(", ", ClassificationMetrics.Names)}");
            bool needsProbabilities = name is "log_loss" or "accuracy_table" || name.StartsWith("AUC", StringComparison.Ordinal) || name.StartsWith("average_precision", StringComparison.Ordinal);
            RefuseIf(needsProbabilities && !ScoresLabels, $"'{name}'", "needs probabilities, which --answers labels gives");
        }

        foreach (string name in Config.ConfidenceMetrics ?? [])
        {
            RefuseIf(name is "confusion_matrix" or "accuracy_table", $"confidence_metrics: '{name}'", "is no figure");
            RefuseIf(Config.Metrics?.Contains(name) is false, $"confidence_metrics: '{name}'", "is none of the metrics");
        }

        foreach (IReadOnlyList<string>? labels in new[] { Config.ClassLabels, Config.TrainLabels })
        {
            RefuseIf(labels is { Count: 0 } || labels?.Distinct().Count() < labels?.Count, "class_labels or train_labels", "is empty or names a class twice");
        }

        string? other = Config.TrainLabels is { } trained ? Config.ClassLabels?.Except(trained).FirstOrDefault() : null;
        RefuseIf(other is not null, $"class_labels: '{other}'", "is none of the train_labels, so that the model could not choose it");
    }

    private void CheckText()
    {
        string task = EvaluationTasks.NameOf(Task);
        RefuseIf(Config.ClassLabels is not null, "class_labels", $"has no effect on {task}");
        RefuseIf(Config.TrainLabels is not null, "train_labels", $"has no effect on {task}");
        RefuseIf(Config.UseBinary, "use_binary", $"has no effect on {task}");
        RefuseIf(Task == EvaluationTask.TextGeneration && System is not null, "--system", "has no place in text-generation, which goes on from a bare text");
        foreach (string name in Config.Metrics ?? [])
        {
            RefuseIf(
                name != Perplexity && !TextGenerationMetricOptions.AllMetrics.Contains(name),
                $"'{name}'",
                $"is no metric of {task}; those are {string.Join(", ", TextGenerationMetricOptions.AllMetrics)}");
        }

        foreach (string name in Config.ConfidenceMetrics ?? [])
        {
            RefuseIf(!TextMetrics.Contains(name) && !(name == Perplexity && MeasuresPerplexity), $"confidence_metrics: '{name}'", "is none of the metrics");
        }
    }
}
