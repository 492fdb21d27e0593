using System.Globalization;

namespace Llama2.Evaluation;

/// <summary>Numbers as a report shows them, the same in every culture.</summary>
internal static class ReportNumber
{
    public const string Undefined = "–";

    public static string Figure(double? value) => value switch
    {
        null or double.NaN => Undefined,
        double.PositiveInfinity => "∞",
        double.NegativeInfinity => "−∞",
        double known when Math.Abs(known) >= 1e7 => known.ToString("0.###e0", CultureInfo.InvariantCulture),
        double known => known.ToString(Math.Abs(known) >= 1000 ? "#,0" : Math.Abs(known) >= 100 ? "0.0" : "0.0000", CultureInfo.InvariantCulture),
    };

    public static string Count(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    public static string Percent(double share) => share.ToString("0.#", CultureInfo.InvariantCulture) + "\u00a0%";

    public static string Interval(ConfidenceInterval interval) =>
        $"{Figure(interval.Lower)} to {Figure(interval.Upper)} ({Percent(100 * interval.Confidence)})";

    /// <summary>A coordinate of a drawing; far outside is as good as further outside.</summary>
    public static string At(double coordinate) => Math.Clamp(coordinate, -10_000, 10_000).ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>A label of an axis whose labels are so far apart.</summary>
    public static string Tick(double value, double step)
    {
        if (Math.Abs(value) >= 1e6 || step < 1e-4)
        {
            return value == 0 ? "0" : value.ToString("0.##e0", CultureInfo.InvariantCulture);
        }

        int digits = Math.Max(0, (int)Math.Ceiling(-Math.Log10(step) - 1e-9));
        return value.ToString("#,0." + new string('0', digits), CultureInfo.InvariantCulture);
    }

    public static string Date(DateTimeOffset time) => time.ToUniversalTime().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
}
