using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Unicode;

namespace Llama2.Evaluation;

/// <summary>What an evaluation found, to be read by people and programs.</summary>
/// <remarks>
/// Immutable and thread-safe if its lists are. All text in it counts as untrusted: it is escaped in every format. Files are written beside their
/// targets and then renamed.
/// </remarks>
/// <example>
/// <code>
/// EvaluationReport report = EvaluationReport.Of("Emotions", metrics) with { Model = "demo", Task = "text-classification" };
/// await report.SaveAsync("evaluation");     // report.json, report.md, report.html
/// </code>
/// </example>
public sealed record EvaluationReport
{
    /// <summary>Gets the title.</summary>
    public required string Title { get; init; }

    /// <summary>Gets the name of the model.</summary>
    public string? Model { get; init; }

    /// <summary>Gets the name of the task, for example <c>text-classification</c>.</summary>
    public string? Task { get; init; }

    /// <summary>Gets the name of the data.</summary>
    public string? Dataset { get; init; }

    /// <summary>Gets when the evaluation ended.</summary>
    public DateTimeOffset? Created { get; init; }

    /// <summary>Gets the number of items.</summary>
    public long? Items { get; init; }

    /// <summary>Gets the figures, the most important first.</summary>
    public IReadOnlyList<ReportMetric> Metrics { get; init; } = [];

    /// <summary>Gets the figures of each class.</summary>
    public IReadOnlyList<ClassMetrics> Classes { get; init; } = [];

    /// <summary>Gets the confusion matrix.</summary>
    public ReportConfusion? Confusion { get; init; }

    /// <summary>Gets charts of lines.</summary>
    public IReadOnlyList<ReportCurve> Curves { get; init; } = [];

    /// <summary>Gets histograms.</summary>
    public IReadOnlyList<ReportHistogram> Histograms { get; init; } = [];

    /// <summary>Gets some of the items.</summary>
    public IReadOnlyList<ReportExample> Examples { get; init; } = [];

    /// <summary>Gets the settings that the evaluation ran with.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Gets sentences that a reader should know, such as limits.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Makes a report of a classification: figures by the contract's names, classes and confusion matrix.</summary>
    /// <param name="title">The title.</param>
    /// <param name="metrics">What was measured.</param>
    /// <param name="intervals">Intervals by the names of the figures, or <see langword="null"/>.</param>
    public static EvaluationReport Of(string title, ClassificationMetrics metrics, IReadOnlyDictionary<string, ConfidenceInterval>? intervals = null)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        return new()
        {
            Title = title,
            Items = metrics.Confusion.Total,
            Metrics =
            [
                .. from figure in metrics.ToDictionary()
                   orderby MetricNames.RankOf(figure.Key)
                   select MetricNames.Describe(figure.Key, figure.Value, intervals),
            ],
            Classes = metrics.Classes,
            Confusion = ReportConfusion.Of(metrics.Confusion),
        };
    }

    /// <summary>Makes a report of perplexity, with a histogram over the texts.</summary>
    /// <param name="title">The title.</param>
    /// <param name="result">What was measured, of one text or more.</param>
    /// <param name="bootstrap">How to estimate the interval, or <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no text, or an option is out of range.</exception>
    public static EvaluationReport Of(string title, PerplexityResult result, BootstrapOptions? bootstrap = null)
    {
        ArgumentNullException.ThrowIfNull(result);
        var intervals = new Dictionary<string, ConfidenceInterval> { ["perplexity"] = result.Interval(bootstrap) };
        return new()
        {
            Title = title,
            Items = result.Texts.Count,
            Metrics =
            [
                MetricNames.Describe("perplexity", result.Perplexity, intervals),
                MetricNames.Describe("mean_perplexity", result.MeanPerplexity),
                MetricNames.Describe("bits_per_byte", result.Total.BitsPerByte),
            ],
            Histograms = [ReportHistogram.Of("Loss of single texts", "nats per token", [.. result.Texts.Select(text => text.MeanNegativeLogLikelihood)])],
        };
    }

    /// <summary>Writes JSON: one object, names in snake case, UTF-8.</summary>
    /// <param name="stream">Where to; stays open.</param>
    public void WriteJson(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        JsonSerializer.Serialize(stream, this, ReportJson.Readable.EvaluationReport);
    }

    /// <summary>Reads what <see cref="WriteJson"/> wrote.</summary>
    /// <param name="stream">Where from; stays open.</param>
    /// <exception cref="JsonException">It is no such report.</exception>
    public static EvaluationReport ReadJson(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return JsonSerializer.Deserialize(stream, ReportJson.Readable.EvaluationReport) ?? throw new JsonException("The report is null.");
    }

    /// <summary>Writes Markdown, for a model card or a pull request.</summary>
    public string ToMarkdown() => MarkdownReport.Write(this);

    /// <summary>Writes a page that needs nothing else: no script, no other file, charts as SVG, for phone and desk, light and dark.</summary>
    public string ToHtml() => HtmlReport.Write(this);

    /// <summary>Writes <c>report.json</c>, <c>report.md</c> and <c>report.html</c>.</summary>
    /// <param name="folder">Where to; made where it is missing. Earlier reports there are replaced.</param>
    /// <param name="cancellationToken">Seen between the files.</param>
    /// <exception cref="IOException">The folder or a file cannot be written.</exception>
    public async Task SaveAsync(string folder, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        using var json = new MemoryStream();
        WriteJson(json);
        Directory.CreateDirectory(folder);
        await ReplaceAsync("report.json", json.ToArray()).ConfigureAwait(false);
        await ReplaceAsync("report.md", Encoding.UTF8.GetBytes(ToMarkdown())).ConfigureAwait(false);
        await ReplaceAsync("report.html", Encoding.UTF8.GetBytes(ToHtml())).ConfigureAwait(false);

        async Task ReplaceAsync(string name, byte[] content)
        {
            string target = Path.Combine(folder, name), beside = target + ".tmp";
            await File.WriteAllBytesAsync(beside, content, cancellationToken).ConfigureAwait(false);
            File.Move(beside, target, overwrite: true);
        }
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    WriteIndented = true)]
[JsonSerializable(typeof(EvaluationReport))]
internal sealed partial class ReportJson : JsonSerializerContext
{
    /// <summary>Leaves letters of all scripts as they are; what HTML treats specially stays escaped.</summary>
    public static ReportJson Readable => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.Create(UnicodeRanges.All) });
}
