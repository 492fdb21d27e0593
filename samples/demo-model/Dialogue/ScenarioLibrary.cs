namespace Llama2.DemoModel;

/// <summary>Reads the scenario files: <c>== family</c>, turns <c>A: …</c>, <c>&gt; summary</c>; <c>--</c> starts the next variant of the family.</summary>
internal sealed class ScenarioLibrary
{
    /// <summary>The folder of the scenario files among the data.</summary>
    public const string Folder = "dialogue/";

    private readonly List<List<Scenario>> _families = [];

    public static ScenarioLibrary Embedded { get; } = FromResources();

    /// <summary>The variants by family.</summary>
    public IReadOnlyList<IReadOnlyList<Scenario>> Families => _families;

    public void Add(string file, string text)
    {
        string? family = null;
        bool plain = false;
        List<ScenarioTurn> turns = [];
        int number = 0;
        foreach (string line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            string where = $"{file}:{++number}";
            if (line.Length == 0 || line == "--" || line[0] == '#')
            {
                continue;
            }

            if (line.StartsWith("== ", StringComparison.Ordinal))
            {
                string[] words = line[3..].Split(' ');
                (family, plain) = (words[0], words.Contains("plain"));
                _families.Add([]);
            }
            else if (family is null)
            {
                throw new InvalidDataException($"{where}: a turn stands before the first family.");
            }
            else if (line.StartsWith("> ", StringComparison.Ordinal))
            {
                _families[^1].Add(new(family, plain, turns, GrammarParser.ParseSequence(where, line[2..])));
                turns = [];
            }
            else if (line.Length > 3 && line[0] is >= 'A' and <= 'D' && line[1] == ':')
            {
                turns.Add(new(line[..1], GrammarParser.ParseSequence(where, line[3..])));
            }
            else
            {
                throw new InvalidDataException($"{where}: expected a family, a turn or a summary, found '{line}'.");
            }
        }

        if (turns.Count > 0)
        {
            throw new InvalidDataException($"{file}: the last scenario has no summary.");
        }
    }

    private static ScenarioLibrary FromResources()
    {
        ScenarioLibrary library = new();
        foreach (string name in Lexicon.ResourceNames(Folder))
        {
            library.Add(name, Lexicon.ReadResource(name));
        }

        return library;
    }
}
