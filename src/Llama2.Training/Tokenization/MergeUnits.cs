using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Llama2.Training;

/// <summary>
/// Counts the stretches of text that merges stay inside: a run of spaces with the word after it, cut where a piece may not reach across.
/// Encoding never merges across the cuts either, because no piece holds both sides of one.
/// </summary>
internal sealed class MergeUnits(TokenizerTrainerOptions options)
{
    // Longer stretches (base64, text without spaces) would make every merge walk through all of them; the loss is a pair at each cut.
    private readonly int _maximumLength = Math.Max(32, 2 * options.MaximumPieceLength);
    private readonly Dictionary<string, long> _units = new(StringComparer.Ordinal);
    private readonly Dictionary<Rune, long> _characters = [];

    private enum Class
    {
        Space,
        Letter,
        Digit,
        Other,
        Never,                                             // control characters: a byte each, as in Llama-2
    }

    /// <summary>Counts one text.</summary>
    public void Add(ReadOnlySpan<char> text)
    {
        using var normalized = NormalizedText.From(text, addDummyPrefix: true);
        ReadOnlySpan<char> characters = normalized.Characters;
        Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> units = _units.GetAlternateLookup<ReadOnlySpan<char>>();
        int start = 0, length = 0;                         // of the unit; its length in characters
        var previous = Class.Never;
        for (int position = 0; position < characters.Length;)
        {
            Rune.DecodeFromUtf16(characters[position..], out Rune rune, out int size);
            Class current = ClassOf(rune);
            if (length > 0 && (IsCut(previous, current) || length == _maximumLength))
            {
                Count(characters[start..position]);
                (start, length) = (position, 0);
            }

            position += size;
            if (current == Class.Never)
            {
                start = position;
            }
            else
            {
                length++;
                CollectionsMarshal.GetValueRefOrAddDefault(_characters, rune, out _)++;
            }

            previous = current;
        }

        if (length > 0)
        {
            Count(characters[start..]);
        }

        void Count(ReadOnlySpan<char> unit)
        {
            ref long count = ref CollectionsMarshal.GetValueRefOrAddDefault(units, unit, out _);
            count++;
        }
    }

    /// <summary>The characters that get an id, the most frequent first; equally frequent ones by code point.</summary>
    public IReadOnlyList<Rune> CoveredCharacters()
    {
        Rune space = new(LlamaTokenizer.Space);
        double wanted = _characters.Values.Sum() * options.CharacterCoverage;
        long covered = 0;
        var kept = new List<Rune>();
        foreach ((Rune rune, long count) in _characters.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key.Value))
        {
            if (covered < wanted || rune == space)         // a space is worth an id however rare
            {
                kept.Add(rune);
            }

            covered += count;
        }

        return kept;
    }

    /// <summary>The units with their counts, cut at the characters that have no id; in an order that depends on the texts alone.</summary>
    public IReadOnlyList<(string Text, long Count)> Units(IReadOnlySet<Rune> characters)
    {
        var units = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach ((string unit, long count) in _units)
        {
            int start = 0, position = 0;
            foreach (Rune rune in unit.EnumerateRunes())
            {
                int next = position + rune.Utf16SequenceLength;
                if (!characters.Contains(rune))
                {
                    AddPart(unit, start..position, count);
                    start = next;
                }

                position = next;
            }

            AddPart(unit, start..position, count);
        }

        return [.. units.Select(pair => (pair.Key, pair.Value)).OrderBy(pair => pair.Key, StringComparer.Ordinal)];

        void AddPart(string unit, Range range, long count)
        {
            string part = unit[range];
            if (part.Length > 1)                           // a single character has nothing to merge with
            {
                CollectionsMarshal.GetValueRefOrAddDefault(units, part, out _) += count;
            }
        }
    }

    private bool IsCut(Class previous, Class current) =>
        current is Class.Never || (current is Class.Space && previous is not Class.Space) ||
        (options.SplitDigits && (current is Class.Digit || previous is Class.Digit)) ||
        (options.SplitLettersFromOthers && previous is not Class.Space && current is Class.Letter != previous is Class.Letter);

    private static Class ClassOf(Rune rune) => rune.Value == LlamaTokenizer.Space ? Class.Space : Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.Control => Class.Never,
        UnicodeCategory.DecimalDigitNumber => Class.Digit,
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or
            UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => Class.Letter,
        _ => Class.Other,
    };
}
