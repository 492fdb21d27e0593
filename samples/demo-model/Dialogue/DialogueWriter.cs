namespace Llama2.DemoModel;

/// <summary>A dialogue and its summary.</summary>
/// <param name="Dialogue">The turns, one a line.</param>
/// <param name="Summary">One or two sentences.</param>
/// <param name="Family">The family of the scenario.</param>
/// <param name="Names">Everybody who was drawn for it, speakers first.</param>
/// <param name="Values">The final values of the slots by slot.</param>
internal sealed record DialogueSample(string Dialogue, string Summary, string Family, IReadOnlyList<string> Names, IReadOnlyDictionary<string, string> Values);

/// <summary>Writes dialogues of three to eight turns: a scenario, and around it greetings, distractions, corrections and a farewell.</summary>
internal sealed class DialogueWriter(Lexicon lexicon, ScenarioLibrary scenarios)
{
    public const int MaxTurns = 8;
    private static readonly string[] _letters = ["A", "B", "C", "D"];
    private readonly CastPicker _cast = new(lexicon);

    public DialogueSample Write(CorpusSplit split, RandomSource random)
    {
        while (true)
        {
            Scenario scenario = random.Pick(random.Pick(scenarios.Families));
            string[] names = [.. _cast.Draw(split, random).Select(speaker => speaker.Name)];
            DialogueSample sample = Write(scenario, names, random);
            if (TimePhrases.Agree(sample.Values.Values) && HeldOut.Belongs(ValuesKey(sample), split))
            {
                return sample;
            }
        }
    }

    /// <summary>The key by which a combination of things, places and times is held out.</summary>
    public static string ValuesKey(DialogueSample sample) =>
        $"{sample.Family}|{string.Join('|', sample.Values.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Value))}";

    public DialogueSample Write(Scenario scenario, IReadOnlyList<string> names, RandomSource random)
    {
        Expansion expansion = new(lexicon, random);
        for (int i = 0; i < _letters.Length; i++)
        {
            expansion.SetSlot(_letters[i], names[i]);
        }

        List<(string Speaker, string Text)> turns = [];
        int spare = MaxTurns - scenario.Turns.Count;
        if (!scenario.Plain && spare >= 2 && random.Chance(0.3))
        {
            spare -= 2;
            AddPair(turns, "A", "B", Draw(expansion, "greeting", "A", "B"), Draw(expansion, "greeting-reply", "A", "B"));
            expansion.SetSlot("hey", expansion.Draw(lexicon["hey-again"]));
            if (spare >= 2 && random.Chance(0.25))
            {
                spare -= 2;
                AddDistraction(turns, expansion, "A", "B");
            }
        }

        spare -= AddScenario(turns, scenario, expansion, spare);
        AddEnding(turns, scenario, expansion, spare);
        string summary = expansion.Sentence(scenario.Summary);
        string text = string.Join('\n', turns.Select(turn => $"{expansion.Slots[turn.Speaker]}: {turn.Text}"));
        Dictionary<string, string> values = expansion.Slots
            .Where(pair => pair.Key.Length == 1 && char.IsLower(pair.Key[0])).ToDictionary(pair => pair.Key, pair => pair.Value);
        return new(text, summary, scenario.Family, names, values);
    }

    /// <summary>Adds the turns of the scenario, at most one value of which is first named wrongly; returns the number of turns added beyond them.</summary>
    private int AddScenario(List<(string Speaker, string Text)> turns, Scenario scenario, Expansion expansion, int spare)
    {
        RandomSource random = expansion.Random;
        bool mayChange = random.Chance(0.35);
        string? wrong = null, right = null;
        expansion.FirstMention = (list, _, value) =>
        {
            if (!mayChange)
            {
                return value;
            }

            string other = expansion.DrawFresh(list);
            if (other.Contains(value, StringComparison.OrdinalIgnoreCase) || value.Contains(other, StringComparison.OrdinalIgnoreCase))
            {
                return value;   // "Tuesday" and "next Tuesday" would read like one day
            }

            mayChange = false;
            (wrong, right) = (other, value);
            return wrong;
        };

        int added = 0;
        foreach (ScenarioTurn turn in scenario.Turns)
        {
            string text = expansion.Sentence(turn.Nodes);
            if (wrong is null)
            {
                turns.Add((turn.Speaker, text));
                continue;
            }

            expansion.SetSlot("wrong", wrong);
            expansion.SetSlot("right", right!);
            if (spare >= 2 && turn.Speaker is ("A" or "B") && random.Chance(0.4))
            {
                turns.Add((turn.Speaker, text));
                string other = turn.Speaker == "A" ? "B" : "A";
                string[] pair = expansion.Draw(lexicon["correct-other"]).Split('~');
                AddPair(turns, other, turn.Speaker, pair[0], pair[1]);
                added = 2;
            }
            else
            {
                turns.Add((turn.Speaker, $"{text} {expansion.Sentence("correct-self")}"));
            }

            wrong = null;
        }

        expansion.FirstMention = null;
        return added;
    }

    private void AddEnding(List<(string Speaker, string Text)> turns, Scenario scenario, Expansion expansion, int spare)
    {
        RandomSource random = expansion.Random;
        string last = turns[^1].Speaker;
        string next = last == "A" ? "B" : "A";
        if (spare >= 3 && random.Chance(0.15))
        {
            AddDistraction(turns, expansion, next, next == "A" ? "B" : "A");
            return;
        }

        // A question at the end would be left hanging by a farewell.
        if (spare >= 1 && !turns[^1].Text.EndsWith('?') && scenario.Turns.Count > 2 && random.Chance(0.3))
        {
            turns.Add((next, TextFinisher.Finish(Draw(expansion, "ending", next, next == "A" ? "B" : "A"))));
        }
    }

    private void AddDistraction(List<(string Speaker, string Text)> turns, Expansion expansion, string first, string second)
    {
        string[] pair = expansion.Draw(lexicon["distraction"]).Split('~');
        AddPair(turns, first, second, pair[0], pair[1]);
    }

    private static void AddPair(List<(string Speaker, string Text)> turns, string first, string second, string firstText, string secondText)
    {
        turns.Add((first, TextFinisher.Finish(firstText)));
        turns.Add((second, TextFinisher.Finish(secondText)));
    }

    /// <summary>Draws a line in which {X} is the speaker and {Y} the one spoken to.</summary>
    private string Draw(Expansion expansion, string list, string speaker, string listener)
    {
        expansion.SetSlot("X", expansion.Slots[speaker]);
        expansion.SetSlot("Y", expansion.Slots[listener]);
        return expansion.Draw(lexicon[list]);
    }
}
