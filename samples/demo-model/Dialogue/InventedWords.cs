using System.Text;

namespace Llama2.DemoModel;

/// <summary>Words that nobody knows: whoever repeats one has read it.</summary>
internal static class InventedWords
{
    private static readonly string[] _onsets =
        ["b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "br", "ch", "cl", "dr", "fl", "gr", "pl", "qu", "sh", "st", "th", "tr"];

    private static readonly string[] _vowels = ["a", "e", "i", "o", "u", "a", "e", "i", "o", "a", "o", "ai", "ea", "ee", "oo", "ou", "y"];
    private static readonly string[] _inner = ["", "", "n", "r", "l", "s", "m"];
    private static readonly string[] _endings = ["", "", "n", "r", "l", "s", "m", "nd", "rt", "ck", "x", "st", "th", "ng", "ford", "ton", "ley", "field", "wick", "berg"];

    /// <summary>A lower-case word of two or three syllables.</summary>
    public static string Word(RandomSource random)
    {
        StringBuilder word = new();
        int syllables = random.Chance(0.75) ? 2 : 3;
        for (int i = 1; i <= syllables; i++)
        {
            word.Append(random.Pick(_onsets)).Append(random.Pick(_vowels)).Append(random.Pick(i < syllables ? _inner : _endings));
        }

        return word.ToString();
    }

    /// <summary>A word with a capital letter.</summary>
    public static string Name(RandomSource random) => TextFinisher.Capitalize(Word(random));
}
