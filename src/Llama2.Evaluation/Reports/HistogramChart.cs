namespace Llama2.Evaluation;

/// <summary>Draws how values are distributed.</summary>
internal static class HistogramChart
{
    public static void Write(MarkupWriter page, ReportHistogram histogram)
    {
        int bins = Math.Min(histogram.Counts.Count, histogram.Edges.Count - 1);
        long most = bins > 0 ? Math.Max(1, histogram.Counts.Max()) : 1;
        var axes = new ChartAxes(bins > 0 ? ChartAxes.Range(histogram.Edges[0], histogram.Edges[^1]) : (0, 1), (0, Math.Max(most, 5)));
        axes.Begin(page, histogram.Title, histogram.Label, "items");
        for (int i = 0; i < bins; i++)
        {
            double left = axes.X(histogram.Edges[i]), right = axes.X(histogram.Edges[i + 1]), top = axes.Y(histogram.Counts[i]);
            double gap = Math.Min(1, (right - left) / 8);
            string range = $"{ReportNumber.Figure(histogram.Edges[i])} to {ReportNumber.Figure(histogram.Edges[i + 1])}";
            page.Begin(
                "rect", ("class", "bar"), ("x", left + gap), ("y", top), ("width", Math.Max(0, right - left - (2 * gap))),
                ("height", axes.Y(0) - top)).Element("title", $"{range}: {ReportNumber.Count(histogram.Counts[i])}").End();
        }

        if (histogram.Mean is double mean && double.IsFinite(mean))
        {
            double x = Math.Clamp(axes.X(mean), 0, ChartAxes.Width);
            page.Element("line", "", ("class", "mean"), ("x1", x), ("x2", x), ("y1", "18"), ("y2", axes.Y(0)));
        }

        page.End();
        if (histogram.Mean is double known)
        {
            page.Element("p", $"The mean, {ReportNumber.Figure(known)}, is the dashed line.", ("class", "hint"));
        }
    }
}
