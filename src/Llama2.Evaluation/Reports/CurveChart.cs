using System.Text;

namespace Llama2.Evaluation;

/// <summary>Draws lines, such as the loss over the steps.</summary>
internal static class CurveChart
{
    private const int MostPoints = (int)ChartAxes.Width;     // one for each pixel of a phone
    private const int Colours = 6;

    public static void Write(MarkupWriter page, ReportCurve curve)
    {
        ReportSeries[] series = [.. curve.Series.Select(Thin)];
        ReportPoint[] points = [.. series.SelectMany(line => line.Points).Where(IsDrawn)];
        var axes = new ChartAxes(
            points.Length > 0 ? ChartAxes.Range(points.Min(point => point.X), points.Max(point => point.X)) : (0, 1),
            points.Length > 0 ? ChartAxes.Range(points.Min(point => point.Y), points.Max(point => point.Y)) : (0, 1));
        axes.Begin(page, curve.Title, curve.XLabel, curve.YLabel);
        for (int i = 0; i < series.Length; i++)
        {
            page.Element("path", "", ("class", $"curve c{i % Colours}"), ("d", PathOf(series[i], axes)));
        }

        page.End();
        page.Begin("ul", ("class", "key"));
        for (int i = 0; i < series.Length; i++)
        {
            string last = curve.Series[i].Points.Count > 0 ? $": {ReportNumber.Figure(curve.Series[i].Points[^1].Y)} at the end" : "";
            page.Begin("li").Element("i", "", ("class", $"c{i % Colours}")).Element("bdi", series[i].Name).Text(last).End();
        }

        page.End();
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
