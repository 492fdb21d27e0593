using System.Text;

namespace Llama2.Evaluation;

/// <summary>Writes a report as Markdown. Text from outside is escaped; longer text goes into fences that it cannot close.</summary>
internal static class MarkdownReport
{
    private const int MostSparks = 60;
    private const string Sparks = "▁▂▃▄▅▆▇█";

    public static string Write(EvaluationReport report)
    {
        var text = new StringBuilder();
        text.Append("# ").Append(Escape(report.Title)).Append("\n\n");
        foreach ((string name, string value) in HtmlReport.Facts(report))
        {
            text.Append("- ").Append(name).Append(": ").Append(Escape(value)).Append('\n');
        }

        AppendMetrics(text, report.Metrics);
        AppendClasses(text, report.Classes);
        if (report.Confusion is { } confusion)
        {
            AppendConfusion(text, confusion);
        }

        foreach (ReportCurve curve in report.Curves)
        {
            AppendCurve(text, curve);
        }

        foreach (ReportHistogram histogram in report.Histograms)
        {
            AppendHistogram(text, histogram);
        }

        AppendExamples(text, report.Examples);
        if (report.Settings.Count > 0)
        {
            Table(text, "Settings", ["Setting", "Value"], [.. report.Settings.Select(setting => (string[])[Escape(setting.Key), Escape(setting.Value)])]);
        }

        if (report.Notes.Count > 0)
        {
            text.Append("\n## Notes\n\n");
            foreach (string note in report.Notes)
            {
                text.Append("- ").Append(Escape(note)).Append('\n');
            }
        }

        return text.ToString();
    }

    /// <summary>A text on one line, as the letters that it is made of.</summary>
    internal static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value is '\n' or '\t')
            {
                escaped.Append(' ');
            }
            else if (rune.Value is '<' or '>' or '&')
            {
                escaped.Append(rune.Value switch { '<' => "&lt;", '>' => "&gt;", _ => "&amp;" });
            }
            else if (!Rune.IsControl(rune))
            {
                escaped.Append(rune.Value is '\\' or '`' or '*' or '_' or '{' or '}' or '[' or ']' or '#' or '+' or '!' or '|' or '~' or '@' ? "\\" : "").Append(rune);
            }
        }

        return escaped.ToString();
    }

    private static void AppendMetrics(StringBuilder text, IReadOnlyList<ReportMetric> metrics)
    {
        if (metrics.Count > 0)
        {
            bool hasIntervals = metrics.Any(metric => metric.Interval is not null);
            string[] columns = hasIntervals ? ["Metric", "Value", "Interval", ""] : ["Metric", "Value", ""];
            Table(text, "Metrics", columns, [.. metrics.Select(Row)]);

            string[] Row(ReportMetric metric)
            {
                string name = Escape(metric.Name), value = ReportNumber.Figure(metric.Value), description = Escape(metric.Description ?? "");
                string interval = metric.Interval is { } known ? ReportNumber.Interval(known) : "";
                return hasIntervals ? [name, value, interval, description] : [name, value, description];
            }
        }
    }

    private static void AppendClasses(StringBuilder text, IReadOnlyList<ClassMetrics> classes)
    {
        if (classes.Count > 0)
        {
            Table(text, "Classes", ["Class", "Precision", "Recall", "F1", "Items"], [.. classes.Select(item => (string[])
            [
                Escape(item.Name), ReportNumber.Figure(item.Precision), ReportNumber.Figure(item.Recall), ReportNumber.Figure(item.F1),
                ReportNumber.Count(item.Support),
            ])]);
        }
    }

    private static void AppendConfusion(StringBuilder text, ReportConfusion confusion)
    {
        bool hasOther = confusion.Unrecognised.Any(count => count > 0);
        string[] columns = ["Actual ↓ predicted →", .. confusion.Classes.Select(Escape), .. hasOther ? [HtmlReport.OtherColumn] : Array.Empty<string>()];
        Table(text, "Confusion matrix", columns, [.. confusion.Classes.Select((name, i) => (string[])
        [
            Escape(name), .. confusion.Counts[i].Select((count, j) => i == j ? $"**{ReportNumber.Count(count)}**" : ReportNumber.Count(count)),
            .. hasOther ? [ReportNumber.Count(confusion.Unrecognised[i])] : Array.Empty<string>(),
        ])]);
    }

    private static void AppendCurve(StringBuilder text, ReportCurve curve)
    {
        IEnumerable<ReportSeries> lines = curve.Series.Where(series => series.Points.Count > 0);
        Table(text, Escape(curve.Title), [Escape(curve.YLabel), "First", "Least", "Last", ""], [.. lines.Select(series => (string[])
        [
            Escape(series.Name), ReportNumber.Figure(series.Points[0].Y), ReportNumber.Figure(series.Points.Min(point => point.Y)),
            ReportNumber.Figure(series.Points[^1].Y), Sparkline(series.Points),
        ])]);
    }

    private static string Sparkline(IReadOnlyList<ReportPoint> points)
    {
        int size = (points.Count + MostSparks - 1) / MostSparks;
        double[] values = [.. points.Chunk(size).Select(chunk => chunk.Average(point => point.Y)).Where(double.IsFinite)];
        if (values.Length == 0)
        {
            return "";
        }

        double low = values.Min(), range = values.Max() - low;
        return string.Concat(values.Select(value => Sparks[range > 0 ? (int)Math.Min(Sparks.Length - 1, (value - low) / range * Sparks.Length) : 0]));
    }

    private static void AppendHistogram(StringBuilder text, ReportHistogram histogram)
    {
        long most = Math.Max(1, histogram.Counts.Count > 0 ? histogram.Counts.Max() : 1);
        double step = histogram.Edges.Count > 1 ? histogram.Edges[1] - histogram.Edges[0] : 1;
        Table(text, Escape(histogram.Title), [Escape(histogram.Label), "Items", ""], [.. histogram.Counts.Select((count, i) => (string[])
        [
            $"{ReportNumber.Tick(histogram.Edges[i], step)} – {ReportNumber.Tick(histogram.Edges[i + 1], step)}", ReportNumber.Count(count),
            new string('█', (int)Math.Ceiling(20.0 * count / most)),
        ])]);
    }

    private static void AppendExamples(StringBuilder text, IReadOnlyList<ReportExample> examples)
    {
        if (examples.Count == 0)
        {
            return;
        }

        text.Append("\n## Examples\n");
        for (int i = 0; i < examples.Count; i++)
        {
            ReportExample example = examples[i];
            text.Append("\n### ").Append(ReportNumber.Count(i + 1)).Append(example.Verdict is { } verdict ? " — " + Escape(verdict) : "").Append('\n');
            Fence("Input", example.Input);
            Fence("Reference", example.Reference);
            Fence("Prediction", example.Prediction ?? "(failed)");
            if (example.Metrics.Count > 0)
            {
                IEnumerable<string> figures = example.Metrics.Select(metric => $"{Escape(metric.Name)} {ReportNumber.Figure(metric.Value)}");
                text.Append('\n').AppendJoin(" · ", figures).Append('\n');
            }
        }

        void Fence(string title, string? content)
        {
            if (content is not null)
            {
                string fence = new('`', Math.Max(3, LongestRun(content) + 1));
                string lines = content.ReplaceLineEndings("\n").TrimEnd('\n');
                text.Append('\n').Append(title).Append(":\n\n").Append(fence).Append("text\n").Append(lines).Append('\n').Append(fence).Append('\n');
            }
        }
    }

    private static int LongestRun(string text)
    {
        int longest = 0, run = 0;
        foreach (char c in text)
        {
            run = c == '`' ? run + 1 : 0;
            longest = Math.Max(longest, run);
        }

        return longest;
    }

    private static void Table(StringBuilder text, string title, string[] columns, string[][] rows)
    {
        text.Append("\n## ").Append(title).Append("\n\n| ").AppendJoin(" | ", columns).Append(" |\n|");
        for (int i = 0; i < columns.Length; i++)
        {
            bool isText = i == 0 || rows.All(row => row[i].Length == 0 || !(char.IsAsciiDigit(row[i][0]) || row[i][0] is '-' or '*' or '–'));
            text.Append(isText ? "---|" : "---:|");
        }

        text.Append('\n');
        foreach (string[] row in rows)
        {
            text.Append("| ").AppendJoin(" | ", row).Append(" |\n");
        }
    }
}
