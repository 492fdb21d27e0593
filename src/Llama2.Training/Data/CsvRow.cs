using System.Text;

namespace Llama2.Training;

/// <summary>Splits a row into fields as RFC 4180 has it: quotes around a field, two of them for one inside.</summary>
internal static class CsvRow
{
    /// <exception cref="BadRowException">A quote is not closed, or something follows a closing one.</exception>
    public static List<string> Split(ReadOnlySpan<char> row, char delimiter)
    {
        var fields = new List<string>();
        while (true)
        {
            fields.Add(row is ['"', ..] ? TakeQuoted(ref row, fields.Count + 1) : TakePlain(ref row, delimiter));
            if (row.IsEmpty)
            {
                return fields;
            }

            if (row[0] != delimiter)
            {
                throw new BadRowException($"something follows the closing quote of field {fields.Count}");
            }

            row = row[1..];
        }
    }

    private static string TakePlain(ref ReadOnlySpan<char> row, char delimiter)
    {
        int end = row.IndexOf(delimiter) is >= 0 and int index ? index : row.Length;
        string field = row[..end].ToString();
        row = row[end..];
        return field;
    }

    private static string TakeQuoted(ref ReadOnlySpan<char> row, int number)
    {
        var field = new StringBuilder();
        row = row[1..];
        while (row.IndexOf('"') is >= 0 and int quote)
        {
            field.Append(row[..quote]);
            row = row[(quote + 1)..];
            if (row is not ['"', ..])
            {
                return field.ToString();
            }

            field.Append('"');
            row = row[1..];
        }

        throw new BadRowException($"the quote that opens field {number} is never closed");
    }
}
