using System.Globalization;

namespace Llama2.Cli;

/// <summary>Draws losses over steps with the dots of braille letters, two by four to a letter.</summary>
internal static class LossChart
{
    private const int LabelWidth = 8;
    private const char Cross = '×';

    /// <summary>Bits of a letter from U+2800 on: [column, row].</summary>
    private static readonly int[,] _dots = { { 0x01, 0x02, 0x04, 0x40 }, { 0x08, 0x10, 0x20, 0x80 } };

    /// <param name="training">Steps, ascending, and their losses; drawn as a line through the means of each column.</param>
    /// <param name="validation">The same of evaluations; drawn as crosses.</param>
    /// <param name="width">The letters of a line, labels included; at least 20.</param>
    /// <param name="height">The lines between the axes; at least 2.</param>
    public static IReadOnlyList<string> Draw(
        IReadOnlyList<(long Step, double Loss)> training, IReadOnlyList<(long Step, double Loss)> validation, int width = 80, int height = 12)
    {
        if (training.Count < 2)
        {
            return [];
        }

        int columns = Math.Max(20, width) - LabelWidth;
        (long first, long last) = (training[0].Step, training[^1].Step);
        (int Column, double Loss)[] line =
        [
            .. training.GroupBy(point => Place(point.Step, first, last, 2 * columns), point => point.Loss).Select(group => (group.Key, group.Average())),
        ];
        double low = line.Select(point => point.Loss).Concat(validation.Select(point => point.Loss)).Min();
        double high = line.Select(point => point.Loss).Concat(validation.Select(point => point.Loss)).Max();
        char[][] letters = [.. Enumerable.Range(0, height).Select(_ => new char[columns])];
        Array.ForEach(letters, row => Array.Fill(row, (char)0x2800));
        int previous = Row(line[0].Loss, 4 * height);
        foreach ((int column, double loss) in line)
        {
            int row = Row(loss, 4 * height), step = Math.Sign(row - previous);
            for (int dot = row == previous ? row : previous + step; ; dot += step)      // a steep line has no holes
            {
                letters[dot / 4][column / 2] |= (char)_dots[column % 2, dot % 4];
                if (dot == row)
                {
                    break;
                }
            }

            previous = row;
        }

        foreach ((long step, double loss) in validation)
        {
            letters[Row(loss, height)][Place(step, first, last, columns)] = Cross;
        }

        string from = $"step {first}", to = last.ToString(CultureInfo.InvariantCulture);
        return
        [
            .. letters.Select((row, i) => Label(i == 0 ? high : i == height - 1 ? low : null) + new string(row).TrimEnd((char)0x2800)),
            new string(' ', LabelWidth) + from + to.PadLeft(Math.Max(to.Length + 1, columns - from.Length)),
            $"{new string(' ', LabelWidth)}line: training loss{(validation.Count > 0 ? $", {Cross}: validation loss" : "")}, nats per token",
        ];

        int Row(double loss, int rows) => high > low ? (int)Math.Round((high - loss) / (high - low) * (rows - 1)) : rows / 2;

        static string Label(double? value) =>
            (value is double loss ? loss.ToString("0.000", CultureInfo.InvariantCulture) : "").PadLeft(LabelWidth - 2) + " ▏";
    }

    /// <summary>Where a step stands between the first and the last: from 0 to places − 1.</summary>
    private static int Place(long step, long first, long last, int places) =>
        (int)Math.Clamp(Math.Round((step - first) / (double)Math.Max(1, last - first) * (places - 1)), 0, places - 1);
}
