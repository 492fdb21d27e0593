using System.Text.Json;

namespace Llama2.Evaluation;

/// <summary>What an evaluation should compute: the <c>eval-config.json</c> of Azure ML's model evaluation.</summary>
/// <remarks>A key that is not known or cannot be honoured is refused by name; none is passed over. Immutable and thread-safe.</remarks>
public sealed record EvaluationConfig
{
    private const int MostNames = 10_000;

    /// <summary>Gets the names of the metrics (<c>metrics</c>); <see langword="null"/> for those of the task.</summary>
    public IReadOnlyList<string>? Metrics { get; init; }

    /// <summary>Gets a value indicating whether figures are of all texts together (<c>aggregator</c>), or else of each alone.</summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool Aggregator { get; init; } = true;

    /// <summary>Gets a value indicating whether ROUGE stems words (<c>stemmer</c>).</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool Stemmer { get; init; }

    /// <summary>Gets a value indicating whether BLEU is smoothed (<c>smoothing</c>).</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool Smoothing { get; init; }

    /// <summary>Gets the classes (<c>class_labels</c>); <see langword="null"/> for those that occur.</summary>
    public IReadOnlyList<string>? ClassLabels { get; init; }

    /// <summary>Gets the classes that the model was trained with (<c>train_labels</c>); <see langword="null"/> for the same.</summary>
    public IReadOnlyList<string>? TrainLabels { get; init; }

    /// <summary>Gets a value indicating whether figures of the positive class alone are wanted (<c>use_binary</c>).</summary>
    public bool UseBinary { get; init; }

    /// <summary>Gets a value indicating whether intervals are estimated (<c>enable_metric_confidence</c>); <see langword="null"/> where it is not said.</summary>
    public bool? EnableMetricConfidence { get; init; }

    /// <summary>Gets the metrics whose intervals are estimated (<c>confidence_metrics</c>); <see langword="null"/> for all.</summary>
    public IReadOnlyList<string>? ConfidenceMetrics { get; init; }

    /// <summary>Gets the settings of generation (<c>generator_config</c>), an object for whoever runs the model.</summary>
    public JsonElement? GeneratorConfig { get; init; }

    /// <summary>Reads a configuration.</summary>
    /// <param name="json">One JSON object.</param>
    /// <exception cref="JsonException">It is not JSON, or a value has the wrong type.</exception>
    /// <exception cref="NotSupportedException">A key is not known, or asks for what there is not.</exception>
    public static EvaluationConfig Parse(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        using JsonDocument document = JsonDocument.Parse(json);
        if (document.RootElement.ValueKind is not JsonValueKind.Object)
        {
            throw new JsonException($"The evaluation's configuration is {Kind(document.RootElement)}; it must be an object.");
        }

        var config = new EvaluationConfig();
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
        {
            config = property.Name switch
            {
                "metrics" => config with { Metrics = Names(property) },
                "aggregator" => config with { Aggregator = Switch(property) },
                "stemmer" => config with { Stemmer = Switch(property) },
                "smoothing" => config with { Smoothing = Switch(property) },
                "class_labels" => config with { ClassLabels = Names(property) },
                "train_labels" => config with { TrainLabels = Names(property) },
                "use_binary" => config with { UseBinary = Switch(property) },
                "enable_metric_confidence" => config with { EnableMetricConfidence = Switch(property) },
                "confidence_metrics" => config with { ConfidenceMetrics = Names(property) },
                "generator_config" when property.Value.ValueKind is JsonValueKind.Object => config with { GeneratorConfig = property.Value.Clone() },
                "generator_config" => throw Wrong(property, "an object"),
                "multilabel" when !Switch(property) => config,
                "multilabel" => throw new NotSupportedException("multilabel: an item has one class; items with several are not supported."),
                _ => throw new NotSupportedException($"The evaluation's configuration has '{property.Name}', which is not supported."),
            };
        }

        return config;
    }

    /// <summary>Gets what a <see cref="TextGenerationAccumulator"/> needs of it.</summary>
    public TextGenerationMetricOptions ToTextGenerationOptions()
    {
        var options = new TextGenerationMetricOptions { Stemmer = Stemmer, Smoothing = Smoothing };
        return Metrics is null ? options : options with { Metrics = Metrics };
    }

    /// <summary>Picks the figures that were asked for.</summary>
    /// <param name="metrics">What was measured.</param>
    /// <exception cref="NotSupportedException">A metric is not known.</exception>
    /// <returns>The figures by name; those that are not defined, or are no figures (<c>confusion_matrix</c>, <c>accuracy_table</c>), are left out.</returns>
    public IReadOnlyDictionary<string, double> Select(ClassificationMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        IReadOnlyDictionary<string, double> figures = metrics.ToDictionary();
        string? unknown = Metrics?.FirstOrDefault(name => !ClassificationMetrics.Names.Contains(name));
        if (unknown is not null)
        {
            throw new NotSupportedException($"Metric '{unknown}' is unknown; known are {string.Join(", ", ClassificationMetrics.Names)}.");
        }

        IEnumerable<string> wanted = (Metrics ?? ClassificationMetrics.Names).Distinct().Where(figures.ContainsKey);
        return wanted.ToDictionary(name => name, name => figures[name], StringComparer.Ordinal);
    }

    private static bool Switch(JsonProperty property) => property.Value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(property, "true or false"),
    };

    private static string[] Names(JsonProperty property)
    {
        if (property.Value.ValueKind is not JsonValueKind.Array || property.Value.GetArrayLength() > MostNames)
        {
            throw Wrong(property, $"a list of at most {MostNames} strings");
        }

        return [.. property.Value.EnumerateArray().Select(item => item.ValueKind is JsonValueKind.String ? item.GetString()! : throw Wrong(property, "strings only"))];
    }

    private static JsonException Wrong(JsonProperty property, string expected) => new($"{property.Name} is {Kind(property.Value)}; it must be {expected}.");

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => $"a list of {value.GetArrayLength()}",
        JsonValueKind.Object => "an object",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };
}
