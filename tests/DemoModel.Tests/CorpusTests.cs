namespace Llama2.DemoModel.Tests;

public sealed class CorpusTests
{
    private static List<CorpusRow> Rows(CorpusOptions options) => [.. new CorpusGenerator(options).Generate()];

    private static string Text(CorpusRow row) => string.Join('\n', row.Messages.Select(message => $"{message.Role}: {message.Content}"));

    [Fact]
    public void Generate_SameSeed_SameRows()
    {
        CorpusOptions options = new() { Rows = 300, Seed = 9 };

        Assert.Equal(Rows(options).Select(Text), Rows(options).Select(Text));
        Assert.NotEqual(Rows(options).Select(Text), Rows(options with { Seed = 10 }).Select(Text));
    }

    [Fact]
    public void Generate_Rows_AreDistinctAndWellFormed()
    {
        List<CorpusRow> rows = Rows(new() { Rows = 4000 });

        Assert.Equal(rows.Count, rows.Select(Text).Distinct().Count());
        Assert.All(rows, row =>
        {
            Assert.True(row.Task is "emotion" or "summary");
            Assert.Equal(["user", "assistant"], row.Messages.TakeLast(2).Select(message => message.Role));
            Assert.All(row.Messages.SkipLast(2), message => Assert.Equal("system", message.Role));
            Assert.All(row.Messages, message => Assert.False(string.IsNullOrWhiteSpace(message.Content)));
            Assert.All(row.Messages, message => Assert.DoesNotContain('{', message.Content));
            Assert.All(row.Messages, message => Assert.DoesNotContain('\u0001', message.Content));
            Assert.Equal(row.Messages[^1].Content.Trim(), row.Messages[^1].Content);
        });
        Assert.All(rows.Where(row => row.Task == "emotion"), row =>
        {
            Assert.Contains(row.Label, EmotionWriter.Labels);
            Assert.Equal(row.Label, row.Messages[^1].Content);
        });
    }

    [Fact]
    public void Generate_Shares_AreKept()
    {
        List<CorpusRow> rows = Rows(new() { Rows = 3000, EmotionShare = 0.8, SystemShare = 0.5, LabelWeights = [0, 1, 1, 1, 1, 4] });
        List<CorpusRow> emotions = [.. rows.Where(row => row.Task == "emotion")];

        Assert.InRange(emotions.Count, 2250, 2550);
        Assert.InRange(rows.Count(row => row.Messages.Count == 3), 1350, 1650);
        Assert.DoesNotContain(emotions, row => row.Label == "sadness");
        Assert.InRange(emotions.Count(row => row.Label == "surprise") / (double)emotions.Count, 0.44, 0.56);
        Assert.All(Rows(new() { Rows = 50, EmotionShare = 0 }), row => Assert.Equal("summary", row.Task));
    }

    [Fact]
    public void Generate_Topics_AreNamedInTheRequestAndAnswered()
    {
        List<CorpusRow> rows = Rows(new() { Rows = 1500, Task = CorpusTask.Topic });

        Assert.All(rows, row =>
        {
            Assert.Equal(("topic", row.Label), (row.Task, row.Messages[^1].Content));
            Assert.Contains(row.Label, TopicList.Embedded.Labels);
        });
        Assert.Equal(TopicList.Embedded.Labels.Order(), rows.Select(row => row.Label).Distinct().Order());
        Assert.True(rows.Count(row => row.Messages.Any(message => message.Content.Contains("leisure", StringComparison.Ordinal))) > 1400);
    }

    [Fact]
    public void Topics_Families_AreThoseOfScenarios() =>
        Assert.Empty(TopicList.Embedded.Families.Except(ScenarioLibrary.Embedded.Families.Select(family => family[0].Family)));

    [Theory]
    [InlineData("food lunch")]
    [InlineData(": lunch")]
    [InlineData("food: lunch\nwork: lunch")]
    public void TopicList_BadFile_Throws(string text) => Assert.Throws<InvalidDataException>(() => new TopicList("f", text));

    [Theory]
    [InlineData(-0.1, 0.2)]
    [InlineData(1.1, 0.2)]
    [InlineData(double.NaN, 0.2)]
    [InlineData(0.5, 2)]
    public void Generate_BadShare_Throws(double emotions, double systems) =>
        Assert.Throws<ArgumentException>(() => new CorpusGenerator(new() { EmotionShare = emotions, SystemShare = systems }));

    [Fact]
    public void Generate_BadWeights_Throws()
    {
        Assert.Throws<ArgumentException>(() => new CorpusGenerator(new() { LabelWeights = [1, 1] }));
        Assert.Throws<ArgumentException>(() => new CorpusGenerator(new() { LabelWeights = [0, 0, 0, 0, 0, 0] }));
        Assert.Throws<ArgumentException>(() => new CorpusGenerator(new() { LabelWeights = [2, 1, 1, -1, 1, 1] }));
    }

    [Fact]
    public void Prompts_BothTasks_HaveManyWordings()
    {
        Expansion expansion = new(Lexicon.Embedded, new RandomSource(1));
        expansion.SetSlot("text", "T");
        expansion.SetSlot("dialogue", "D");
        expansion.SetSlot("labels", "L");
        expansion.SetSlot("labels-or", "L");

        foreach ((string list, string slot, int wordings) in new[] { ("emotion-prompt", "T", 60), ("summary-prompt", "D", 40) })
        {
            List<string> prompts = [.. Enumerable.Range(0, 2000).Select(_ => expansion.Draw(Lexicon.Embedded[list]))];
            Assert.All(prompts, prompt => Assert.Contains(slot, prompt, StringComparison.Ordinal));
            Assert.True(prompts.Select(prompt => string.Concat(prompt.Where(char.IsLetter))).Distinct().Count() >= wordings);
        }
    }

    [Fact]
    public void Emotions_TestSplit_SharesNoSentenceWithTrain()
    {
        EmotionWriter writer = new(Lexicon.Embedded);
        RandomSource random = new(4);

        HashSet<string> Keys(CorpusSplit split) =>
            [.. Enumerable.Range(0, 6000).Select(i => HeldOut.SentenceKey(writer.Write(i % 6, split, random).Clean))];

        Assert.False(Keys(CorpusSplit.Train).Overlaps(Keys(CorpusSplit.Test)));
    }

    [Fact]
    public void Emotions_Sentences_AreRichAndTidy()
    {
        EmotionWriter writer = new(Lexicon.Embedded);
        RandomSource random = new(5);
        List<EmotionSample> samples = [.. Enumerable.Range(0, 6000).Select(i => writer.Write(i % 6, CorpusSplit.Train, random))];

        Assert.True(samples.Select(sample => sample.Clean).Distinct().Count() > 5400);
        Assert.All(samples, sample =>
        {
            Assert.DoesNotMatch(@"  | [,.!?](?!\.)(\s|$)|\ba (?!one|once|eu)[aeio]\w+|\b(the the|a a|an an)\b|\.,|,\.", RemoveEllipsis(sample.Clean));
            Assert.DoesNotMatch(@"\b(?<!(and|or|that|than|because|when|if|but|like|you|thing|ones?) )I (is|are|has|were|does)\b", sample.Clean);
        });
    }

    private static string RemoveEllipsis(string text) => text.Replace("...", "…", StringComparison.Ordinal).Replace(" :", "", StringComparison.Ordinal);

    [Fact]
    public void Dialogues_Summaries_CopyFromTheDialogue()
    {
        DialogueWriter writer = new(Lexicon.Embedded, ScenarioLibrary.Embedded);
        RandomSource random = new(6);
        HashSet<string> mayStand = [.. ScenarioLibrary.Embedded.Families.SelectMany(family => family)
            .SelectMany(scenario => scenario.Summary.OfType<TextNode>()).SelectMany(node => Words(node.Text))];
        foreach (CorpusSplit split in Enum.GetValues<CorpusSplit>())
        {
            for (int i = 0; i < 3000; i++)
            {
                DialogueSample sample = writer.Write(split, random);
                int turns = sample.Dialogue.Count(c => c == '\n') + 1;
                Assert.InRange(turns, 3, DialogueWriter.MaxTurns);
                Assert.All(sample.Names.Where(name => ContainsWord(sample.Summary, name)), name => AssertContains(sample, name));
                Assert.All(
                    sample.Values.Values.Where(value => sample.Summary.Contains(value, StringComparison.Ordinal)), value => AssertContains(sample, value));
                // Whatever word is not the scenario's own stands in the dialogue.
                Assert.All(Words(sample.Summary).Where(word => word.Length > 2 && !mayStand.Contains(word)), word => AssertContains(sample, word));
            }
        }
    }

    private static string[] Words(string text) => text.Split([' ', '.', ',', '\''], StringSplitOptions.RemoveEmptyEntries);

    private static bool ContainsWord(string text, string word)
    {
        int at = text.IndexOf(word, StringComparison.Ordinal);
        return at >= 0 && (at + word.Length == text.Length || !char.IsLetter(text[at + word.Length])) && (at == 0 || !char.IsLetter(text[at - 1]));
    }

    private static void AssertContains(DialogueSample sample, string value) =>
        Assert.True(sample.Dialogue.Contains(value, StringComparison.OrdinalIgnoreCase), $"'{value}' is not in\n{sample.Dialogue}\n> {sample.Summary}");

    [Fact]
    public void Dialogues_TestSplit_HasNewPairsAndNewCombinations()
    {
        DialogueWriter writer = new(Lexicon.Embedded, ScenarioLibrary.Embedded);
        RandomSource random = new(7);
        List<DialogueSample> train = [.. Enumerable.Range(0, 4000).Select(_ => writer.Write(CorpusSplit.Train, random))];
        List<DialogueSample> test = [.. Enumerable.Range(0, 2000).Select(_ => writer.Write(CorpusSplit.Test, random))];
        HashSet<string> trainPairs = [.. train.SelectMany(sample => from a in sample.Names from b in sample.Names where a != b select HeldOut.PairKey(a, b))];
        HashSet<string> trainValues = [.. train.Select(DialogueWriter.ValuesKey)];

        Assert.All(test, sample => Assert.DoesNotContain(HeldOut.PairKey(sample.Names[0], sample.Names[1]), trainPairs));
        Assert.All(test, sample => Assert.DoesNotContain(DialogueWriter.ValuesKey(sample), trainValues));
        Assert.Equal(ScenarioLibrary.Embedded.Families.Count, train.Select(sample => sample.Family).Distinct().Count());
        Assert.False(train.Select(sample => sample.Dialogue).ToHashSet().Overlaps(test.Select(sample => sample.Dialogue)));
    }

    [Fact]
    public void Dialogues_Corrections_SummaryKeepsTheLastValue()
    {
        ScenarioLibrary library = new();
        library.Add("test", "== tea\nA: Tea {on weekday:d~}?\nB: Yes.\nA: Good.\n> {A} and {B} will have tea {on d}.");
        DialogueWriter writer = new(Lexicon.Embedded, library);
        RandomSource random = new(8);
        string[] weekdays = [.. Lexicon.Embedded["weekday"].Productions.Select(day => ((TextNode)day.Nodes[0]).Text)];
        int corrected = 0;
        for (int i = 0; i < 500; i++)
        {
            DialogueSample sample = writer.Write(CorpusSplit.Train, random);
            string[] days = [.. weekdays.Where(day => sample.Dialogue.Contains(day, StringComparison.Ordinal))];
            corrected += days.Length - 1;
            Assert.Contains(sample.Values["d"], sample.Summary, StringComparison.Ordinal);
            Assert.Contains(sample.Values["d"], days);
        }

        Assert.InRange(corrected, 100, 250);
    }

    [Theory]
    [InlineData("A: hello there\n")]
    [InlineData("== x\nnonsense")]
    [InlineData("== x\nA: hello there")]
    public void ScenarioLibrary_BadFile_Throws(string text) => Assert.Throws<InvalidDataException>(() => new ScenarioLibrary().Add("f", text));

    [Fact]
    public void TextNoise_ManyDraws_KeepThePlaceholder()
    {
        RandomSource random = new(2);
        List<string> noisy = [.. Enumerable.Range(0, 2000).Select(_ => TextNoise.Apply("[NAME] isn't going to love your dog, you know.", random))];

        Assert.All(noisy, text => Assert.Contains("[NAME]", text, StringComparison.Ordinal));
        Assert.InRange(noisy.Distinct().Count(), 120, 1500);
        Assert.Contains(noisy, text => text.Contains("isn\u2019t", StringComparison.Ordinal));
    }
}
