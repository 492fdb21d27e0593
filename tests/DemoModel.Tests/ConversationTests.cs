namespace Llama2.DemoModel.Tests;

public sealed class ConversationTests
{
    // What the program itself puts into summaries: how two sentences or names are joined, prepositions of times, pronouns.
    private static readonly string[] _ownWords =
        ["will", "and", "on", "at", "is", "was", "has", "have", "doesn't", "he", "she", "his", "her", "their", "is", "the", "a", "an"];

    private static readonly ConversationWriter _writer = new(Lexicon.Embedded);

    private static List<DialogueSample> Draw(CorpusSplit split, ulong seed, int count)
    {
        RandomSource random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => _writer.Write(split, random))];
    }

    private static IEnumerable<TextNode> Literals(IEnumerable<GrammarNode> nodes) => nodes.SelectMany(node => node switch
    {
        TextNode text => [text],
        ChoiceNode choice => choice.Options.SelectMany(Literals),
        _ => Enumerable.Empty<TextNode>(),
    });

    private static IEnumerable<string> LiteralWords(Func<string, bool> ofList) => Lexicon.Embedded.Lists.Values.Where(list => ofList(list.Name))
        .SelectMany(list => list.Productions).SelectMany(production => Literals(production.Nodes)).SelectMany(node => Words(node.Text));

    private static IEnumerable<string> Words(string text) =>
        text.Split([' ', '.', ',', '!', '?', '"', ':', '\n', '>', '<'], StringSplitOptions.RemoveEmptyEntries)
            .Select(word => word.EndsWith("'s", StringComparison.Ordinal) ? word[..^2] : word.TrimEnd('\'')).Where(word => word.Length > 0);

    private static IEnumerable<string> Forms(string word) =>
        word.Length < 2 ? [word] : [word, EnglishForms.Past(word), EnglishForms.ThirdPerson(word), EnglishForms.Progressive(word)];

    [Fact]
    public void Write_SameSeed_SameDialogues() =>
        Assert.Equal(Draw(CorpusSplit.Train, 3, 200).Select(sample => sample.Dialogue + sample.Summary), Draw(CorpusSplit.Train, 3, 200).Select(sample => sample.Dialogue + sample.Summary));

    [Fact]
    public void Write_ManyDraws_AreDistinctAndTidyAndOfEveryKind()
    {
        List<DialogueSample> samples = Draw(CorpusSplit.Train, 4, 5000);

        Assert.Equal(samples.Count, samples.Select(sample => sample.Dialogue).Distinct().Count());
        Assert.True(samples.Select(sample => sample.Summary).Distinct().Count() > 4900);
        Assert.Equal(ConversationWriter.Kinds.Order(), samples.Select(sample => sample.Family).Distinct().Order());
        Assert.All(samples, sample =>
        {
            string[] turns = sample.Dialogue.Split('\n');
            Assert.InRange(turns.Length, ConversationWriter.MinTurns, ConversationWriter.MaxTurns);
            Assert.All(turns, turn => Assert.Contains(sample.Names, name => turn.StartsWith($"{name}: ", StringComparison.Ordinal)));
            Assert.DoesNotMatch(@"[{}<>|~\u0001]|  |\b[Tt]he the\b|\ba an?\b", sample.Dialogue + sample.Summary);
            Assert.EndsWith(".", sample.Summary, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Write_Summaries_SayNothingThatTheDialogueDoesNot()
    {
        HashSet<string> own = [.. _ownWords, .. LiteralWords(list => list.StartsWith("sum-", StringComparison.Ordinal))];
        foreach (DialogueSample sample in Draw(CorpusSplit.Train, 5, 6000).Concat(Draw(CorpusSplit.Test, 5, 1000)))
        {
            HashSet<string> said = [.. Words(sample.Dialogue.ToLowerInvariant()).SelectMany(Forms)];
            Assert.All(Words(sample.Summary), word => Assert.True(
                own.Contains(word) || Forms(word.ToLowerInvariant()).Any(said.Contains),
                $"'{word}' is not in\n{sample.Dialogue}\n> {sample.Summary}"));
        }
    }

    [Fact]
    public void Write_CorrectedDay_LeavesTheWrongOneOut()
    {
        List<DialogueSample> corrected =
            [.. Draw(CorpusSplit.Train, 6, 8000).Where(sample => sample.Family is "favour" or "offer" or "reminder" && sample.Values.ContainsKey("not-d"))];

        Assert.True(corrected.Count > 100);
        Assert.All(corrected, sample =>
        {
            Assert.Contains(sample.Values["not-d"], sample.Dialogue, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(sample.Values["not-d"], sample.Summary, StringComparison.OrdinalIgnoreCase);
            Assert.Contains(sample.Values["d"], sample.Summary, StringComparison.OrdinalIgnoreCase);
        });
    }

    [Fact]
    public void Write_Summaries_OftenNameWhatCannotBeKnown()
    {
        HashSet<string> known = [.. _ownWords, .. LiteralWords(_ => true).SelectMany(Forms).Select(word => word.ToLowerInvariant())];
        List<DialogueSample> samples = Draw(CorpusSplit.Train, 7, 3000);

        double share = samples.Count(sample => Words(sample.Summary).Any(word => !known.Contains(word.ToLowerInvariant()))) / (double)samples.Count;

        Assert.InRange(share, 0.2, 0.5);
    }

    [Fact]
    public void Write_TestSplit_HasNewPairsAndNewTuples()
    {
        List<DialogueSample> train = Draw(CorpusSplit.Train, 8, 6000), test = Draw(CorpusSplit.Test, 8, 1500);
        HashSet<string> trainPairs = [.. train.SelectMany(sample => from a in sample.Names from b in sample.Names where a != b select HeldOut.PairKey(a, b))];

        Assert.All(test, sample => Assert.DoesNotContain(HeldOut.PairKey(sample.Names[0], sample.Names[1]), trainPairs));
        Assert.Empty(train.Select(DialogueWriter.ValuesKey).Intersect(test.Select(DialogueWriter.ValuesKey)));
    }

    [Fact]
    public void Actions_FavourInventory_IsOpen()
    {
        RandomSource random = new(9);
        Conversation conversation = new(Lexicon.Embedded, new CastPicker(Lexicon.Embedded).Draw(CorpusSplit.Train, random), random);
        string[] phrases = [.. Enumerable.Range(0, 5000).Select(_ => conversation.Draw("V", "favour"))];

        Assert.True(phrases.Distinct().Count() > 4500);
        Assert.True(phrases.Select(phrase => phrase.Split(' ')[0]).Distinct().Count() > 100);
    }

    [Fact]
    public void Render_UnknownWordOfAPerson_Throws()
    {
        Lexicon lexicon = new();
        lexicon.Add("shared/test", "@act\n<mine>\n@say\n{V}\n@female-name\nAnna\nEva\nIda\nUte\n@male-name\nOle\nJon\nTom\nBen");
        RandomSource random = new(1);
        Conversation conversation = new(lexicon, new CastPicker(lexicon).Draw(CorpusSplit.Train, random), random);
        conversation.Draw("V", "act");

        Assert.Contains("<mine>", Assert.Throws<InvalidDataException>(() => conversation.Say(0, "say")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "Hand me my hat")]
    [InlineData(1, "Hand you your hat")]
    [InlineData(2, "Hand {0} {0}'s hat")]
    public void Say_OwnedPhrase_DependsOnWhoSpeaks(int speaker, string expected)
    {
        Lexicon lexicon = new();
        lexicon.Add("shared/test", "@act\nhand <me> <my> hat\n@say\n{V}!\n@female-name\nAnna\nEva\nIda\nUte\n@male-name\nOle\nJon\nTom\nBen");
        RandomSource random = new(1);
        Speaker[] cast = new CastPicker(lexicon).Draw(CorpusSplit.Train, random);
        Conversation conversation = new(lexicon, cast, random);
        conversation.Draw("V", "act", owner: 0);
        conversation.SayTo(speaker, speaker == 1 ? 0 : 1, "say");

        Assert.Equal(
            string.Format(System.Globalization.CultureInfo.InvariantCulture, $"{cast[speaker].Name}: {expected}!", cast[0].Name), conversation.Dialogue, ignoreCase: true);
    }

    [Fact]
    public void InventedWords_ManyDraws_AreMany()
    {
        RandomSource random = new(10);
        string[] words = [.. Enumerable.Range(0, 10_000).Select(_ => InventedWords.Word(random))];

        Assert.True(words.Distinct().Count() > 9500);
        Assert.All(words, word => Assert.Matches("^[a-z]{3,20}$", word));
    }
}
