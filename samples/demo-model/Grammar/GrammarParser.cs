namespace Llama2.DemoModel;

/// <summary>Reads the notation of the data files.</summary>
/// <remarks>
/// <code>
/// # comment
/// @name                  starts a list; the lines below are its entries
/// 3* text                an entry three times as likely as one without a weight
/// {name}                 a draw from a list, or the value of a slot
/// {name:slot}            a draw that is kept in a slot; two slots of one list never hold the same value
/// {name:slot~}           the same, but a dialogue may name another value first and correct it
/// {a|b {c}|}             one of the alternatives, which may be empty and may nest
/// \n                     a line break
/// {modifier name}        see <see cref="ReferenceNode"/>
/// </code>
/// </remarks>
internal static class GrammarParser
{
    private static readonly HashSet<string> _modifiers = ["a", "on", "at", "cap", "v", "past", "ing", "poss", "s"];

    public static Dictionary<string, List<Production>> ParseLists(string file, string text)
    {
        Dictionary<string, List<Production>> lists = [];
        List<Production>? current = null;
        int number = 0;
        foreach (string line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            number++;
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            if (line[0] == '@')
            {
                current = [];
                if (!lists.TryAdd(line[1..].Trim(), current))
                {
                    throw new InvalidDataException($"{file}:{number}: the list '{line[1..]}' occurs twice.");
                }

                continue;
            }

            if (current is null)
            {
                throw new InvalidDataException($"{file}:{number}: an entry stands before the first list.");
            }

            current.Add(ParseProduction($"{file}:{number}", line));
        }

        return lists;
    }

    public static Production ParseProduction(string where, string line)
    {
        int weight = 1;
        int star = line.IndexOf("* ", StringComparison.Ordinal);
        if (star > 0 && int.TryParse(line.AsSpan(0, star), out int given) && given > 0)
        {
            weight = given;
            line = line[(star + 2)..];
        }

        return new(weight, ParseSequence(where, line.Replace("\\n", "\n", StringComparison.Ordinal)));
    }

    public static GrammarNode[] ParseSequence(string where, string text)
    {
        List<GrammarNode> nodes = [];
        int position = 0;
        while (position < text.Length)
        {
            int open = text.IndexOf('{', position);
            int literalEnd = open < 0 ? text.Length : open;
            if (text.IndexOf('}', position, literalEnd - position) >= 0)
            {
                throw new InvalidDataException($"{where}: '}}' without '{{' in '{text}'.");
            }

            if (literalEnd > position)
            {
                nodes.Add(new TextNode(text[position..literalEnd]));
            }

            if (open < 0)
            {
                break;
            }

            int close = FindClose(where, text, open);
            nodes.Add(ParseBraces(where, text[(open + 1)..close]));
            position = close + 1;
        }

        return [.. nodes];
    }

    private static GrammarNode ParseBraces(string where, string inner)
    {
        List<string> options = SplitOptions(inner);
        return options.Count == 1
            ? ParseReference(where, inner)
            : new ChoiceNode([.. options.Select(option => ParseSequence(where, option))]);
    }

    private static ReferenceNode ParseReference(string where, string inner)
    {
        if (inner.Length == 0 || inner.Contains('{', StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{where}: '{{{inner}}}' is neither a reference nor a choice.");
        }

        int space = inner.IndexOf(' ', StringComparison.Ordinal);
        string modifier = space > 0 && _modifiers.Contains(inner[..space]) ? inner[..space] : string.Empty;
        string name = modifier.Length > 0 ? inner[(space + 1)..] : inner;
        bool changeable = name.EndsWith('~');
        name = changeable ? name[..^1] : name;
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? new(name, modifier, null, changeable) : new(name[..colon], modifier, name[(colon + 1)..], changeable);
    }

    private static int FindClose(string where, string text, int open)
    {
        int depth = 0;
        for (int i = open; i < text.Length; i++)
        {
            depth += text[i] switch { '{' => 1, '}' => -1, _ => 0 };
            if (depth == 0)
            {
                return i;
            }
        }

        throw new InvalidDataException($"{where}: '{{' without '}}' in '{text}'.");
    }

    private static List<string> SplitOptions(string inner)
    {
        List<string> options = [];
        int depth = 0, start = 0;
        for (int i = 0; i < inner.Length; i++)
        {
            depth += inner[i] switch { '{' => 1, '}' => -1, _ => 0 };
            if (depth == 0 && inner[i] == '|')
            {
                options.Add(inner[start..i]);
                start = i + 1;
            }
        }

        options.Add(inner[start..]);
        return options;
    }
}
