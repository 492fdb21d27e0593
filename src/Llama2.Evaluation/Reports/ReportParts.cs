namespace Llama2.Evaluation;

/// <summary>A figure of a report.</summary>
/// <param name="Name">Its name, for example <c>rougeL</c>.</param>
/// <param name="Value">The figure; <see langword="null"/> where it is not defined.</param>
public sealed record ReportMetric(string Name, double? Value)
{
    /// <summary>Gets the interval around it, if one was estimated.</summary>
    public ConfidenceInterval? Interval { get; init; }

    /// <summary>Gets one sentence on what it is.</summary>
    public string? Description { get; init; }
}

/// <summary>The counts of a confusion matrix.</summary>
/// <param name="Classes">The names of the classes.</param>
/// <param name="Counts">For each actual class, how often each class was predicted.</param>
/// <param name="Unrecognised">For each actual class, how often the prediction was none of the classes.</param>
public sealed record ReportConfusion(
    IReadOnlyList<string> Classes, IReadOnlyList<IReadOnlyList<long>> Counts, IReadOnlyList<long> Unrecognised)
{
    /// <summary>Copies the counts.</summary>
    /// <param name="matrix">The matrix.</param>
    public static ReportConfusion Of(ConfusionMatrix matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        int[] indices = [.. Enumerable.Range(0, matrix.Classes.Count)];
        IEnumerable<long[]> rows = indices.Select(actual => (long[])[.. indices.Select(predicted => matrix[actual, predicted])]);
        return new([.. matrix.Classes], [.. rows], [.. indices.Select(matrix.UnrecognisedOf)]);
    }
}

/// <summary>A line through points.</summary>
/// <param name="Name">What it shows, for example "training loss".</param>
/// <param name="Points">The points, x ascending. A y that is not finite leaves a gap.</param>
public sealed record ReportSeries(string Name, IReadOnlyList<ReportPoint> Points);

/// <summary>A point of a line.</summary>
/// <param name="X">For example the step.</param>
/// <param name="Y">For example the loss.</param>
public readonly record struct ReportPoint(double X, double Y);

/// <summary>A chart of lines, for example the loss over the steps of a training.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="XLabel">What is below.</param>
/// <param name="YLabel">What is at the side.</param>
/// <param name="Series">One or more lines.</param>
public sealed record ReportCurve(string Title, string XLabel, string YLabel, IReadOnlyList<ReportSeries> Series)
{
    /// <summary>Draws the chart as an SVG file of its own, on a white ground, for a model card.</summary>
    public string ToSvg() => CurveChart.WriteFile(this);
}

/// <summary>How values are distributed.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Label">What the values are.</param>
/// <param name="Edges">The ends of the bins, ascending; one more than there are bins.</param>
/// <param name="Counts">The number of values in each bin.</param>
/// <param name="Mean">The mean of the values; <see langword="null"/> where there is none.</param>
public sealed record ReportHistogram(string Title, string Label, IReadOnlyList<double> Edges, IReadOnlyList<long> Counts, double? Mean)
{
    /// <summary>Sorts values into bins of the same width.</summary>
    /// <param name="title">What it shows.</param>
    /// <param name="label">What the values are.</param>
    /// <param name="values">The values; those that are not finite are left out.</param>
    /// <param name="bins">The number of bins, from 1 to 1000.</param>
    /// <param name="minimum">The lower end, or <see langword="null"/> for the smallest value.</param>
    /// <param name="maximum">The upper end, or <see langword="null"/> for the largest value. Values beyond an end go into its bin.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number of bins is out of range, or the ends are not finite and ascending.</exception>
    public static ReportHistogram Of(
        string title, string label, IReadOnlyList<double> values, int bins = 20, double? minimum = null, double? maximum = null)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bins, 1000);
        double[] finite = [.. values.Where(double.IsFinite)];
        double low = minimum ?? (finite.Length > 0 ? finite.Min() : 0), high = maximum ?? (finite.Length > 0 ? finite.Max() : 1);
        high = minimum is null && maximum is null && low == high ? low + Math.Max(1, Math.Abs(low)) : high;
        if (!double.IsFinite(high - low) || low >= high)
        {
            throw new ArgumentOutOfRangeException(nameof(maximum), high, $"The bins must lie between two finite, ascending ends; the lower one is {low}.");
        }

        var counts = new long[bins];
        foreach (double value in finite)
        {
            counts[(int)Math.Clamp((value - low) / (high - low) * bins, 0, bins - 1)]++;
        }

        double[] edges = [.. Enumerable.Range(0, bins + 1).Select(i => low + ((high - low) * i / bins))];
        return new(title, label, edges, counts, finite.Length > 0 ? finite.Average() : null);
    }
}

/// <summary>One item that was evaluated.</summary>
/// <param name="Input">What the model was given, or <see langword="null"/>.</param>
/// <param name="Reference">What it should say.</param>
/// <param name="Prediction">What it said, or <see langword="null"/> where it failed.</param>
public sealed record ReportExample(string? Input, string Reference, string? Prediction)
{
    /// <summary>Gets what to make of the prediction, in a few words, for example "right".</summary>
    public string? Verdict { get; init; }

    /// <summary>Gets the figures of this item.</summary>
    public IReadOnlyList<ReportMetric> Metrics { get; init; } = [];
}
