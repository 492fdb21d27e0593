using System.Diagnostics;
using System.Text;
using Llama2.Testing;
using Xunit.Abstractions;

namespace Llama2.Tests;

public class TokenConstraintTests(ITestOutputHelper output)
{
    private const string Person =
        """
        {"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":0,"maximum":150},
        "tags":{"type":"array","items":{"enum":["a","b c","été"]}}},"required":["name","age"],"additionalProperties":false}
        """;

    public static TheoryData<string> Constraints => ["choice", "regex", "unicode", "spaces", "json", "schema"];

    [Theory]
    [MemberData(nameof(Constraints))]
    public void MaskOf_RandomStates_EqualsTryingEveryToken(string name)
    {
        GenerationConstraint constraint = Constraint(name);
        foreach (LlamaTokenizer tokenizer in new[] { ConstraintWalk.Tokenizer, TinyVocabularies.Create(1, userDefined: true, unused: true), TinyVocabularies.Create(2, addDummyPrefix: false) })
        {
            CompareWithEveryToken(constraint, tokenizer, new Random(3), walks: 6);
        }
    }

    [SharedDataFact]
    public void MaskOf_RealVocabulary_EqualsTryingEveryToken()
    {
        LlamaTokenizer tokenizer = LlamaTokenizer.Load(TestData.Path("tokenizer/tokenizer.model"));
        foreach (string name in new[] { "unicode", "spaces", "schema" })
        {
            CompareWithEveryToken(Constraint(name), tokenizer, new Random(4), walks: 1);
        }
    }

    [SharedDataFact]
    public void MaskOf_RealVocabulary_SpellsSpacesBytesAndCharacters()
    {
        LlamaTokenizer tokenizer = LlamaTokenizer.Load(TestData.Path("tokenizer/tokenizer.model"));
        var yes = new ConstraintWalk(GenerationConstraint.Choice(["Yes", "No"]), tokenizer);
        TokenMask start = yes.OnVocabulary.MaskOfStart();
        Assert.True(start[tokenizer.Encode("Yes")[0]], "▁Yes: the space is the tokenizer's");
        Assert.True(start[Id(tokenizer, "Yes")]);
        Assert.True(start[Id(tokenizer, "▁")]);
        Assert.True(start[3 + 'Y'], "the byte");
        Assert.False(start[3 + ' '], "a space by its byte is part of the text");
        Assert.False(start[Id(tokenizer, "▁▁")]);
        Assert.False(start[0] || start[1] || start[2], "<unk>, <s>, </s>");

        // 🙂 has no piece: its bytes come one by one, and between them nothing else.
        var smile = new ConstraintWalk(GenerationConstraint.Choice(["🙂!"]), tokenizer);
        AutomatonState state = smile.OnVocabulary.Step(smile.OnVocabulary.Start, 3 + 0xF0, isFirst: true);
        TokenMask second = smile.OnVocabulary.MaskOf(state);
        Assert.Equal([3 + 0x9F], Enumerable.Range(0, tokenizer.VocabularySize).Where(id => second[id]));
        Assert.Equal(3 + 0x9F, second.Forced);

        // What is certain comes in the longest pieces.
        var forced = new ConstraintWalk(GenerationConstraint.JsonSchema("""{"type":"object","properties":{"description":{"type":"null"}},"required":["description"],"additionalProperties":false}"""), tokenizer);
        state = forced.OnVocabulary.Step(forced.OnVocabulary.Start, Id(tokenizer, "{\""), isFirst: true);
        Assert.Equal(Id(tokenizer, "description"), forced.OnVocabulary.MaskOf(state).Forced);
    }

    [Theory]
    [MemberData(nameof(Constraints))]
    public void Forced_RandomStates_IsTheOnlyTextThatCanCome(string name)
    {
        GenerationConstraint constraint = Constraint(name);
        LlamaTokenizer tokenizer = ConstraintWalk.Tokenizer;
        var automaton = new Automaton(constraint.Grammar);
        var walk = new ConstraintWalk(constraint);
        var random = new Random(5);
        for (int i = 0; i < 10; i++)
        {
            walk.Text(random, 200, (ids, cursor) =>
            {
                if (cursor.Forced is >= 0 and int forced)
                {
                    AutomatonState state = ids.SelectMany((id, index) => Bytes(id, index == 0)).Aggregate(automaton.Start, automaton.Step);
                    foreach (byte value in tokenizer.GetBytes(forced))
                    {
                        Assert.False(state.IsAccepting);
                        Assert.Equal([value], Enumerable.Range(0, 256).Select(other => (byte)other).Where(other => !automaton.Step(state, other).IsDead));
                        state = automaton.Step(state, value);
                    }
                }
            });
        }

        byte[] Bytes(int id, bool isFirst) => BytesOf(tokenizer, id, isFirst);
    }

    [Fact]
    public void Get_VocabularyWithoutBytes_Throws() =>
        Assert.Throws<NotSupportedException>(() => new ConstraintCache(TinyVocabularies.Create(1, bytes: false), 63).Get(GenerationConstraint.Json));

    [Fact]
    public void Get_ManyConstraints_KeepsTheLatest()
    {
        LlamaTokenizer tokenizer = ConstraintWalk.Tokenizer;
        var cache = new ConstraintCache(tokenizer, tokenizer.VocabularySize);
        TokenConstraint first = cache.Get(GenerationConstraint.Choice(["0"])), json = cache.Get(GenerationConstraint.Json);
        Assert.Same(first, cache.Get(GenerationConstraint.Choice(["0"])));
        for (int i = 1; i <= ConstraintCache.Capacity; i++)
        {
            cache.Get(GenerationConstraint.Choice([$"{i}"]));
            Assert.Same(json, cache.Get(GenerationConstraint.Json));
        }

        Assert.NotSame(first, cache.Get(GenerationConstraint.Choice(["0"])));
    }

    [SharedDataFact]
    public void Get_AmbiguousExpression_ThrowsBeforeTheFirstToken()
    {
        LlamaTokenizer tokenizer = LlamaTokenizer.Load(TestData.Path("tokenizer/tokenizer.model"));
        var cache = new ConstraintCache(tokenizer, tokenizer.VocabularySize);
        GenerationConstraint constraint = GenerationConstraint.Regex("(?:.?){10000}b");
        Assert.Contains("ambiguous", Assert.Throws<GenerationConstraintException>(() => cache.Get(constraint)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_TokenThatIsNotAllowed_Throws()
    {
        TokenConstraint constraint = new ConstraintWalk(GenerationConstraint.Choice(["ab"])).OnVocabulary;
        Assert.Throws<ArgumentException>(() => constraint.Step(constraint.Start, 3 + 'b', isFirst: true));
        Assert.Throws<ArgumentException>(() => constraint.Step(constraint.Start, 1, isFirst: true));
        Assert.Throws<ArgumentException>(() => constraint.Step(constraint.Start, 100_000, isFirst: true));
    }

    [Fact]
    public void Cursor_EndIds_ComeWhereTheTextMayEndOnly()
    {
        // 3 + 'b' ends the text by request: then it is no text any more.
        TokenConstraint constraint = new ConstraintWalk(GenerationConstraint.Regex("ab?c?")).OnVocabulary;
        var cursor = new ConstraintCursor(constraint, [2, 3 + 'b', 100_000]);
        float[] logits = new float[ConstraintWalk.Tokenizer.VocabularySize];
        cursor.Mask(logits);
        Assert.Equal((float.NegativeInfinity, float.NegativeInfinity, 0f), (logits[2], logits[3 + 'b'], logits[3 + 'a']));
        cursor.Accept(3 + 'a');
        logits = [.. Enumerable.Repeat(1.5f, logits.Length)];
        cursor.Mask(logits);
        Assert.Equal((1.5f, 1.5f, 1.5f, float.NegativeInfinity), (logits[2], logits[3 + 'b'], logits[3 + 'c'], logits[3 + 'a']));
        cursor.Accept(3 + 'b');
        Assert.False(cursor.IsComplete);
        cursor.Accept(3 + 'c');
        Assert.True(cursor.IsComplete);
        Assert.Equal(TokenMask.None, cursor.Forced);
    }

    [Fact]
    public void Automaton_MoreStatesThanAreKept_GoesOn()
    {
        // Every count of characters is a state of its own.
        var automaton = new Automaton(GenerationConstraint.Regex("a{10000}b{10000}c{10000}d{10000}").Grammar);
        AutomatonState state = automaton.Start;
        foreach (byte value in Encoding.UTF8.GetBytes(string.Concat("abcd".Select(letter => new string(letter, 10_000)))))
        {
            state = automaton.Step(state, value);
        }

        Assert.True(state is { IsAccepting: true, CannotGoOn: true });
        Assert.InRange(automaton.StateCount, 1, Automaton.MaxStates);
        automaton.Forget();
        Assert.False(automaton.Step(automaton.Start, (byte)'a').IsDead);
    }

    [Fact]
    public void Next_WarmStates_AllocatesNothing()
    {
        TokenConstraint constraint = new ConstraintWalk(GenerationConstraint.Regex("[a-z]*")).OnVocabulary;
        int vocabulary = ConstraintWalk.Tokenizer.VocabularySize;
        var options = new GenerationOptions { Seed = 1, MaxNewTokens = 60_000, Temperature = 1 };
        var sampler = new Sampler(options, null, vocabulary, [2], [1], new ConstraintCursor(constraint, []));
        float[] logits = [.. Enumerable.Range(0, vocabulary).Select(id => id % 7 / 3f)];
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                sampler.Next(logits);
            }
        }));
    }

    /// <summary>Figures for the reader; the bounds are far off, since other work runs beside the tests.</summary>
    [SharedDataFact]
    public void Compile_FiftyProperties_TakesMilliseconds()
    {
        LlamaTokenizer tokenizer = LlamaTokenizer.Load(TestData.Path("tokenizer/tokenizer.model"));
        string[] kinds = ["{\"type\":\"string\"}", "{\"type\":\"integer\",\"minimum\":0}", "{\"enum\":[\"a\",\"b\"]}", "{\"type\":\"array\",\"items\":{\"type\":\"number\"}}", "{\"type\":\"boolean\"}"];
        string properties = string.Join(",", Enumerable.Range(0, 50).Select(i => $"\"property_{i}\":{kinds[i % kinds.Length]}"));
        string schema = $"{{\"type\":\"object\",\"properties\":{{{properties}}},\"required\":[\"property_0\"]}}";
        _ = GenerationConstraint.JsonSchema(schema);
        long start = Stopwatch.GetTimestamp();
        GenerationConstraint constraint = GenerationConstraint.JsonSchema(schema);
        TimeSpan compile = Stopwatch.GetElapsedTime(start);
        var cache = new ConstraintCache(tokenizer, tokenizer.VocabularySize);
        _ = cache.Get(GenerationConstraint.Json);
        start = Stopwatch.GetTimestamp();
        var cursor = new ConstraintCursor(cache.Get(constraint), [2]);
        TimeSpan firstMask = Stopwatch.GetElapsedTime(start);

        float[] logits = new float[tokenizer.VocabularySize];
        int[] ids = tokenizer.Encode("{\"property_0\": \"Some text that a model might write, long enough to pass through many states.\"");
        TimeSpan Masks()
        {
            start = Stopwatch.GetTimestamp();
            cursor = new ConstraintCursor(cache.Get(constraint), [2]);
            foreach (int id in ids)
            {
                cursor.Mask(logits);
                cursor.Accept(id);
            }

            return Stopwatch.GetElapsedTime(start) / ids.Length;
        }

        TimeSpan cold = Masks(), warm = Masks();
        output.WriteLine($"compile {compile.TotalMilliseconds:F2} ms, first mask {firstMask.TotalMilliseconds:F2} ms, mask cold {cold.TotalMilliseconds:F3} ms, warm {warm.TotalMilliseconds:F4} ms");
        Assert.True(compile < TimeSpan.FromSeconds(1) && cold < TimeSpan.FromSeconds(1) && warm < TimeSpan.FromMilliseconds(50));
    }

    private static GenerationConstraint Constraint(string name) => name switch
    {
        "choice" => GenerationConstraint.Choice(["yes", "no", "yes and no", "a", "ab", "字a🙂"]),
        "regex" => GenerationConstraint.Regex("(?:ab|a c){1,5}[é字]?\\d{0,3}"),
        "unicode" => GenerationConstraint.Regex("[^a-c]{1,20}"),
        "spaces" => GenerationConstraint.Regex(" {0,3}a( b)*"),
        "json" => GenerationConstraint.Json,
        _ => GenerationConstraint.JsonSchema(Person),
    };

    private static int Id(LlamaTokenizer tokenizer, string piece) =>
        Enumerable.Range(0, tokenizer.VocabularySize).First(id => tokenizer.GetPiece(id) == piece);

    private static void CompareWithEveryToken(GenerationConstraint constraint, LlamaTokenizer tokenizer, Random random, int walks)
    {
        var automaton = new Automaton(constraint.Grammar);
        var walk = new ConstraintWalk(constraint, tokenizer);
        int compared = 0;
        for (int i = 0; i < walks; i++)
        {
            walk.Text(random, 40, (ids, cursor) =>
            {
                AutomatonState state = ids.SelectMany((id, index) => Bytes(id, index == 0)).Aggregate(automaton.Start, automaton.Step);
                float[] logits = new float[tokenizer.VocabularySize];
                cursor.Mask(logits);
                for (int id = 0; id < logits.Length; id++)
                {
                    bool expected = id == 2 ? state.IsAccepting
                        : tokenizer.GetBytes(id).Length > 0 && !Bytes(id, ids.Count == 0).Aggregate(state, automaton.Step).IsDead;
                    Assert.True(expected == (logits[id] == 0), $"{tokenizer.GetPiece(id)} after {tokenizer.Decode([.. ids])}");
                }

                compared++;
            });
        }

        Assert.True(compared >= walks);

        byte[] Bytes(int id, bool isFirst) => BytesOf(tokenizer, id, isFirst);
    }

    /// <summary>What an id adds to the text: a piece that comes first loses a space.</summary>
    private static byte[] BytesOf(LlamaTokenizer tokenizer, int id, bool isFirst)
    {
        byte[] bytes = tokenizer.GetBytes(id).ToArray();
        return isFirst && tokenizer.AddDummyPrefix && tokenizer.GetKind(id) != TokenKind.Byte && bytes is [(byte)' ', .. byte[] rest] ? rest : bytes;
    }
}
