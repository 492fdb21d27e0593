namespace Llama2.Evaluation;

/// <summary>Cuts English words to their stem: M. F. Porter, "An algorithm for suffix stripping", 1980, with the extensions of NLTK.</summary>
/// <remarks>
/// It is the stemmer behind ROUGE's <see cref="RougeOptions.UseStemmer"/>: Porter's five steps; a list of irregular words; short words in -ies
/// and -ied keep their e; y becomes i after a consonant only; and a few endings more. Thread-safe.
/// </remarks>
public static class PorterStemmer
{
    // A rule replaces an ending. The longest ending stands first wherever one contains another.
    private static readonly (string Suffix, string Replacement)[] _step2 =
    [
        ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"), ("alli", "al"),
        ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"), ("ator", "ate"), ("alism", "al"),
        ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful"),
    ];

    private static readonly (string Suffix, string Replacement)[] _step3 =
        [("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

    private static readonly string[] _step4 =
    [
        "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize",
    ];

    private static readonly Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> _irregular = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["sky"] = "sky",
        ["skies"] = "sky",
        ["dying"] = "die",
        ["lying"] = "lie",
        ["tying"] = "tie",
        ["news"] = "news",
        ["innings"] = "inning",
        ["inning"] = "inning",
        ["outings"] = "outing",
        ["outing"] = "outing",
        ["cannings"] = "canning",
        ["canning"] = "canning",
        ["howe"] = "howe",
        ["proceed"] = "proceed",
        ["exceed"] = "exceed",
        ["succeed"] = "succeed",
    }.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Stems a word.</summary>
    /// <param name="word">A word; it is lower-cased first. Characters other than English letters count as consonants.</param>
    public static string Stem(string word)
    {
        ArgumentNullException.ThrowIfNull(word);
        char[] letters = Unicode.ToLower(word).ToCharArray();
        return new string(letters, 0, Stem(letters));
    }

    /// <summary>Stems a lower-case word in place; no rule makes it longer.</summary>
    /// <returns>The length of the stem.</returns>
    internal static int Stem(Span<char> word)
    {
        if (_irregular.TryGetValue(word, out string? stem))
        {
            stem.CopyTo(word);
            return stem.Length;
        }

        if (word.Length <= 2)
        {
            return word.Length;
        }

        var letters = new Letters(word);
        Plural(ref letters);
        PastOrGerund(ref letters);
        FinalY(ref letters);
        DoubleSuffix(ref letters);
        Apply(ref letters, _step3);
        LongSuffix(ref letters);
        FinalE(ref letters);
        if (letters.EndsWith("ll") && letters.Measure(letters.Length - 1) > 1)
        {
            letters.Length--;
        }

        return letters.Length;
    }

    // Step 1a: caresses → caress, ponies → poni, but ties → tie; caress stays, cats → cat.
    private static void Plural(ref Letters word)
    {
        if (word.EndsWith("ies"))
        {
            word.Length -= word.Length == 4 ? 1 : 2;
        }
        else if (word.EndsWith("sses"))
        {
            word.Length -= 2;
        }
        else if (word.EndsWith("s") && !word.EndsWith("ss"))
        {
            word.Length--;
        }
    }

    // Step 1b: agreed → agree, plastered → plaster, motoring → motor; then the stem is mended: conflat(ed) → conflate, hopp(ing) → hop.
    private static void PastOrGerund(ref Letters word)
    {
        if (word.EndsWith("ied"))
        {
            word.Length -= word.Length == 4 ? 1 : 2;
            return;
        }

        if (word.EndsWith("eed"))
        {
            word.Length -= word.Measure(word.Length - 3) > 0 ? 1 : 0;
            return;
        }

        int stem = word.EndsWith("ed") ? word.Length - 2 : word.EndsWith("ing") ? word.Length - 3 : 0;
        if (!word.HasVowel(stem))
        {
            return;
        }

        word.Length = stem;
        if (word.EndsWith("at") || word.EndsWith("bl") || word.EndsWith("iz"))
        {
            word.Append('e');
        }
        else if (word.EndsInDoubleConsonant)
        {
            word.Length -= word.Last is 'l' or 's' or 'z' ? 0 : 1;
        }
        else if (word.Measure(word.Length) == 1 && word.EndsInShortSyllable(word.Length))
        {
            word.Append('e');
        }
    }

    // Step 1c: happy → happi, but enjoy stays, and so does by.
    private static void FinalY(ref Letters word)
    {
        if (word.Length > 2 && word.Last == 'y' && word.IsConsonant(word.Length - 2))
        {
            word.Last = 'i';
        }
    }

    // Step 2: relational → relate. A word in -alli goes through it again as one in -al.
    private static void DoubleSuffix(ref Letters word)
    {
        if (word.EndsWith("alli") && word.Measure(word.Length - 4) > 0)
        {
            word.Length -= 2;
        }

        if (!Apply(ref word, _step2) && word.EndsWith("logi") && word.Measure(word.Length - 3) > 0)
        {
            word.Length--;
        }
    }

    // Step 4: adjustable → adjust.
    private static void LongSuffix(ref Letters word)
    {
        foreach (string suffix in _step4)
        {
            if (word.EndsWith(suffix))
            {
                int stem = word.Length - suffix.Length;
                if (word.Measure(stem) > 1 && (suffix != "ion" || word.At(stem - 1) is 's' or 't'))
                {
                    word.Length = stem;
                }

                return;
            }
        }
    }

    // Step 5a: probate → probat, cease → ceas, but rate stays.
    private static void FinalE(ref Letters word)
    {
        int stem = word.Length - 1;
        if (word.EndsWith("e") && word.Measure(stem) is int measure && (measure > 1 || (measure == 1 && !word.EndsInShortSyllable(stem))))
        {
            word.Length = stem;
        }
    }

    /// <summary>The first rule whose ending fits decides; it acts where a vowel and a consonant come before the ending.</summary>
    private static bool Apply(ref Letters word, (string Suffix, string Replacement)[] rules)
    {
        foreach ((string suffix, string replacement) in rules)
        {
            if (word.EndsWith(suffix))
            {
                int stem = word.Length - suffix.Length;
                if (word.Measure(stem) > 0)
                {
                    word.Length = stem;
                    word.Append(replacement);
                }

                return true;
            }
        }

        return false;
    }

    /// <summary>A word whose end moves.</summary>
    private ref struct Letters(Span<char> letters)
    {
        private readonly Span<char> _letters = letters;

        public int Length { get; set; } = letters.Length;

        public readonly char Last
        {
            get => _letters[Length - 1];
            set => _letters[Length - 1] = value;
        }

        public readonly char At(int index) => _letters[index];

        public readonly bool EndsWith(string suffix) => _letters[..Length].EndsWith(suffix);

        public void Append(char letter) => _letters[Length++] = letter;

        public void Append(string ending)
        {
            ending.CopyTo(_letters[Length..]);
            Length += ending.Length;
        }

        /// <summary>A y is a consonant at the beginning and after a vowel.</summary>
        public readonly bool IsConsonant(int index)
        {
            int first = index;
            while (first > 0 && _letters[first] == 'y')
            {
                first--;
            }

            // In a run of y, consonant and vowel alternate.
            bool consonant = _letters[first] is not ('a' or 'e' or 'i' or 'o' or 'u');
            return consonant == ((index - first) % 2 == 0);
        }

        public readonly bool HasVowel(int length)
        {
            for (int i = 0; i < length; i++)
            {
                if (!IsConsonant(i))
                {
                    return true;
                }
            }

            return false;
        }

        /// <summary>How often a consonant follows a vowel: m in [C](VC)ᵐ[V].</summary>
        public readonly int Measure(int length)
        {
            int measure = 0;
            bool wasVowel = false;
            for (int i = 0; i < length; i++)
            {
                bool isVowel = _letters[i] == 'y' ? i > 0 && !wasVowel : _letters[i] is 'a' or 'e' or 'i' or 'o' or 'u';
                measure += wasVowel && !isVowel ? 1 : 0;
                wasVowel = isVowel;
            }

            return measure;
        }

        public readonly bool EndsInDoubleConsonant => Length >= 2 && Last == _letters[Length - 2] && IsConsonant(Length - 1);

        /// <summary>Consonant, vowel, consonant other than w, x and y; or a word of a vowel and a consonant.</summary>
        public readonly bool EndsInShortSyllable(int length) =>
            (length >= 3 && IsConsonant(length - 3) && !IsConsonant(length - 2) && IsConsonant(length - 1) && _letters[length - 1] is not ('w' or 'x' or 'y'))
            || (length == 2 && !IsConsonant(0) && IsConsonant(1));
    }
}
