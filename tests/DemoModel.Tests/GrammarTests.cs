namespace Llama2.DemoModel.Tests;

public sealed class GrammarTests
{
    private static Lexicon Make(string text)
    {
        Lexicon lexicon = new();
        lexicon.Add("shared/test", text);
        return lexicon;
    }

    private static string Expand(string lists, string line, ulong seed = 1)
    {
        Expansion expansion = new(Make(lists), new RandomSource(seed));
        return expansion.Sentence(GrammarParser.ParseSequence("test", line));
    }

    [Theory]
    [InlineData("an {x", "without")]
    [InlineData("an x}", "without")]
    [InlineData("an {} x", "neither")]
    public void ParseSequence_UnbalancedBraces_Throws(string text, string says) =>
        Assert.Contains(says, Assert.Throws<InvalidDataException>(() => GrammarParser.ParseSequence("file:7", text)).Message, StringComparison.Ordinal);

    [Fact]
    public void ParseLists_SameListTwice_NamesTheLine() =>
        Assert.Contains("f:3", Assert.Throws<InvalidDataException>(() => GrammarParser.ParseLists("f", "@a\nx\n@a\ny")).Message, StringComparison.Ordinal);

    [Fact]
    public void ParseLists_EntryBeforeList_Throws() => Assert.Throws<InvalidDataException>(() => GrammarParser.ParseLists("f", "x"));

    [Fact]
    public void Add_EmptyList_Throws() => Assert.Throws<InvalidDataException>(() => Make("@a\n@b\nx"));

    [Fact]
    public void Add_ListOfAnotherFile_Throws()
    {
        Lexicon lexicon = Make("@a\nx");

        Assert.Throws<InvalidDataException>(() => lexicon.Add("shared/other", "@a\ny"));
    }

    [Fact]
    public void Draw_Weights_AreKept()
    {
        WordList list = Make("@a\n9* often\nrarely")["a"];
        RandomSource random = new(3);

        int often = Enumerable.Range(0, 10_000).Count(_ => ReferenceEquals(list.Draw(random), list.Productions[0]));

        Assert.InRange(often, 8_800, 9_200);
    }

    [Theory]
    [InlineData("{a thing} and {a other}", "An apple and a uniform")]
    [InlineData("{x|x}, {poss other}{|}!", "X, uniform's!")]
    [InlineData("I saw {thing:k} . Yes, {k}", "I saw apple. Yes, apple")]
    [InlineData("{on weekday} {at clock}", "On Monday at 5 pm")]
    [InlineData("{on soon} {at late}", "Tomorrow after work")]
    public void Sentence_Modifiers_AreApplied(string line, string expected) =>
        Assert.Equal(expected, Expand("@thing\napple\n@other\nuniform\n@weekday\nMonday\n@clock\n5 pm\n@soon\ntomorrow\n@late\nafter work", line));

    [Fact]
    public void Sentence_UnknownList_NamesIt() =>
        Assert.Contains("nothing", Assert.Throws<KeyNotFoundException>(() => Expand("@a\nx", "{nothing}")).Message, StringComparison.Ordinal);

    [Fact]
    public void Sentence_EndlessRecursion_Throws() => Assert.Throws<InvalidDataException>(() => Expand("@a\n{a}", "{a}"));

    [Fact]
    public void Sentence_TwoSlotsOfOneList_Differ()
    {
        Lexicon lexicon = Make("@a\none\ntwo");
        GrammarNode[] line = GrammarParser.ParseSequence("test", "{a:x} {a:y}");

        for (ulong seed = 0; seed < 100; seed++)
        {
            string text = new Expansion(lexicon, new RandomSource(seed)).Sentence(line);
            Assert.True(text is "One two" or "Two one", text);
        }
    }

    [Fact]
    public void Sentence_AnotherPerson_Agrees()
    {
        GrammarNode[] line = GrammarParser.ParseSequence("test", "{I} {v love} {my} dog, {I} {was} {v be happy} and {past lose} {myself} {s go} {ing run}");
        Expansion expansion = new(Make("@a\nx"), new RandomSource(1));

        expansion.SetPerson(Person.She("my aunt"));
        Assert.Equal("My aunt loves her dog, she was is happy and lost herself goes running", expansion.Sentence(line));
        expansion.SetPerson(Person.We);
        Assert.Equal("We love our dog, we were are happy and lost ourselves goes running", expansion.Sentence(line));
    }

    [Theory]
    [InlineData("Person.I", "I'm|I am")]
    [InlineData("Person.He", "he's|he is")]
    [InlineData("Person.They", "they're|they are")]
    public void Word_Contraction_HasBothForms(string who, string expected)
    {
        Person person = who switch { "Person.I" => Person.I, "Person.He" => Person.He("he"), _ => Person.They("they") };
        RandomSource random = new(5);
        HashSet<string> found = [];
        for (int i = 0; i < 100; i++)
        {
            bool named = false;
            found.Add(person.Word("I'm", ref named, random)!);
        }

        Assert.Equal(expected.Split('|').Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("cry all day", "cries all day", "cried all day", "crying all day")]
    [InlineData("miss", "misses", "missed", "missing")]
    [InlineData("go home", "goes home", "went home", "going home")]
    [InlineData("be afraid of", "is afraid of", "was afraid of", "being afraid of")]
    [InlineData("stop", "stops", "stopped", "stopping")]
    [InlineData("lie", "lies", "lied", "lying")]
    [InlineData("have", "has", "had", "having")]
    [InlineData("just love", "just loves", "just loved", "just loving")]
    [InlineData("can't stand", "can't stand", "can't stand", "can't stand")]
    [InlineData("enjoy", "enjoys", "enjoyed", "enjoying")]
    public void EnglishForms_Verb_IsInflected(string verb, string third, string past, string progressive)
    {
        Assert.Equal(third, EnglishForms.ThirdPerson(verb));
        Assert.Equal(past, EnglishForms.Past(verb));
        Assert.Equal(progressive, EnglishForms.Progressive(verb));
    }

    [Theory]
    [InlineData("apple", "an")]
    [InlineData("hour", "an")]
    [InlineData("uniform", "a")]
    [InlineData("used", "a")]
    [InlineData("European", "a")]
    [InlineData("unimportant", "an")]
    [InlineData("one-way", "a")]
    [InlineData("8", "an")]
    [InlineData("MRI", "an")]
    [InlineData("dog", "a")]
    public void IndefiniteArticle_Sound_Decides(string word, string expected) => Assert.Equal(expected, EnglishForms.IndefiniteArticle(word));

    [Theory]
    [InlineData("so  nice .  really ,yes", "So nice. Really,yes")]
    [InlineData("wait... what? no", "Wait... what? No")]
    [InlineData(" \"hello\"  ", "\"Hello\"")]
    [InlineData("one\n two", "One\nTwo")]
    public void Finish_Untidy_IsTidied(string raw, string expected) => Assert.Equal(expected, TextFinisher.Finish(raw));

    [Fact]
    public void RandomSource_SameSeed_SameNumbers()
    {
        RandomSource a = new(42), b = new(42);

        Assert.All(Enumerable.Range(0, 100), _ => Assert.Equal(a.NextBits(), b.NextBits()));
        // The published first output of SplitMix64 for seed 1234567.
        Assert.Equal(6457827717110365317UL, new RandomSource(1234567).NextBits());
        Assert.All(Enumerable.Range(0, 1000), _ => Assert.InRange(a.Next(7), 0, 6));
    }
}
