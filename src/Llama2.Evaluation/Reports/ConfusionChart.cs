namespace Llama2.Evaluation;

/// <summary>Draws a confusion matrix. It fits a phone; with many classes it keeps its size and its card scrolls.</summary>
internal static class ConfusionChart
{
    private const double Width = ChartAxes.Width;
    private const int LargestCell = 52;
    private const int SmallestCell = 28;
    private const int MostLetters = 14;
    private const double LetterWidth = 6.2;
    private const double Darkest = 0.92;
    private const double LightTextFrom = 0.5;

    public static void Write(MarkupWriter page, ReportConfusion confusion)
    {
        bool hasOther = confusion.Unrecognised.Any(count => count > 0);
        int rows = confusion.Classes.Count, columns = rows + (hasOther ? 1 : 0);
        string[] names = [.. confusion.Classes, HtmlReport.OtherColumn];
        double side = 12 + (LetterWidth * names.Take(rows).Max(name => Short(name).Length));
        double top = 12 + (LetterWidth * 0.72 * names.Take(columns).Max(name => Short(name).Length));     // the names are tilted by 45°
        double overhang = LetterWidth * 0.72 * Short(names[columns - 1]).Length;
        double cell = Math.Clamp((Width - side - overhang) / columns, SmallestCell, LargestCell);
        double width = side + (cell * columns) + overhang, height = top + (cell * rows) + 4;

        page.Begin("div", ("class", "scroll"));
        page.Begin("svg", [
            ("viewBox", $"0 0 {ReportNumber.At(width)} {ReportNumber.At(height)}"), ("role", "img"), ("aria-label", "Confusion matrix"),
            .. width > Width + 1 ? [("class", "fixed"), ("width", width), ("height", height)] : Array.Empty<(string, MarkupValue)>()]);
        for (int column = 0; column < columns; column++)
        {
            string x = ReportNumber.At(side + (cell * (column + 0.5)) + 3), y = ReportNumber.At(top - 5);
            page.Begin("text", ("x", x), ("y", y), ("transform", $"rotate(-45 {x} {y})")).Text(Short(names[column])).Element("title", names[column]).End();
        }

        for (int row = 0; row < rows; row++)
        {
            double y = top + (cell * row);
            page.Begin("text", ("x", side - 6), ("y", y + (cell / 2) + 4), ("text-anchor", "end"))
                .Text(Short(names[row])).Element("title", names[row]).End();
            long total = confusion.Counts[row].Sum() + confusion.Unrecognised[row];
            for (int column = 0; column < columns; column++)
            {
                long count = column < rows ? confusion.Counts[row][column] : confusion.Unrecognised[row];
                double share = total > 0 ? (double)count / total : 0;
                string hint = $"{names[row]} → {names[column]}: {ReportNumber.Count(count)} ({ReportNumber.Percent(100 * share)})";
                WriteCell(page, side + (cell * column), y, cell, share, count, hint);
            }
        }

        page.End().End();
    }

    private static void WriteCell(MarkupWriter page, double x, double y, double cell, double share, long count, string hint)
    {
        page.Begin("g").Element("title", hint).Element(
            "rect", "", ("class", "cell"), ("x", x), ("y", y), ("width", cell), ("height", cell),
            ("fill-opacity", Darkest * share));
        if (count > 0)
        {
            page.Element(
                "text", Fitting(count), ("class", share > LightTextFrom ? "on" : ""), ("x", x + (cell / 2)), ("y", y + (cell / 2) + 4),
                ("text-anchor", "middle"));
        }

        page.End();
    }

    // The whole number is in the cell's hint.
    private static string Fitting(long count) => count switch
    {
        < 10_000 => ReportNumber.At(count),
        < 10_000_000 => ReportNumber.Count(count / 1000) + "k",
        _ => ReportNumber.Count(count / 1_000_000) + "M",
    };

    private static string Short(string name)
    {
        var text = new System.Globalization.StringInfo(name);
        return text.LengthInTextElements <= MostLetters ? name : text.SubstringByTextElements(0, MostLetters - 1) + "…";
    }
}
