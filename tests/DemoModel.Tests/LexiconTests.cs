namespace Llama2.DemoModel.Tests;

public sealed class LexiconTests
{
    private static readonly string[] _verbForms = ["v", "s", "past", "ing"];
    private static readonly HashSet<string> _setByProgram = ["text", "labels", "labels-or", "dialogue", "wrong", "right", "A", "B", "C", "D", "X", "Y",
        "Z", "V", "V2", "W", "R", "E", "N", "F", "S", "T", "P", "M", "M2", "U", "H", "J", "O", "O1", "O2", "O3", "d1", "d2", "old", "at-old", "new", "at-new", "one", "two", "New", "newish"];
    private static readonly HashSet<string> _personWords = ["I", "my", "me", "myself", "am", "was", "have", "I'm", "I've", "don't", "do", "wasn't"];

    private static IEnumerable<ReferenceNode> References(IEnumerable<GrammarNode> nodes) => nodes.SelectMany(node => node switch
    {
        ReferenceNode reference => [reference],
        ChoiceNode choice => choice.Options.SelectMany(References),
        _ => Enumerable.Empty<ReferenceNode>(),
    });

    private static bool Resolves(ReferenceNode reference, HashSet<string> slots) =>
        slots.Contains(reference.Name) || _setByProgram.Contains(reference.Name) || (reference.Modifier.Length == 0 && _personWords.Contains(reference.Name))
        || Lexicon.Embedded.Lists.ContainsKey(reference.Name) || _verbForms.Contains(reference.Modifier)
        || (reference.Name[1..].StartsWith('.') && EmotionWriter.Labels.All(label => Lexicon.Embedded.Lists.ContainsKey(label + reference.Name[1..])));

    [Fact]
    public void Embedded_EveryReference_Resolves() => Assert.All(Lexicon.Embedded.Lists.Values, list =>
        Assert.All(list.Productions.SelectMany(production => References(production.Nodes)), reference =>
            Assert.True(Resolves(reference, []), $"{list.Name}: {reference.Name}")));

    [Fact]
    public void Scenarios_EveryReference_Resolves() => Assert.All(ScenarioLibrary.Embedded.Families.SelectMany(family => family), scenario =>
    {
        ReferenceNode[] turns = [.. scenario.Turns.SelectMany(turn => References(turn.Nodes))];
        HashSet<string> slots = [.. turns.Where(reference => reference.Slot is not null).Select(reference => reference.Slot!)];
        Assert.All(turns.Concat(References(scenario.Summary)), reference =>
            Assert.True(Resolves(reference, slots), $"{scenario.Family}: {reference.Name}"));
        // A summary copies: it draws nothing of its own.
        Assert.All(References(scenario.Summary), reference =>
            Assert.True(slots.Contains(reference.Name) || _setByProgram.Contains(reference.Name), scenario.Family));
    });

    [Fact]
    public void Embedded_NamesAndScenarios_AreMany()
    {
        Assert.True(Lexicon.Embedded["female-name"].Productions.Count + Lexicon.Embedded["male-name"].Productions.Count >= 1000);
        Assert.True(ScenarioLibrary.Embedded.Families.Count >= 40);
        Assert.All(EmotionWriter.Labels, label => Assert.True(
            new[] { "adj", "thing", "noun", "verb", "make", "act", "event", "idiom", "inter", "short", "own", "denial", "cause" }
                .Sum(list => Lexicon.Embedded[$"{label}.{list}"].Productions.Count) >= 200));
    }

    [Fact]
    public void Embedded_Lists_HaveNoEntryTwice() => Assert.All(Lexicon.Embedded.Lists.Values, list =>
        Assert.Equal(list.Productions.Count, list.Productions.Select(production => string.Concat(production.Nodes.Select(Describe))).Distinct().Count()));

    private static string Describe(GrammarNode node) => node switch
    {
        TextNode text => text.Text,
        ReferenceNode reference => $"{{{reference.Modifier} {reference.Name}:{reference.Slot}}}",
        ChoiceNode choice => $"{{{string.Join('|', choice.Options.Select(option => string.Concat(option.Select(Describe))))}}}",
        _ => throw new InvalidOperationException(),
    };
}
