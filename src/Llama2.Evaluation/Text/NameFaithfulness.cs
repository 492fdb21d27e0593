using System.Collections.Frozen;
using System.Text.RegularExpressions;

namespace Llama2.Evaluation;

/// <summary>Counts the names in a text and those of them that its source has: a summary must copy names, not invent them.</summary>
/// <remarks>
/// <para>
/// A name is a word that begins with a capital letter: people, places, days, months. Words that begin so only because a sentence does
/// ("The", "They", "After", "Yes", …) are taken for what they are, a closed list of English function words and words of talk; any other word at
/// the beginning of a sentence is a name, since that is where an invented person would stand. Letters, marks, digits, apostrophes and hyphens
/// between them make a word; a final "'s" is cut off. Every occurrence counts.
/// </para>
/// <para>
/// A name is in the source if the source has it as a word, in any case: as who speaks ("Anna:") or anywhere else. Thread-safe.
/// </para>
/// </remarks>
public static partial class NameFaithfulness
{
    private static readonly FrozenSet<string> _noNames = FrozenSet.ToFrozenSet(
        """
        a an the this that these those there here it its i we you he she they him her them his hers their theirs our ours my mine your yours me us
        who whom whose what which when where why how if whether because since while although though unless until till after before once as at by for
        from in into of off on onto out over to toward towards under up with without within about above across against along among around behind
        below beside besides between beyond despite during except inside near outside past per through throughout
        and or but nor so yet also then thus therefore however instead still even only just not no yes yeah ok okay oh well please thanks thank sorry
        both either neither each every all any some many most much more few several other others another such same one two three first last next
        is are was were be been being am do does did has have had can could will would shall should may might must let
        everyone everybody someone somebody anyone anybody nobody nothing something everything today tomorrow tonight yesterday now later soon
        sometimes maybe perhaps finally hi hello hey bye
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries),
        StringComparer.OrdinalIgnoreCase);

    /// <summary>Counts the names of a text.</summary>
    /// <param name="source">What the text is about, for example the dialogue.</param>
    /// <param name="text">The text, for example its summary.</param>
    /// <returns>The names in the text, and how many of them occur in the source.</returns>
    public static (int Names, int Found) Count(string source, string text)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(text);
        HashSet<string> known = new(Words(source), StringComparer.OrdinalIgnoreCase);
        int names = 0, found = 0;
        foreach (string word in Words(text))
        {
            if (char.IsUpper(word[0]) && !_noNames.Contains(word))
            {
                names++;
                found += known.Contains(word) ? 1 : 0;
            }
        }

        return (names, found);
    }

    private static IEnumerable<string> Words(string text) =>
        Word().Matches(text).Select(match => match.Value.Replace('’', '\'')).Select(word => word.EndsWith("'s", StringComparison.OrdinalIgnoreCase) ? word[..^2] : Bare(word));

    /// <summary>"I'm" is a form of "I".</summary>
    private static string Bare(string word) => word.IndexOf('\'') is > 0 and int mark && _noNames.Contains(word[..mark]) ? word[..mark] : word;

    [GeneratedRegex(@"[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:['’-][\p{L}\p{M}\p{N}]+)*")]
    private static partial Regex Word();
}
