using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Llama2.Testing;

namespace Llama2.Evaluation.Tests;

public sealed partial class EvaluationReportTests
{
    private const string Hostile = "</pre><script>alert('x')</script> \"quoted\" & | `tick` ```` \ud800 \u0001 [a](javascript:b) _*";

    [Fact]
    public void ToHtml_Everything_IsWellFormedAndStandsAlone()
    {
        string html = Sample().ToHtml();

        XDocument page = Parse(html);
        Assert.Equal(4, page.Descendants("svg").Count());
        Assert.Equal("Emotions of sentences", page.Descendants("title").First().Value);
        Assert.Contains("width=device-width", html, StringComparison.Ordinal);
        Assert.Contains("prefers-color-scheme:dark", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotMatch(Outside(), html);
        Assert.Contains(page.Descendants("div"), element => element.Value == "0.7500 to 1.0000 (95\u00a0%)");
        Assert.Contains(page.Descendants("title"), element => element.Value == "joy → sadness: 2 (20\u00a0%)");
    }

    [Fact]
    public void ToHtml_HostileText_StaysText()
    {
        string html = HostileReport().ToHtml();

        XDocument page = Parse(html);
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain('\u0001', html);
        Assert.Equal(Hostile.Replace("\ud800", "\ufffd", StringComparison.Ordinal).Replace('\u0001', '\ufffd'), page.Descendants("h1").Single().Value);
        Assert.Equal(Outline(Parse(HostileReport("plain").ToHtml())), Outline(page));

        static IEnumerable<string> Outline(XDocument document) => document.Descendants().Select(element => element.Name.LocalName).Where(name => name != "wbr");
    }

    [Fact]
    public void ToMarkdown_HostileText_StaysText()
    {
        string markdown = HostileReport().ToMarkdown();

        Assert.DoesNotContain("<script", markdown.Split("\n## Examples\n")[0], StringComparison.Ordinal);
        Assert.Contains("\n`````text\n", markdown, StringComparison.Ordinal);
        Assert.Equal("\\`\\*\\_\\[\\](x)\\|&lt;b&gt;&amp; c\ufffd", MarkdownReport.Escape("`*_[](x)|<b>&\n\rc\ud800"));
        Assert.All(
            markdown.Split('\n').SkipWhile(line => !line.StartsWith("| Actual", StringComparison.Ordinal)).TakeWhile(line => line.StartsWith('|')),
            line => Assert.Equal(4, UnescapedBar().Count(line)));
    }

    [Fact]
    public void ToMarkdown_Everything_HasEveryPart()
    {
        string markdown = Sample().ToMarkdown();

        foreach (string part in new[]
        {
            "# Emotions of sentences\n", "- Model: demo\n", "- Items: 20\n", "- Date: 2026-11-23 03:00 UTC\n",
            "| accuracy | 0.8500 | 0.7500 to 1.0000 (95\u00a0%) | Share of items", "\n## Classes\n", "| joy | 1.0000 | 0.8000 | 0.8889 | 10 |",
            "\n## Confusion matrix\n", "**8**", "no class", "\n## Loss\n", "▁", "█", "\n## Examples\n", "### 1 — right\n", "## Settings", "## Notes",
        })
        {
            Assert.Contains(part, markdown, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Formats_OtherCulture_AreTheSame()
    {
        string html = Sample().ToHtml(), markdown = Sample().ToMarkdown();
        CultureInfo before = CultureInfo.CurrentCulture;
        var other = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        (other.NumberFormat.NumberDecimalSeparator, other.NumberFormat.NumberGroupSeparator, other.NumberFormat.NegativeSign) = (",", ".", "minus");
        try
        {
            CultureInfo.CurrentCulture = other;
            Assert.Equal(html, Sample().ToHtml());
            Assert.Equal(markdown, Sample().ToMarkdown());
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void ReadJson_WhatWasWritten_IsTheSameReport()
    {
        using var stream = new MemoryStream();
        Sample().WriteJson(stream);
        string json = Encoding.UTF8.GetString(stream.ToArray());
        stream.Position = 0;

        EvaluationReport read = EvaluationReport.ReadJson(stream);

        Assert.Equal(Sample().ToHtml(), read.ToHtml());
        using JsonDocument document = JsonDocument.Parse(json);
        Assert.Equal(0.85, document.RootElement.GetProperty("metrics")[0].GetProperty("value").GetDouble());
        Assert.Equal(8, document.RootElement.GetProperty("confusion").GetProperty("counts")[0][0].GetInt32());
    }

    [Fact]
    public void WriteJson_HostileText_IsReadBack()
    {
        using var stream = new MemoryStream();
        HostileReport().WriteJson(stream);
        stream.Position = 0;

        Assert.Equal(Hostile.Replace("\ud800", "\ufffd", StringComparison.Ordinal), EvaluationReport.ReadJson(stream).Title);
        Assert.DoesNotContain("<script", Encoding.UTF8.GetString(stream.ToArray()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{\"title\":")]
    public void ReadJson_NoReport_Throws(string json)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));

        Assert.ThrowsAny<JsonException>(() => EvaluationReport.ReadJson(stream));
    }

    [Fact]
    public async Task SaveAsync_Twice_ReplacesThreeFiles()
    {
        using var folder = new TemporaryFolder();
        string target = folder["new"];

        await new EvaluationReport { Title = "first" }.SaveAsync(target);
        await Sample().SaveAsync(target);

        Assert.Equal(["report.html", "report.json", "report.md"], Directory.GetFiles(target).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(Sample().ToHtml(), await File.ReadAllTextAsync(Path.Combine(target, "report.html")));
        Assert.Equal(Sample().ToMarkdown(), await File.ReadAllTextAsync(Path.Combine(target, "report.md")));
        await using FileStream json = File.OpenRead(Path.Combine(target, "report.json"));
        Assert.Equal("Emotions of sentences", EvaluationReport.ReadJson(json).Title);
    }

    [Fact]
    public void Formats_AlmostNothing_AreWellFormed()
    {
        var report = new EvaluationReport { Title = "" };

        Assert.Empty(Parse(report.ToHtml()).Descendants("section"));
        Assert.Equal("# \n\n", report.ToMarkdown());
    }

    public static TheoryData<double[]> OddValues => new()
    {
        Array.Empty<double>(),
        new[] { 1.0 },
        new[] { 0.0, 0, 0 },
        new[] { double.NaN, 1, double.PositiveInfinity, 2, double.NegativeInfinity },
        new[] { double.NaN },
        new[] { 1e300, -1e300 },
        new[] { 1.7e308, -1.7e308 },
        new[] { 1e-300, 2e-300 },
        new[] { 1e15, 1e15 + 1 },
        Enumerable.Range(0, 10_000).Select(i => 5.0 / (1 + i)).ToArray(),
    };

    [Theory]
    [MemberData(nameof(OddValues))]
    public void Charts_OddValues_AreDrawnWithFiniteCoordinates(double[] values)
    {
        var report = new EvaluationReport
        {
            Title = "odd",
            Curves = [new("curve", "x", "y", [new("line", [.. values.Select((value, i) => new ReportPoint(i, value))])]), new("no line", "x", "y", [])],
            Histograms = values.Any(value => Math.Abs(value) > 1e299) ? [] : [ReportHistogram.Of("histogram", "value", values, bins: 7)],
            Metrics = [.. values.Take(5).Select(value => new ReportMetric("m", value))],
        };

        string html = report.ToHtml();
        XDocument page = Parse(html);

        string[] numbers = ["x", "y", "x1", "x2", "y1", "y2", "width", "height", "d"];
        Assert.All(
            page.Descendants("svg").DescendantsAndSelf().Attributes().Where(attribute => numbers.Contains(attribute.Name.LocalName)),
            attribute => Assert.Matches(@"^(?:[ML]?-?\d+(\.\d+)? ?)*$", attribute.Value));
        Assert.True(html.Length < 60_000);
        Assert.Contains("curve", report.ToMarkdown(), StringComparison.Ordinal);
    }

    [Fact]
    public void Curve_ToSvg_IsAPictureOfItsOwn()
    {
        var curve = new ReportCurve("Loss", "steps", "nats", [new("a <b>", [new(0, 3), new(10, 1)]), new("held out", [new(0, 2)])]);

        XDocument picture = XDocument.Parse(curve.ToSvg());

        XNamespace svg = "http://www.w3.org/2000/svg";
        Assert.Equal(svg + "svg", picture.Root!.Name);
        Assert.Equal(4, picture.Descendants(svg + "path").Count());       // two lines, and what names them
        Assert.Equal("216", picture.Root.Element(svg + "svg")!.Attribute("height")!.Value);      // so that the names stand below it
        Assert.Contains("a <b>", picture.Descendants(svg + "text").Select(text => text.Value));
    }

    [Fact]
    public void Of_Perplexity_HasItsFigures()
    {
        TextLikelihood[] texts = [new(10, 20, 40), new(30, 90, 100)];

        EvaluationReport report = EvaluationReport.Of("Perplexity", new PerplexityResult(texts[0] + texts[1], texts));

        Assert.Equal(["perplexity", "mean_perplexity", "bits_per_byte"], report.Metrics.Select(metric => metric.Name));
        Assert.Equal(Math.Exp(110.0 / 40), report.Metrics[0].Value!.Value, 12);
        Assert.Equal(new ConfidenceInterval(Math.Exp(2), Math.Exp(3), 0.95), report.Metrics[0].Interval);
        Assert.Equal((Math.Exp(2) + Math.Exp(3)) / 2, report.Metrics[1].Value!.Value, 12);
        Assert.Equal(110 / Math.Log(2) / 140, report.Metrics[2].Value!.Value, 12);
        Assert.All(report.Metrics, metric => Assert.NotNull(metric.Description));
        Assert.Equal(2, report.Histograms[0].Counts.Sum());
    }

    [Fact]
    public void Histogram_Values_FallIntoTheirBins()
    {
        ReportHistogram histogram = ReportHistogram.Of("t", "l", [0, 0.24, 0.25, 0.5, 1, 2, -1, double.NaN], bins: 4, minimum: 0, maximum: 1);

        Assert.Equal([3L, 1, 1, 2], histogram.Counts);
        Assert.Equal([0, 0.25, 0.5, 0.75, 1], histogram.Edges);
        Assert.Equal(2.99 / 7, histogram.Mean!.Value, 12);
        Assert.Throws<ArgumentOutOfRangeException>(() => ReportHistogram.Of("t", "l", [], bins: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ReportHistogram.Of("t", "l", [], minimum: 1, maximum: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ReportHistogram.Of("t", "l", [1e308, -1e308]));
    }

    [Fact]
    public void ConfusionChart_ManyClasses_KeepsItsSizeAndScrolls()
    {
        string[] names = [.. Enumerable.Range(0, 30).Select(i => $"a rather long class name {i}")];
        ClassificationMetrics metrics = ClassificationMetrics.Compute(names, [.. names.Reverse()]);

        XDocument page = Parse(EvaluationReport.Of("many", metrics).ToHtml());

        XElement chart = page.Descendants("svg").Single();
        Assert.Equal("fixed", chart.Attribute("class")!.Value);
        Assert.Equal("scroll", chart.Parent!.Attribute("class")!.Value);
        Assert.Contains(chart.Descendants("text"), text => text.Nodes().OfType<XText>().First().Value == "a rather long…");
    }

    [Fact]
    public void ConfusionChart_LargeCounts_AreShortened()
    {
        var report = new EvaluationReport { Title = "large", Confusion = new(["a", "b"], [[9999, 25_000], [12_000_000, 0]], [0, 0]) };

        Assert.Equal(["9999", "25k", "12M"], Parse(report.ToHtml()).Descendants("text").Where(text => text.Attribute("text-anchor")?.Value == "middle").Select(text => text.Value));
    }

    [Theory]
    [InlineData(0.12345, "0.1235")]
    [InlineData(-12.5, "-12.5000")]
    [InlineData(123.456, "123.5")]
    [InlineData(12345.6, "12,346")]
    [InlineData(1.5e9, "1.5e9")]
    [InlineData(double.NaN, "–")]
    [InlineData(double.PositiveInfinity, "∞")]
    [InlineData(double.NegativeInfinity, "−∞")]
    [InlineData(null, "–")]
    public void Figure_Number_IsShort(double? value, string expected) => Assert.Equal(expected, ReportNumber.Figure(value));

    private static XDocument Parse(string html)
    {
        // The page is XML but for its first line and the elements that HTML never closes.
        string xml = VoidElement().Replace(html.Replace("<!DOCTYPE html>", "", StringComparison.Ordinal), "$1/>");
        return XDocument.Parse(xml);
    }

    private static EvaluationReport Sample()
    {
        var emotions = new ClassificationAccumulator(["joy", "sadness"]);
        for (int i = 0; i < 20; i++)
        {
            emotions.Add(i < 10 ? "joy" : "sadness", i is 3 or 7 ? "sadness" : i == 15 ? "?" : i < 10 ? "joy" : "sadness");
        }

        ConfidenceInterval interval = new(0.75, 1, 0.95);
        return EvaluationReport.Of("Emotions of sentences", emotions.Compute(), new Dictionary<string, ConfidenceInterval> { ["accuracy"] = interval }) with
        {
            Model = "demo",
            Task = "text-classification",
            Dataset = "held-out sentences",
            Created = new DateTimeOffset(2026, 11, 23, 4, 0, 0, TimeSpan.FromHours(1)),
            Curves = [new("Loss", "step", "nats", [new("training", [.. Enumerable.Range(1, 50).Select(i => new ReportPoint(i * 10, 3.0 / i))])])],
            Histograms = [ReportHistogram.Of("Scores", "rougeL", [0.1, 0.5, 0.5, 0.9], 10, 0, 1), ReportHistogram.Of("Lengths", "words", [3, 4, 4, 12], 4)],
            Examples = [new("How lovely!", "joy", "joy") { Verdict = "right", Metrics = [new("rougeL", 1)] }, new(null, "sadness", null)],
            Settings = new Dictionary<string, string> { ["temperature"] = "0" },
            Notes = ["The test set is small."],
        };
    }

    private static EvaluationReport HostileReport(string text = Hostile)
    {
        var confusion = new ConfusionMatrix([text, "b"]);
        confusion.Add(text, "b");
        return new()
        {
            Title = text,
            Model = text,
            Task = text,
            Dataset = text,
            Metrics = [new(text, 1) { Description = text }],
            Classes = [new(text, 1, 1, 1)],
            Confusion = ReportConfusion.Of(confusion),
            Curves = [new(text, text, text, [new(text, [new(0, 1), new(1, 2)])])],
            Histograms = [ReportHistogram.Of(text, text, [1, 2])],
            Examples = [new(text, text, text) { Verdict = text, Metrics = [new(text, 1)] }],
            Settings = new Dictionary<string, string> { [text] = text },
            Notes = [text],
        };
    }

    [GeneratedRegex(@"(<(?:meta|wbr)\b[^>]*)>")]
    private static partial Regex VoidElement();

    [GeneratedRegex("(?:src|href)\\s*=|url\\(|@import|https?:", RegexOptions.IgnoreCase)]
    private static partial Regex Outside();

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex UnescapedBar();
}
