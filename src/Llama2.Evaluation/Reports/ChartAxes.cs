namespace Llama2.Evaluation;

/// <summary>The frame of a chart: maps values to places, and draws rules and numbers.</summary>
internal sealed class ChartAxes
{
    public const double Width = 326;      // a unit is a pixel on a phone that is 390 pixels wide
    public const double Height = 216;
    private const double Top = 22;
    private const double Bottom = 38;
    private const double Right = 12;
    private const int WantedTicks = 5;
    private const double LetterWidth = 6.2;

    private readonly (double Low, double High) _x;
    private readonly (double Low, double High) _y;
    private readonly double _yStep;
    private readonly double _left;

    public ChartAxes((double Low, double High) x, (double Low, double High) y)
    {
        _yStep = NiceStep(y.High - y.Low);
        _y = (Math.Floor(y.Low / _yStep) * _yStep, Math.Ceiling(y.High / _yStep) * _yStep);
        _x = x;
        _left = 12 + (LetterWidth * Ticks(_y.Low, _y.High, _yStep).Max(tick => ReportNumber.Tick(tick, _yStep).Length));
    }

    public double X(double value) => _left + ((value - _x.Low) / (_x.High - _x.Low) * (Width - _left - Right));

    public double Y(double value) => Height - Bottom - ((value - _y.Low) / (_y.High - _y.Low) * (Height - Top - Bottom));

    /// <summary>Opens the drawing, which fills the width it is given; as a part of another drawing it has a size of its own.</summary>
    public void Begin(MarkupWriter page, string title, string xLabel, string yLabel, bool isPart = false)
    {
        ReadOnlySpan<(string, MarkupValue)> attributes =
            [("viewBox", $"0 0 {ReportNumber.At(Width)} {ReportNumber.At(Height)}"), ("role", "img"), ("aria-label", title), ("width", Width), ("height", Height)];
        page.Begin("svg", isPart ? attributes : attributes[..3]);
        page.Element("text", yLabel, ("class", "soft"), ("x", "4"), ("y", "11"));
        foreach (double tick in Ticks(_y.Low, _y.High, _yStep))
        {
            double y = Y(tick);
            page.Element("line", "", ("class", "rule"), ("x1", _left), ("x2", Width - Right), ("y1", y), ("y2", y));
            page.Element("text", ReportNumber.Tick(tick, _yStep), ("class", "soft"), ("x", _left - 6), ("y", y + 4), ("text-anchor", "end"));
        }

        double xStep = NiceStep(_x.High - _x.Low);
        foreach (double tick in Ticks(Math.Ceiling(_x.Low / xStep) * xStep, _x.High, xStep))
        {
            string label = ReportNumber.Tick(tick, xStep);
            double half = LetterWidth * label.Length / 2, x = Math.Min(X(tick), Width - half);
            page.Element("text", label, ("class", "soft"), ("x", x), ("y", Height - Bottom + 15), ("text-anchor", "middle"));
        }

        page.Element("text", xLabel, ("class", "soft"), ("x", (_left + Width - Right) / 2), ("y", Height - 5), ("text-anchor", "middle"));
    }

    /// <summary>A range with some width, whatever the values.</summary>
    public static (double Low, double High) Range(double low, double high)
    {
        if (!double.IsFinite(low) || !double.IsFinite(high))
        {
            return (0, 1);
        }

        return high > low && double.IsFinite(high - low) ? (low, high) : (low - 0.5, low + Math.Max(0.5, Math.Abs(low) * 1e-6));
    }

    /// <summary>1, 2 or 5 times a power of ten.</summary>
    private static double NiceStep(double range)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(range / WantedTicks)));
        double factor = range / WantedTicks / power;
        return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
    }

    private static IEnumerable<double> Ticks(double low, double high, double step)
    {
        // Counted, not added up, so that rounding cannot pile up or stand still.
        int count = (int)Math.Clamp(Math.Floor(((high - low) / step) + 1e-6), 0, 4 * WantedTicks);
        for (int i = 0; i <= count; i++)
        {
            double tick = low + (i * step);
            yield return Math.Abs(tick) < step * 1e-9 ? 0 : tick;
        }
    }
}
