namespace Llama2.DemoModel;

/// <summary>All lists of the data files. Immutable; any number of expansions may share it.</summary>
internal sealed class Lexicon
{
    private const string Shared = "shared/";
    private readonly Dictionary<string, WordList> _lists = [];

    /// <summary>The lists that are embedded in this program.</summary>
    public static Lexicon Embedded { get; } = FromResources();

    public IReadOnlyDictionary<string, WordList> Lists => _lists;

    /// <summary>Adds a data file: the lists of <c>emotion/joy</c> are called <c>joy.adj</c> and so on, those of <c>shared/…</c> have plain names.</summary>
    public void Add(string file, string text)
    {
        string prefix = file.StartsWith(Shared, StringComparison.Ordinal) ? string.Empty : $"{file[(file.LastIndexOf('/') + 1)..]}.";
        foreach ((string name, List<Production> productions) in GrammarParser.ParseLists(file, text))
        {
            if (!_lists.TryAdd(prefix + name, new WordList(prefix + name, productions)))
            {
                throw new InvalidDataException($"{file}: the list '{prefix + name}' is defined in another file, too.");
            }
        }
    }

    public WordList this[string name] =>
        _lists.TryGetValue(name, out WordList? list) ? list : throw new KeyNotFoundException($"There is no list '{name}'.");

    /// <summary>The text of one embedded data file, such as <c>dialogue/plans</c>.</summary>
    public static string ReadResource(string name)
    {
        using Stream stream = typeof(Lexicon).Assembly.GetManifestResourceStream(name)
            ?? throw new FileNotFoundException($"The data file '{name}' is not embedded.", name);
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }

    /// <summary>The names of the embedded data files of a folder, in ordinal order.</summary>
    public static string[] ResourceNames(string folder) =>
        [.. typeof(Lexicon).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(folder, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private static Lexicon FromResources()
    {
        Lexicon lexicon = new();
        foreach (string name in ResourceNames(string.Empty).Where(IsLexicon))
        {
            lexicon.Add(name, ReadResource(name));
        }

        return lexicon;
    }

    private static bool IsLexicon(string name) => name.StartsWith(Shared, StringComparison.Ordinal) || name.StartsWith("emotion/", StringComparison.Ordinal);
}
