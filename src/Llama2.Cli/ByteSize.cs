using System.Globalization;

namespace Llama2.Cli;

/// <summary>Sizes for people.</summary>
internal static class ByteSize
{
    private static readonly string[] _units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];

    /// <summary>1 234 567 → <c>1.23 MB</c>.</summary>
    public static string Format(long bytes)
    {
        double value = bytes;
        int unit = 0;
        while (value >= 1000)
        {
            value /= 1000;
            unit++;
        }

        string digits = unit == 0 || value >= 100 ? "0" : value >= 10 ? "0.0" : "0.00";
        return $"{value.ToString(digits, CultureInfo.InvariantCulture)} {_units[unit]}";
    }
}
