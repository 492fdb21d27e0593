using System.Globalization;

namespace Llama2;

/// <summary>The named sets of regular expressions.</summary>
/// <remarks>
/// Dialects differ about digits, letters and spaces beyond ASCII. A set that is asked for is the narrow one, a set that is excluded the wide one:
/// so what is generated matches in every dialect.
/// </remarks>
internal static class RegexCharacters
{
    private static readonly Lazy<RuneSet> _wideDigits = new(() => Scan(char.IsDigit));
    private static readonly Lazy<RuneSet> _wideSpaces = new(() => Scan(rune => char.IsWhiteSpace(rune) || rune is '\uFEFF' or '\u200B'));

    private static readonly Lazy<RuneSet> _wideWords = new(() => Scan(rune => char.IsLetterOrDigit(rune) || rune is '\u200C' or '\u200D' ||
        char.GetUnicodeCategory(rune) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.EnclosingMark or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber).Union(new((0x10000, 0x10FFFF))));

    /// <summary>What a dot matches.</summary>
    public static RuneSet Dot { get; } = RuneSet.Of('\n').Complement();

    /// <summary>What a dot matches in ECMAScript, which JSON Schema refers to.</summary>
    public static RuneSet EcmaDot { get; } = RuneSet.Of('\n', '\r', '\u2028', '\u2029').Complement();

    private static RuneSet Digits { get; } = new(('0', '9'));

    private static RuneSet Words { get; } = new(('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_'));

    private static RuneSet Spaces { get; } = new(('\t', '\r'), (' ', ' '));

    /// <summary>The set of \d, \D, \w, \W, \s or \S; null for another letter.</summary>
    /// <param name="letter">The letter.</param>
    /// <param name="excluded">Whether it stands in a class that excludes it.</param>
    public static RuneSet? Named(char letter, bool excluded) => letter switch
    {
        'd' => excluded ? _wideDigits.Value : Digits,
        'D' => (excluded ? Digits : _wideDigits.Value).Complement(),
        'w' => excluded ? _wideWords.Value.Union(Words) : Words,
        'W' => (excluded ? Words : _wideWords.Value.Union(Words)).Complement(),
        's' => excluded ? _wideSpaces.Value : Spaces,
        'S' => (excluded ? Spaces : _wideSpaces.Value).Complement(),
        _ => null,
    };

    private static RuneSet Scan(Func<char, bool> belongs) =>
        RuneSet.Of(Enumerable.Range(0, char.MaxValue + 1).Where(rune => belongs((char)rune)));
}
