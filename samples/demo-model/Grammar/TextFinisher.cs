using System.Text;

namespace Llama2.DemoModel;

/// <summary>Turns an expansion into tidy text: articles, spaces, capitals.</summary>
internal static class TextFinisher
{
    /// <summary>Stands for "a" or "an" until the next word is known.</summary>
    public const string ArticleMark = "\u0001 ";

    /// <summary>The text with articles and spaces in order; without <paramref name="capitalize"/> its sentences begin as they were written.</summary>
    public static string Finish(string raw, bool capitalize = true)
    {
        StringBuilder text = new(raw.Length);
        for (int i = 0; i < raw.Length; i++)
        {
            char c = raw[i];
            if (c == ArticleMark[0])
            {
                text.Append(EnglishForms.IndefiniteArticle(NextWord(raw, i + 1)));
            }
            else if (c == 'a' && IsWord(raw, i, 1))
            {
                text.Append(EnglishForms.IndefiniteArticle(NextWord(raw, i + 1)));
            }
            else if (c == ' ' && (text.Length == 0 || text[^1] is ' ' or '\n' || i + 1 == raw.Length || EndsClause(raw, i + 1)))
            {
                // a space that is doubled, leads a line or stands before punctuation
            }
            else
            {
                text.Append(c);
            }
        }

        while (text.Length > 0 && text[^1] == ' ')
        {
            text.Length--;
        }

        return capitalize ? CapitalizeSentences(text) : text.ToString();
    }

    /// <summary>The text without spaces around it and without doubled ones.</summary>
    public static string Trim(string raw)
    {
        raw = raw.Trim();
        return raw.Contains("  ", StringComparison.Ordinal) ? string.Join(' ', raw.Split(' ', StringSplitOptions.RemoveEmptyEntries)) : raw;
    }

    public static string Capitalize(string text)
    {
        int first = 0;
        while (first < text.Length && !char.IsLetterOrDigit(text[first]) && text[first] != ArticleMark[0])
        {
            first++;
        }

        return first == text.Length || text[first] == ArticleMark[0] ? text : text[..first] + char.ToUpperInvariant(text[first]) + text[(first + 1)..];
    }

    private static bool EndsClause(string raw, int next)
    {
        while (next < raw.Length && raw[next] == ' ')
        {
            next++;
        }

        return next == raw.Length || raw[next] is ',' or '!' or '?' or ';'
            || (raw[next] == '.' && (next + 1 == raw.Length || raw[next + 1] is ' ' or '\n' or '.'));
    }

    /// <summary>Whether a word of the given length stands alone there, with another word behind it.</summary>
    private static bool IsWord(string raw, int at, int length) =>
        (at == 0 || raw[at - 1] is ' ' or '\n') && at + length + 1 < raw.Length && raw[at + length] == ' ' && char.IsLetterOrDigit(raw[at + length + 1]);

    private static string NextWord(string raw, int from)
    {
        while (from < raw.Length && raw[from] == ' ')
        {
            from++;
        }

        int end = from;
        while (end < raw.Length && raw[end] is not (' ' or ',' or '.' or '!' or '?' or '\n' or '\''))
        {
            end++;
        }

        return raw[from..end];
    }

    private static string CapitalizeSentences(StringBuilder text)
    {
        bool start = true;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (start && char.IsLetterOrDigit(c))
            {
                text[i] = char.ToUpperInvariant(c);
                start = false;
            }
            else if (c is '!' or '?' or '\n')
            {
                start = true;
            }
            else if (c == '.')
            {
                // "..." goes on in the same sentence; "7.30" is a number.
                bool ellipsis = (i > 0 && text[i - 1] == '.') || (i + 1 < text.Length && text[i + 1] == '.');
                start = !ellipsis && (i + 1 == text.Length || text[i + 1] is ' ' or '\n');
            }
        }

        return text.ToString();
    }
}
