using System.Globalization;
using System.Text;

namespace Llama2.Evaluation;

/// <summary>The rules of Unicode that the reference implementations, which are in Python, go by; .NET's own differ at the edges.</summary>
internal static class Unicode
{
    /// <summary>White space as <c>str.split</c> and <c>str.rstrip</c> see it: .NET's and the four information separators.</summary>
    public static bool IsWhiteSpace(char c) => c is >= '\u001c' and <= '\u001f' || char.IsWhiteSpace(c);

    public static ReadOnlySpan<char> TrimEnd(ReadOnlySpan<char> text)
    {
        int end = text.Length;
        while (end > 0 && IsWhiteSpace(text[end - 1]))
        {
            end--;
        }

        return text[..end];
    }

    /// <summary>Finds the next word and moves past it.</summary>
    public static bool NextWord(ref ReadOnlySpan<char> text, out ReadOnlySpan<char> word)
    {
        int start = 0;
        while (start < text.Length && IsWhiteSpace(text[start]))
        {
            start++;
        }

        int end = start;
        while (end < text.Length && !IsWhiteSpace(text[end]))
        {
            end++;
        }

        word = text[start..end];
        text = text[end..];
        return word.Length > 0;
    }

    /// <summary>The full lower-case mapping: U+0130 becomes two characters, and a capital sigma that ends a word its final form.</summary>
    public static string ToLower(string text)
    {
        if (Ascii.IsValid(text))
        {
            return text.ToLowerInvariant();
        }

        var lower = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\u0130':
                    lower.Append("i\u0307");
                    break;
                case '\u212a':
                    lower.Append('k');
                    break;
                case '\u03a3':
                    lower.Append(IsFinal(text, i) ? '\u03c2' : '\u03c3');
                    break;
                case char high when char.IsHighSurrogate(high) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]):
                    lower.Append(Rune.ToLowerInvariant(new Rune(high, text[++i])));
                    break;
                case char c:
                    lower.Append(char.ToLowerInvariant(c));
                    break;
            }
        }

        return lower.ToString();
    }

    /// <summary>The category, and how many chars it stands for; a lone surrogate is one of its own.</summary>
    public static UnicodeCategory CategoryAt(ReadOnlySpan<char> text, int index, out int length)
    {
        if (index + 1 < text.Length && char.IsSurrogatePair(text[index], text[index + 1]))
        {
            length = 2;
            return Rune.GetUnicodeCategory(new Rune(text[index], text[index + 1]));
        }

        length = 1;
        return char.GetUnicodeCategory(text[index]);
    }

    // A letter before and none after; marks between do not count.
    private static bool IsFinal(string text, int index)
    {
        int before = index - 1, after = index + 1;
        while (before >= 0 && IsIgnored(text[before]))
        {
            before--;
        }

        while (after < text.Length && IsIgnored(text[after]))
        {
            after++;
        }

        return before >= 0 && char.IsLetter(text[before]) && (after == text.Length || !char.IsLetter(text[after]));
    }

    private static bool IsIgnored(char c) =>
        c is '\'' or '.' or ':' or '\u00b7' or '\u2019'
        || char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format;
}
