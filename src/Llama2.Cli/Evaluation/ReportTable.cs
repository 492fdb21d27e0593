using System.Globalization;
using Llama2.Evaluation;

namespace Llama2.Cli;

/// <summary>The figures of a report as aligned columns.</summary>
internal static class ReportTable
{
    public static void Write(EvaluationReport report, TextWriter output)
    {
        Write(output, [.. report.Metrics.Select(metric => (string[])[metric.Name, Figure(metric.Value), Interval(metric)])]);
        if (report.Classes.Count > 0)
        {
            output.WriteLine();
            Write(
                output,
                [
                    ["class", "precision", "recall", "f1", "items"],
                    .. report.Classes.Select(item => (string[])
                        [item.Name, Figure(item.Precision), Figure(item.Recall), Figure(item.F1), item.Support.ToString(CultureInfo.InvariantCulture)]),
                ]);
        }

        foreach (string note in report.Notes)
        {
            output.WriteLine($"\n{note}");
        }
    }

    private static void Write(TextWriter output, string[][] rows)
    {
        int[] widths = [.. Enumerable.Range(0, rows.FirstOrDefault([]).Length).Select(column => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
        {
            IEnumerable<string> cells = row.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            output.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }

    private static string Figure(double? value) =>
        value is double known ? known.ToString(Math.Abs(known) >= 100 ? "0.0" : "0.0000", CultureInfo.InvariantCulture) : "-";

    private static string Interval(ReportMetric metric) => metric.Interval is { } interval
        ? string.Create(CultureInfo.InvariantCulture, $"{Figure(interval.Lower)} to {Figure(interval.Upper)} ({100 * interval.Confidence:0.#} %)")
        : "";
}
