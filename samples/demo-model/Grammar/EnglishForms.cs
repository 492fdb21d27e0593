namespace Llama2.DemoModel;

/// <summary>The little English morphology that the templates need.</summary>
internal static class EnglishForms
{
    private static readonly HashSet<string> _invariant =
        ["can't", "cannot", "can", "could", "couldn't", "would", "won't", "will", "must", "might", "should", "didn't", "never", "just", "really"];

    // Verbs of more than one syllable that double their last consonant.
    private static readonly HashSet<string> _doubling =
    [
        "admit", "begin", "forget", "prefer", "regret", "upset", "permit",
        "occur", "commit", "refer", "quit", "slam", "snap", "stop", "drop", "skip", "plan", "hug", "drag",
        "grin", "shut", "chat", "trip", "flip", "slap", "clap", "sob", "swim",
    ];

    private static readonly HashSet<string> _afterVowelSound =
        ["hour", "hours", "honest", "honestly", "honor", "honour", "heir", "8", "11", "18", "80", "MRI", "X-ray"];

    // How words begin that are written with a vowel and spoken with a consonant, as in "unit" and "one".
    private static readonly string[] _yooOrWuh = ["uni", "use", "usu", "eu", "one", "once", "ukulele", "ufo"];

    private static readonly Dictionary<string, string> _irregularPast = Lexicon.ReadResource("english/irregular-past")
        .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
        .Where(line => line[0] != '#')
        .Select(line => line.Split(' '))
        .ToDictionary(words => words[0], words => words[1]);

    public static string IndefiniteArticle(string nextWord)
    {
        string word = nextWord.Split('-')[0];
        if (_afterVowelSound.Contains(word) || _afterVowelSound.Contains(nextWord))
        {
            return "an";
        }

        string lower = nextWord.ToLowerInvariant();
        bool consonantSound = _yooOrWuh.Any(start => lower.StartsWith(start, StringComparison.Ordinal))
            && !lower.StartsWith("unin", StringComparison.Ordinal) && !lower.StartsWith("unim", StringComparison.Ordinal);
        return !consonantSound && lower.Length > 0 && "aeiou".Contains(lower[0], StringComparison.Ordinal) ? "an" : "a";
    }

    /// <summary>"go home" → "goes home".</summary>
    public static string ThirdPerson(string phrase) => OnFirstWord(phrase, verb => verb switch
    {
        "be" => "is",
        "have" => "has",
        "don't" => "doesn't",
        _ when verb.EndsWith('y') && !IsVowel(verb[^2]) => verb[..^1] + "ies",
        _ when verb.EndsWith('s') || verb.EndsWith('x') || verb.EndsWith('z') || verb.EndsWith('o')
            || verb.EndsWith("sh", StringComparison.Ordinal) || verb.EndsWith("ch", StringComparison.Ordinal) => verb + "es",
        _ => verb + "s",
    });

    /// <summary>"go home" → "went home".</summary>
    public static string Past(string phrase) => OnFirstWord(phrase, verb =>
        _irregularPast.TryGetValue(verb, out string? past) ? past
        : verb.EndsWith('e') ? verb + "d"
        : verb.EndsWith('y') && !IsVowel(verb[^2]) ? verb[..^1] + "ied"
        : DoublesLast(verb) ? verb + verb[^1] + "ed"
        : verb + "ed");

    /// <summary>"go home" → "going home".</summary>
    public static string Progressive(string phrase) => OnFirstWord(phrase, verb =>
        verb == "be" ? "being"
        : verb.EndsWith("ie", StringComparison.Ordinal) ? verb[..^2] + "ying"
        : verb.EndsWith('e') && !verb.EndsWith("ee", StringComparison.Ordinal) ? verb[..^1] + "ing"
        : DoublesLast(verb) ? verb + verb[^1] + "ing"
        : verb + "ing");

    private static string OnFirstWord(string phrase, Func<string, string> inflect)
    {
        int space = phrase.IndexOf(' ', StringComparison.Ordinal);
        string verb = space < 0 ? phrase : phrase[..space];
        if (verb.Length < 2)
        {
            return phrase;
        }

        if (!_invariant.Contains(verb))
        {
            return inflect(verb) + phrase[verb.Length..];
        }

        // An adverb passes the ending on to the verb behind it; a modal keeps the bare form.
        return verb is "never" or "just" or "really" && space > 0 ? $"{verb} {OnFirstWord(phrase[(space + 1)..], inflect)}" : phrase;
    }

    private static bool DoublesLast(string verb)
    {
        if (_doubling.Contains(verb))
        {
            return true;
        }

        int vowels = verb.Count(IsVowel);
        return vowels == 1 && verb.Length is 3 or 4 && IsVowel(verb[^2]) && !IsVowel(verb[^1]) && verb[^1] is not ('w' or 'x' or 'y');
    }

    private static bool IsVowel(char letter) => letter is 'a' or 'e' or 'i' or 'o' or 'u';
}
