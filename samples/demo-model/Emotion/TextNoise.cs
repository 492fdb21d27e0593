using System.Text;

namespace Llama2.DemoModel;

/// <summary>What happens to a sentence that is typed in a hurry: case, punctuation, spelling, short forms.</summary>
internal static class TextNoise
{
    private static readonly (string Formal, string Short)[] _shortForms =
    [
        (" you ", " u "), (" your ", " ur "), (" because ", " bc "), (" because ", " cuz "), (" going to ", " gonna "), (" want to ", " wanna "),
        (" really ", " rly "), (" right now", " rn"), (" about ", " abt "), (" though", " tho"), (" and ", " & "), (" people", " ppl"),
        (" them ", " em "), (" are ", " r "), (" to be honest", " tbh"), (" what the hell", " wth"), (" got to ", " gotta "), (" kind of ", " kinda "),
    ];

    public static string Apply(string text, RandomSource random)
    {
        if (random.Chance(0.45))
        {
            return text;
        }

        StringBuilder noisy = new(text);
        if (random.Chance(0.10))
        {
            (string formal, string shortForm) = random.Pick(_shortForms);
            noisy.Replace(formal, shortForm);
        }

        if (random.Chance(0.15))
        {
            Misspell(noisy, random);
        }

        if (random.Chance(0.06))
        {
            Stretch(noisy, random);
        }

        if (random.Chance(0.20))
        {
            noisy.Replace('\'', '\u2019');
        }
        else if (random.Chance(0.12))
        {
            noisy.Replace("'", string.Empty);
        }

        if (random.Chance(0.45))
        {
            TrimEnd(noisy);
        }
        else if (random.Chance(0.12))
        {
            TrimEnd(noisy);
            noisy.Append(random.Pick(_endings));
        }

        return ChangeCase(noisy.ToString(), random);
    }

    private static readonly string[] _endings = ["!!", "!!!", "...", "!", "..", " :/", " lol", "!1", "?!", " haha", "…"];

    private static void Misspell(StringBuilder text, RandomSource random)
    {
        if (text.Length < 8)
        {
            return;
        }

        // Not the first two characters, and never inside a placeholder such as [NAME].
        int at = 2 + random.Next(text.Length - 4);
        if (!char.IsAsciiLetterLower(text[at]) || !char.IsAsciiLetterLower(text[at + 1]))
        {
            return;
        }

        switch (random.Next(3))
        {
            case 0:
                (text[at], text[at + 1]) = (text[at + 1], text[at]);
                break;
            case 1:
                text.Remove(at, 1);
                break;
            default:
                text.Insert(at, text[at]);
                break;
        }
    }

    /// <summary>"so" → "sooo": the last vowel of a word is stretched.</summary>
    private static void Stretch(StringBuilder text, RandomSource random)
    {
        List<int> ends = [];
        for (int i = 1; i < text.Length; i++)
        {
            if (text[i] is ('a' or 'o' or 'e' or 'y') && (i + 1 == text.Length || text[i + 1] is ' ' or '!' or '.'))
            {
                ends.Add(i);
            }
        }

        if (ends.Count > 0)
        {
            int at = random.Pick(ends);
            text.Insert(at, new string(text[at], 1 + random.Next(4)));
        }
    }

    private static void TrimEnd(StringBuilder text)
    {
        while (text.Length > 1 && text[^1] is ('.' or '!'))
        {
            text.Length--;
        }
    }

    private static string ChangeCase(string text, RandomSource random)
    {
        int kind = random.Next(100);
        if (kind < 14)
        {
            return text.ToLowerInvariant().Replace("[name]", "[NAME]", StringComparison.Ordinal);
        }

        if (kind < 18)
        {
            return text.ToUpperInvariant();
        }

        if (kind < 23)
        {
            // One word in capitals, as for stress.
            string[] words = text.Split(' ');
            int word = random.Next(words.Length);
            words[word] = words[word].ToUpperInvariant();
            return string.Join(' ', words);
        }

        return text;
    }
}
