using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Llama2.Testing;

namespace Llama2.Training.Tests;

public sealed class Llama2TokenizerTrainerTests
{
    private const int Reserved = 259;

    [Fact]
    public void Train_Always_HasLlamasOrderOfIds()
    {
        LlamaTokenizer tokenizer = Llama2TokenizerTrainer.Train(Sentences(1, 200), new() { VocabularySize = 320 });

        Assert.Equal(320, tokenizer.VocabularySize);
        Assert.Equal((0, 1, 2), (tokenizer.UnknownId, tokenizer.BeginOfTextId, tokenizer.EndOfTextId));
        Assert.Equal(["<unk>", "<s>", "</s>", "<0x00>"], Enumerable.Range(0, 4).Select(tokenizer.GetPiece));
        Assert.Equal("<0xFF>", tokenizer.GetPiece(Reserved - 1));
        Assert.Equal("▁", tokenizer.GetPiece(320 - Characters(tokenizer)));                 // characters come last, the most frequent first
        Assert.Equal(
            Enumerable.Range(0, 320 - Reserved).Select(place => -(float)place), tokenizer.Vocabulary.Skip(Reserved).Select(entry => entry.Score));
    }

    /// <summary>The definition, worked out slowly: encode all texts with what is learnt, count the neighbours, add the most frequent pair.</summary>
    [Theory]
    [InlineData(1, "aab  é", true, 16)]
    [InlineData(2, "aab  é", false, 16)]
    [InlineData(3, "aab  é", true, 3)]
    [InlineData(4, "aab  é", true, 5)]
    [InlineData(5, "aab  é", false, 2)]
    [InlineData(6, "ab", true, 16)]
    [InlineData(7, "aaab", true, 7)]
    [InlineData(8, "a ", true, 16)]
    [InlineData(9, "aabbc", true, 16)]
    public void Train_CollidingLetters_LearnsWhatEncodingAndCountingGive(int seed, string letters, bool spaceRuns, int maximumLength)
    {
        var random = new Random(seed);
        string[] texts = [.. Enumerable.Range(0, 60).Select(_ => new string([.. Enumerable.Range(0, random.Next(1, 25)).Select(_ => letters[random.Next(letters.Length)])]))];
        var options = new TokenizerTrainerOptions
        {
            VocabularySize = Reserved + 4 + 40,
            CharacterCoverage = 1,
            MaximumPieceLength = maximumLength,
            AllowSpaceRuns = spaceRuns,
        };

        LlamaTokenizer tokenizer = Llama2TokenizerTrainer.Train(texts, options);

        Assert.Equal(LearnSlowly(texts, options), Merges(tokenizer));
        Assert.NotEmpty(Merges(tokenizer));
    }

    [Property(MaxTest = 300, Replay = "(2024,7)")]
    public Property Decode_OfEncode_IsTheText(string? text)
    {
        string expected = Normalize(text ?? "");
        return (_mixed.Decode(_mixed.Encode(expected)) == expected).ToProperty();
    }

    [Property(MaxTest = 200, Replay = "(2024,9)")]
    public Property Decode_OfEncodedLetters_IsTheText() => Prop.ForAll(
        Gen.Elements("the", " ", "  ", "anger", "ANNA", "7", "42", "\n", "é", "字", "🙂", "\t", ",", "[INST]", "<s>", "<0x0A>", "▁x", "\0").ListOf()
            .Select(parts => Normalize(string.Concat(parts))).ToArbitrary(),
        text => _mixed.Decode(_mixed.Encode(text)) == text);

    [Fact]
    public void Train_LargerVocabulary_TakesFewerTokens()
    {
        string[] texts = [.. Sentences(5, 300)];
        int[] sizes = [285, 295, 305, 315, 330];

        long[] tokens = [.. sizes.Select(size => (long)texts.Sum(text => Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = size }).CountTokens(text)))];

        Assert.Equal(tokens.OrderDescending(), tokens);
        Assert.Equal(tokens.Length, tokens.Distinct().Count());
        Assert.True(tokens[^1] * 2 < texts.Sum(text => text.Length));
    }

    [Fact]
    public void Train_SameTextsInAnotherOrder_IsTheSame()
    {
        string[] texts = [.. Sentences(6, 200)];

        LlamaTokenizer first = Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = 450 });
        LlamaTokenizer second = Llama2TokenizerTrainer.Train(texts.Reverse(), new() { VocabularySize = 450 });

        Assert.Equal(first.Vocabulary, second.Vocabulary);
    }

    [Fact]
    public void Save_ThenLoad_EncodesTheSame()
    {
        using var folder = new TemporaryFolder();
        LlamaTokenizer trained = Llama2TokenizerTrainer.Train(Sentences(7, 200), new() { VocabularySize = 420 });

        Llama2TokenizerTrainer.Save(trained, folder["tokenizer.model"]);
        var loaded = LlamaTokenizer.Load(folder["tokenizer.model"]);

        Assert.Equal(trained.Vocabulary, loaded.Vocabulary);
        Assert.All(Sentences(8, 50), text => Assert.Equal(trained.Encode(text), loaded.Encode(text)));
        Assert.Equal([folder["tokenizer.model"]], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Train_Digits_StayApartUnlessAsked()
    {
        string[] texts = [.. Enumerable.Repeat("in 2024 and 2024", 20)];

        IEnumerable<string> apart = Merges(Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = 300 }));
        IEnumerable<string> joined = Merges(Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = 300, SplitDigits = false }));

        Assert.All(apart, piece => Assert.DoesNotContain(piece, char.IsAsciiDigit));
        Assert.Contains("▁2024", joined);
    }

    [Fact]
    public void Train_Punctuation_StaysApartUnlessAsked()
    {
        string[] texts = [.. Enumerable.Repeat("say(\"yes\")", 20)];

        IEnumerable<string> apart = Merges(Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = 300 }));
        IEnumerable<string> joined = Merges(Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = 300, SplitLettersFromOthers = false }));

        Assert.Contains("yes", apart);
        Assert.All(apart, piece => Assert.False(piece.Any(char.IsLetter) && piece.Any(char.IsPunctuation)));
        Assert.Contains(joined, piece => piece.Any(char.IsLetter) && piece.Any(char.IsPunctuation));
    }

    [Fact]
    public void Train_RunsOfSpaces_BecomePiecesUnlessForbidden()
    {
        string[] texts = [.. Enumerable.Repeat("if\n        go", 20)];

        IEnumerable<string> runs = Merges(Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = 300 }));
        IEnumerable<string> none = Merges(Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = 300, AllowSpaceRuns = false }));

        Assert.Contains("▁▁▁▁", runs);
        Assert.All(none, piece => Assert.True(piece.LastIndexOf('▁') <= 0 && piece != "▁"));
    }

    [Fact]
    public void Train_RareCharacters_AreSpeltInBytes()
    {
        string[] texts = [.. Enumerable.Repeat("aaaa bbbb", 100), "字字 🙂"];

        LlamaTokenizer rare = Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = 300, CharacterCoverage = 0.99 });
        LlamaTokenizer all = Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = 300, CharacterCoverage = 1, MinimumPairCount = 1 });

        Assert.Equal(4, rare.Encode("字").Length);         // the space and three bytes
        Assert.Contains("▁字字", Merges(all));
        Assert.Equal("字 🙂", rare.Decode(rare.Encode("字 🙂")));
    }

    [Fact]
    public void Train_SpellingsOfSpecialTokens_NeverBecomePieces()
    {
        string[] texts = [.. Enumerable.Repeat("<s> <s>", 50)];

        LlamaTokenizer tokenizer = Llama2TokenizerTrainer.Train(texts, new() { VocabularySize = 400, SplitLettersFromOthers = false, SplitDigits = false });

        Assert.Equal(tokenizer.VocabularySize, tokenizer.Vocabulary.Select(entry => entry.Piece).Distinct().Count());
        Assert.DoesNotContain(tokenizer.BeginOfTextId, tokenizer.Encode(texts[0]));
        Assert.Equal(texts[0], tokenizer.Decode(tokenizer.Encode(texts[0])));
    }

    [Fact]
    public void Train_NothingRepeats_HasCharactersOnly()
    {
        LlamaTokenizer tokenizer = Llama2TokenizerTrainer.Train(["ab", "", "\n"], new() { VocabularySize = 1000 });

        Assert.Equal(["a", "b", "▁"], tokenizer.Vocabulary.Skip(Reserved).Select(entry => entry.Piece).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Train_NoText_SpellsAllInBytes()
    {
        LlamaTokenizer tokenizer = Llama2TokenizerTrainer.Train([]);

        Assert.Equal(Reserved, tokenizer.VocabularySize);
        Assert.Equal(3 + 2, tokenizer.Encode("hi").Length);                              // ▁ takes three bytes
    }

    [Fact]
    public void Train_TextWithoutSpaces_KeepsToTheLongestPiece()
    {
        string text = string.Concat(Enumerable.Repeat("abcdefgh", 2000));

        LlamaTokenizer tokenizer = Llama2TokenizerTrainer.Train([text], new() { VocabularySize = 300, MaximumPieceLength = 8 });

        Assert.All(Merges(tokenizer), piece => Assert.InRange(piece.Length, 2, 8));
        Assert.InRange(tokenizer.CountTokens(text), 2000, 2010);
    }

    [Fact]
    public void Train_MoreCharactersThanIds_Throws()
    {
        var options = new TokenizerTrainerOptions { VocabularySize = 262, CharacterCoverage = 1 };

        ArgumentException exception = Assert.Throws<ArgumentException>(() => Llama2TokenizerTrainer.Train(["abcdefg"], options));

        Assert.Contains("8 characters do not fit in a vocabulary of 262", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_CalledOff_Stops()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();

        Assert.Throws<OperationCanceledException>(() => Llama2TokenizerTrainer.Train(["a"], cancellationToken: source.Token));
    }

    public static TheoryData<TokenizerTrainerOptions, string> OutOfRange => new()
    {
        { new() { VocabularySize = 259 }, nameof(TokenizerTrainerOptions.VocabularySize) },
        { new() { VocabularySize = (1 << 20) + 1 }, nameof(TokenizerTrainerOptions.VocabularySize) },
        { new() { CharacterCoverage = 0 }, nameof(TokenizerTrainerOptions.CharacterCoverage) },
        { new() { CharacterCoverage = 1.01 }, nameof(TokenizerTrainerOptions.CharacterCoverage) },
        { new() { CharacterCoverage = double.NaN }, nameof(TokenizerTrainerOptions.CharacterCoverage) },
        { new() { MaximumPieceLength = 0 }, nameof(TokenizerTrainerOptions.MaximumPieceLength) },
        { new() { MaximumPieceLength = 65 }, nameof(TokenizerTrainerOptions.MaximumPieceLength) },
        { new() { MinimumPairCount = 0 }, nameof(TokenizerTrainerOptions.MinimumPairCount) },
    };

    [Theory, MemberData(nameof(OutOfRange))]
    public void Train_OptionOutOfRange_NamesIt(TokenizerTrainerOptions options, string name) =>
        Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => Llama2TokenizerTrainer.Train([], options)).ParamName);

    [Fact]
    public void Options_Defaults_AreAsDocumented() => Assert.Equal(
        new TokenizerTrainerOptions
        {
            VocabularySize = 4096,
            CharacterCoverage = 0.9995,
            MaximumPieceLength = 16,
            MinimumPairCount = 2,
            SplitDigits = true,
            SplitLettersFromOthers = true,
            AllowSpaceRuns = true,
        },
        new TokenizerTrainerOptions());

    private static readonly LlamaTokenizer _mixed = Llama2TokenizerTrainer.Train(
        [.. Sentences(9, 200), "42 字字 é🙂\tANNA <s> [INST]", "   indented   "], new() { VocabularySize = 500, CharacterCoverage = 1 });

    /// <summary>What a text comes back as: ▁ is a space, a lone surrogate U+FFFD.</summary>
    private static string Normalize(string text) => string.Concat(text.EnumerateRunes()).Replace('▁', ' ');

    private static string[] Sentences(int seed, int count)
    {
        string[] words = ["the", "anger", "angry", "joyful", "joy", "Anna", "will", "meet", "meeting", "on", "Monday", "sadness", "sad", "is", "a", "surprise", "surprised"];
        var random = new Random(seed);
        return Enumerable.Range(0, count).Select(_ => string.Join(' ', Enumerable.Range(0, 9).Select(_ => words[random.Next(words.Length)])) + ".").ToArray();
    }

    private static int Characters(LlamaTokenizer tokenizer) => tokenizer.Vocabulary.Skip(Reserved).Count(entry => entry.Piece.EnumerateRunes().Count() == 1);

    private static string[] Merges(LlamaTokenizer tokenizer) =>
        [.. tokenizer.Vocabulary.Skip(Reserved).Select(entry => entry.Piece).Where(piece => piece.EnumerateRunes().Count() > 1)];

    private static List<string> LearnSlowly(string[] texts, TokenizerTrainerOptions options)
    {
        string[] characters = [.. texts.SelectMany(text => "▁" + text.Replace(' ', '▁')).Select(c => c.ToString()).Distinct()];
        var merges = new List<string>();
        while (merges.Count < options.VocabularySize - Reserved - characters.Length)
        {
            LlamaTokenizer tokenizer = PieceVocabulary.Build(merges, characters);
            var counts = new Dictionary<string, int>();
            foreach (string text in texts)
            {
                string[] pieces = [.. tokenizer.Encode(text).Select(tokenizer.GetPiece)];
                foreach ((string left, string right) in pieces.Zip(pieces.Skip(1)))
                {
                    string pair = left + right;
                    bool isRun = pair.All(c => c == '▁');
                    if (pair.Length <= options.MaximumPieceLength && (isRun ? options.AllowSpaceRuns : pair.LastIndexOf('▁') <= 0))
                    {
                        counts[pair] = counts.GetValueOrDefault(pair) + 1;
                    }
                }
            }

            string? best = counts.Where(pair => pair.Value >= options.MinimumPairCount)
                .OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key.Length).ThenBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(pair => pair.Key).FirstOrDefault();
            if (best is null)
            {
                break;
            }

            merges.Add(best);
        }

        return merges;
    }
}
