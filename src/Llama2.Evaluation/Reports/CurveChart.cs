using System.Text;

namespace Llama2.Evaluation;

/// <summary>Draws lines, such as the loss over the steps.</summary>
internal static class CurveChart
{
    private const int MostPoints = (int)ChartAxes.Width;     // one for each pixel of a phone
    private const int Colours = 6;

    // The light colours of a report's page; a file of its own has no page to take them from.
    private static readonly string[] _colours = ["#2457c5", "#c2410c", "#0f766e", "#9333ea", "#a16207", "#be185d"];

    public static void Write(MarkupWriter page, ReportCurve curve)
    {
        (ReportSeries[] series, ChartAxes axes) = Frame(curve);
        axes.Begin(page, curve.Title, curve.XLabel, curve.YLabel);
        DrawLines(page, series, axes);
        page.End();
        page.Begin("ul", ("class", "key"));
        for (int i = 0; i < series.Length; i++)
        {
            string last = curve.Series[i].Points.Count > 0 ? $": {ReportNumber.Figure(curve.Series[i].Points[^1].Y)} at the end" : "";
            page.Begin("li").Element("i", "", ("class", $"c{i % Colours}")).Element("bdi", series[i].Name).Text(last).End();
        }

        page.End();
    }

    /// <summary>The chart as a file: the lines are named in the picture.</summary>
    public static string WriteFile(ReportCurve curve)
    {
        const double line = 15;
        (ReportSeries[] series, ChartAxes axes) = Frame(curve);
        var file = new MarkupWriter();
        double height = ChartAxes.Height + (line * series.Length) + 6;
        file.Begin(
            "svg", ("xmlns", "http://www.w3.org/2000/svg"), ("viewBox", $"0 0 {ReportNumber.At(ChartAxes.Width)} {ReportNumber.At(height)}"),
            ("width", 2 * ChartAxes.Width), ("height", 2 * height));
        file.Element("style", $$"""
            text{font:11px sans-serif;fill:#1b2430}.soft{fill:#5b6878}.rule{stroke:#dfe4ea}.curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
            {{string.Concat(_colours.Select((colour, i) => $".c{i}{{stroke:{colour}}}"))}}
            """);
        file.Element("rect", "", ("width", "100%"), ("height", "100%"), ("fill", "#fff"));
        axes.Begin(file, curve.Title, curve.XLabel, curve.YLabel, isPart: true);
        DrawLines(file, series, axes);
        file.End();
        for (int i = 0; i < series.Length; i++)
        {
            double y = ChartAxes.Height + (line * i) + 8;
            file.Element("path", "", ("class", $"curve c{i % Colours}"), ("d", $"M12 {ReportNumber.At(y)}h16"));
            file.Element("text", series[i].Name, ("x", 34), ("y", y + 4));
        }

        return file.End().ToString();
    }

    private static (ReportSeries[] Series, ChartAxes Axes) Frame(ReportCurve curve)
    {
        ReportSeries[] series = [.. curve.Series.Select(Thin)];
        ReportPoint[] points = [.. series.SelectMany(line => line.Points).Where(IsDrawn)];
        return (series, new ChartAxes(
            points.Length > 0 ? ChartAxes.Range(points.Min(point => point.X), points.Max(point => point.X)) : (0, 1),
            points.Length > 0 ? ChartAxes.Range(points.Min(point => point.Y), points.Max(point => point.Y)) : (0, 1)));
    }

    private static void DrawLines(MarkupWriter page, ReportSeries[] series, ChartAxes axes)
    {
        for (int i = 0; i < series.Length; i++)
        {
            page.Element("path", "", ("class", $"curve c{i % Colours}"), ("d", PathOf(series[i], axes)));
        }
    }

    /// <summary>Neighbours become their mean, so that a long training draws as fast as a short one.</summary>
    private static ReportSeries Thin(ReportSeries series)
    {
        int size = (series.Points.Count + MostPoints - 1) / MostPoints;
        return size <= 1
            ? series
            : series with { Points = [.. series.Points.Chunk(size).Select(Mean)] };

        static ReportPoint Mean(ReportPoint[] points) => new(points.Average(point => point.X), points.Average(point => point.Y));
    }

    private static string PathOf(ReportSeries series, ChartAxes axes)
    {
        var path = new StringBuilder();
        bool isDown = false;
        foreach (ReportPoint point in series.Points)
        {
            if (IsDrawn(point))
            {
                // A line to itself makes a lone point visible, as a round dot.
                string place = $"{ReportNumber.At(axes.X(point.X))} {ReportNumber.At(axes.Y(point.Y))}";
                path.Append(isDown ? "L" : "M").Append(place).Append(isDown ? "" : "L" + place);
            }

            isDown = IsDrawn(point);
        }

        return path.ToString();
    }

    private static bool IsDrawn(ReportPoint point) => double.IsFinite(point.X) && double.IsFinite(point.Y);
}
