namespace Llama2.DemoModel;

/// <summary>What dialogues are about, by the families of their scenarios: labels that the demo model was not trained on, to teach it.</summary>
internal sealed class TopicList
{
    private readonly Dictionary<string, string> _topicByFamily = [];

    /// <summary>Reads lines of <c>topic: family family …</c>.</summary>
    /// <exception cref="InvalidDataException">A line has another form, or a family stands under two topics.</exception>
    public TopicList(string file, string text)
    {
        List<string> topics = [];
        foreach (string line in text.ReplaceLineEndings("\n").Split('\n').Where(line => line.Length > 0 && line[0] != '#'))
        {
            string[] parts = line.Split(':', 2, StringSplitOptions.TrimEntries);
            if (parts.Length != 2 || parts[0].Length == 0)
            {
                throw new InvalidDataException($"{file}: expected 'topic: families', found '{line}'.");
            }

            topics.Add(parts[0]);
            foreach (string family in parts[1].Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                if (!_topicByFamily.TryAdd(family, parts[0]))
                {
                    throw new InvalidDataException($"{file}: '{family}' stands under two topics.");
                }
            }
        }

        Labels = topics;
    }

    public static TopicList Embedded { get; } = new("topics", Lexicon.ReadResource("topics"));

    /// <summary>The topics, in the order of the file.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>The families that have a topic.</summary>
    public IReadOnlyCollection<string> Families => _topicByFamily.Keys;

    /// <summary>The topic of a family, or <see langword="null"/> where it has none.</summary>
    public string? Of(string family) => _topicByFamily.GetValueOrDefault(family);
}
