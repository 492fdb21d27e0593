using System.Globalization;

namespace Llama2.Evaluation;

/// <summary>How BLEU finds the words of a text.</summary>
public enum BleuTokenization
{
    /// <summary>The rules of the WMT script <c>mteval-v13a</c>: punctuation parted by rules for Western languages. What most papers report.</summary>
    Mteval13a,

    /// <summary>The rules of <c>mteval-v14</c>, international: punctuation and symbols of all scripts.</summary>
    International,

    /// <summary>Every character is a word.</summary>
    Character,

    /// <summary>White space alone parts words.</summary>
    None,
}

/// <summary>The tokenizers of BLEU, as sacrebleu 2 has them.</summary>
/// <remarks>Thread-safe and independent of the culture.</remarks>
public static class BleuTokenizer
{
    /// <summary>Parts a text into words.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="tokenization">The rules.</param>
    /// <returns>The words with one space between them.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There are no such rules.</exception>
    public static string Tokenize(string text, BleuTokenization tokenization)
    {
        ArgumentNullException.ThrowIfNull(text);
        var separated = new CharBuffer();
        ReadOnlySpan<char> rest = Separate(text, tokenization);
        while (Unicode.NextWord(ref rest, out ReadOnlySpan<char> word))
        {
            if (separated.Text.Length > 0)
            {
                separated.Add(' ');
            }

            separated.Add(word);
        }

        return separated.Text.ToString();
    }

    /// <summary>Puts white space where words part; runs of it are left in.</summary>
    internal static ReadOnlySpan<char> Separate(string text, BleuTokenization tokenization) => tokenization switch
    {
        BleuTokenization.Mteval13a => Separate13a(text),
        BleuTokenization.International => SeparateInternational(text),
        BleuTokenization.Character => SeparateCharacters(text),
        BleuTokenization.None => text,
        _ => throw new ArgumentOutOfRangeException(nameof(tokenization), tokenization, "There is no such tokenization."),
    };

    private static ReadOnlySpan<char> Separate13a(string text)
    {
        text = text.Replace("<skipped>", "", StringComparison.Ordinal).Replace("-\n", "", StringComparison.Ordinal).Replace('\n', ' ');
        if (text.Contains('&', StringComparison.Ordinal))
        {
            text = text.Replace("&quot;", "\"", StringComparison.Ordinal).Replace("&amp;", "&", StringComparison.Ordinal)
                .Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal);
        }

        CharBuffer from = new(), to = new();
        from.Add(' ');
        from.Add(text);
        from.Add(' ');

        foreach (char c in from.Text)
        {
            to.Add(c, apart: c is >= '{' and <= '~' or >= '[' and <= '`' or >= ' ' and <= '&' or >= '(' and <= '+' or >= ':' and <= '@' or '/');
        }

        // A full stop or comma after anything but a digit.
        Next(ref from, ref to);
        ReadOnlySpan<char> source = from.Text;
        for (int i = 0; i < source.Length; i++)
        {
            to.Add(source[i]);
            if (!char.IsAsciiDigit(source[i]) && i + 1 < source.Length && source[i + 1] is '.' or ',')
            {
                to.Add(source[++i], apart: true);
            }
        }

        // A full stop or comma before anything but a digit.
        Next(ref from, ref to);
        source = from.Text;
        for (int i = 0; i < source.Length; i++)
        {
            bool parts = source[i] is '.' or ',' && i + 1 < source.Length && !char.IsAsciiDigit(source[i + 1]);
            to.Add(source[i], parts);
            if (parts)
            {
                to.Add(source[++i]);
            }
        }

        // A dash after a digit.
        Next(ref from, ref to);
        source = from.Text;
        for (int i = 0; i < source.Length; i++)
        {
            to.Add(source[i], apart: source[i] == '-' && i > 0 && char.IsAsciiDigit(source[i - 1]));
        }

        return to.Text;
    }

    private static ReadOnlySpan<char> SeparateInternational(string text)
    {
        // Punctuation after anything but a number. What a match has taken does not begin another.
        CharBuffer from = new(), to = new();
        ReadOnlySpan<char> source = text;
        for (int i = 0; i < source.Length;)
        {
            ReadOnlySpan<char> first = CharacterAt(source, i, out UnicodeCategory category);
            i += first.Length;
            to.Add(first);
            if (!IsNumber(category) && i < source.Length)
            {
                ReadOnlySpan<char> second = CharacterAt(source, i, out category);
                if (IsPunctuation(category))
                {
                    to.Add(second, apart: true);
                    i += second.Length;
                }
            }
        }

        // Punctuation before anything but a number.
        Next(ref from, ref to);
        source = from.Text;
        for (int i = 0; i < source.Length;)
        {
            ReadOnlySpan<char> first = CharacterAt(source, i, out UnicodeCategory category);
            i += first.Length;
            if (IsPunctuation(category) && i < source.Length)
            {
                ReadOnlySpan<char> second = CharacterAt(source, i, out category);
                if (!IsNumber(category))
                {
                    to.Add(first, apart: true);
                    to.Add(second);
                    i += second.Length;
                    continue;
                }
            }

            to.Add(first);
        }

        Next(ref from, ref to);
        source = from.Text;
        for (int i = 0; i < source.Length;)
        {
            ReadOnlySpan<char> character = CharacterAt(source, i, out UnicodeCategory category);
            to.Add(character, apart: category is >= UnicodeCategory.MathSymbol and <= UnicodeCategory.OtherSymbol);
            i += character.Length;
        }

        return to.Text;
    }

    private static ReadOnlySpan<char> SeparateCharacters(string text)
    {
        var to = new CharBuffer();
        for (int i = 0; i < text.Length;)
        {
            ReadOnlySpan<char> character = CharacterAt(text, i, out _);
            to.Add(character, apart: true);
            i += character.Length;
        }

        return to.Text;
    }

    private static ReadOnlySpan<char> CharacterAt(ReadOnlySpan<char> text, int index, out UnicodeCategory category)
    {
        category = Unicode.CategoryAt(text, index, out int length);
        return text.Slice(index, length);
    }

    private static bool IsNumber(UnicodeCategory category) =>
        category is >= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber;

    private static bool IsPunctuation(UnicodeCategory category) =>
        category is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;

    private static void Next(ref CharBuffer from, ref CharBuffer to)
    {
        (from, to) = (to, from);
        to.Clear();
    }

    private struct CharBuffer()
    {
        private char[] _chars = new char[256];
        private int _length;

        public readonly ReadOnlySpan<char> Text => _chars.AsSpan(0, _length);

        public void Clear() => _length = 0;

        public void Add(char c, bool apart = false) => Add(new ReadOnlySpan<char>(in c), apart);

        public void Add(ReadOnlySpan<char> text, bool apart = false)
        {
            if (_length + text.Length + 2 > _chars.Length)
            {
                Array.Resize(ref _chars, Math.Max(checked(_length + text.Length + 2), (int)Math.Min(Array.MaxLength, 2L * _chars.Length)));
            }

            if (apart)
            {
                _chars[_length++] = ' ';
            }

            text.CopyTo(_chars.AsSpan(_length));
            _length += text.Length;
            if (apart)
            {
                _chars[_length++] = ' ';
            }
        }
    }
}
