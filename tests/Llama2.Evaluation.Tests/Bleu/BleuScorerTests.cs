using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Evaluation.Tests;

public sealed class BleuScorerTests
{
    [SharedDataFact]
    public void Score_GoldenRows_EqualsSacrebleu()
    {
        int rows = 0;
        foreach (JsonElement row in TestData.Rows("metrics/bleu_golden.jsonl"))
        {
            JsonElement options = row.GetProperty("options");
            BleuOptions bleuOptions = Options(options);
            var bleu = new BleuAccumulator(bleuOptions);
            string[] predictions = Strings(row.GetProperty("hyps"));
            string[][] references = [.. row.GetProperty("refs").EnumerateArray().Select(Strings)];      // [reference, prediction]
            for (int i = 0; i < predictions.Length; i++)
            {
                bleu.Add([.. references.Select(texts => texts[i])], predictions[i]);
            }

            BleuScore score = bleu.Score();
            string what = $"row {rows}: {row.GetProperty("name")} {options}";
            double expected = row.GetProperty("score").GetDouble();
            Assert.True(Math.Abs(expected - (100 * score.Score)) < 1e-9, $"{what}: {100 * score.Score} instead of {expected}");
            Assert.Equal(row.GetProperty("bp").GetDouble(), score.BrevityPenalty, 12);
            Assert.Equal(row.GetProperty("sys_len").GetInt64(), score.PredictionLength);
            Assert.Equal(row.GetProperty("ref_len").GetInt64(), score.ReferenceLength);
            for (int i = 0; i < score.Precisions.Count; i++)
            {
                // sacrebleu reports the counts with k added.
                int added = bleuOptions.Smoothing is BleuSmoothing.AddK && i > 0 ? 1 : 0;
                Assert.Equal(row.GetProperty("counts")[i].GetInt64(), score.Matches[i] + added);
                Assert.Equal(row.GetProperty("totals")[i].GetInt64(), score.Totals[i] + added);
                Assert.Equal(row.GetProperty("precisions")[i].GetDouble(), 100 * score.Precisions[i], 9);
            }

            rows++;
        }

        Assert.Equal(81, rows);
    }

    // From the README of sacrebleu, which prints 48.53 82.4/50.0/45.5/37.5 (BP = 0.943 hyp_len = 17 ref_len = 18).
    [Fact]
    public void Score_PublishedCorpus_EqualsPublishedFigures()
    {
        var bleu = new BleuAccumulator();
        bleu.Add(["The dog bit the man.", "The dog had bit the man."], "The dog bit the man.");
        bleu.Add(["It was not unexpected.", "No one was surprised."], "It wasn't surprising.");
        bleu.Add(["The man bit him first.", "The man had bitten the dog."], "The man had just bitten him.");

        BleuScore score = bleu.Score();

        Assert.Equal(3, bleu.Count);
        Assert.Equal(0.485308, score.Score, 6);
        Assert.Equal([14, 7, 5, 3], score.Matches);
        Assert.Equal([17, 14, 11, 8], score.Totals);
        Assert.Equal(0.942873, score.BrevityPenalty, 6);
        Assert.Equal((17, 18), (score.PredictionLength, score.ReferenceLength));
        Assert.Equal(3, bleu.SegmentScores().Length);
        ConfidenceInterval interval = bleu.Interval(new BootstrapOptions { Resamples = 200 });
        Assert.InRange(score.Score, interval.Lower, interval.Upper);
        Assert.Equal(interval, bleu.Interval(new BootstrapOptions { Resamples = 200 }));
    }

    // By hand: 4 of 5 words, 2 of 4 pairs; the shortest reference has 5 words.
    [Fact]
    public void Score_HuggingFaceOptions_CountsByHand()
    {
        const string Reference = "a b c d e", Prediction = "a b x d e";

        Assert.Equal(0.8, new BleuScorer(BleuOptions.HuggingFace(1)).Score(Reference, Prediction).Score, 12);
        Assert.Equal(Math.Sqrt(0.8 * 0.5), new BleuScorer(BleuOptions.HuggingFace(2)).Score(Reference, Prediction).Score, 12);
        Assert.Equal(0, new BleuScorer(BleuOptions.HuggingFace(3)).Score(Reference, Prediction).Score);
        BleuScore smooth = new BleuScorer(BleuOptions.HuggingFace(3, smooth: true)).Score(Reference, Prediction);
        Assert.Equal(Math.Cbrt(5.0 / 6 * (3.0 / 5) * (1.0 / 4)), smooth.Score, 12);
        Assert.Equal(1, new BleuScorer(BleuOptions.HuggingFace(1)).Score(["a b c d e f g", "a"], "a b c").BrevityPenalty);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("", "word")]
    [InlineData("word", "")]
    [InlineData("one two", "three four")]
    public void Score_NothingInCommon_IsZero(string reference, string prediction) => Assert.Equal(0, new BleuScorer().Score(reference, prediction).Score);

    [Fact]
    public void Score_Lowercase_FollowsUnicode()
    {
        var bleu = new BleuScorer(new BleuOptions { Lowercase = true, EffectiveOrder = true });

        Assert.Equal(1, bleu.Score("\u0130 ΟΔΟΣ \u212a \U00010400", "i\u0307 οδος k \U00010428").Score, 12);
        Assert.Equal(1, bleu.Score("ΣΑΣ. ΑΣ'Α Σ", "σας. ασ'α σ").Score, 12);
    }

    [Fact]
    public void Score_CountsOfAnotherOrder_Throws()
    {
        BleuStatistics two = new BleuScorer(new BleuOptions { MaxOrder = 2 }).Count("a", "a");

        Assert.Equal([1, 0], two.Matches);
        Assert.Equal([1, 0], two.Totals);
        Assert.Throws<ArgumentException>(() => new BleuScorer().Score(two));
    }

    public static TheoryData<BleuOptions> WrongOptions => new()
    {
        new BleuOptions { MaxOrder = 0 },
        new BleuOptions { MaxOrder = 17 },
        new BleuOptions { Tokenization = (BleuTokenization)9 },
        new BleuOptions { SmoothingValue = 1 },
        new BleuOptions { Smoothing = BleuSmoothing.Floor, SmoothingValue = -1 },
        new BleuOptions { Smoothing = BleuSmoothing.Floor, SmoothingValue = double.NaN },
    };

    [Theory]
    [MemberData(nameof(WrongOptions))]
    public void Constructor_WrongOption_Throws(BleuOptions options) => Assert.ThrowsAny<ArgumentException>(() => new BleuScorer(options));

    [Fact]
    public void Accumulator_Empty_Throws()
    {
        var bleu = new BleuAccumulator();

        Assert.Throws<InvalidOperationException>(bleu.Score);
        Assert.Throws<InvalidOperationException>(() => bleu.Interval());
        Assert.Throws<ArgumentOutOfRangeException>(() => bleu.Add([], "a"));
    }

    private static string[] Strings(JsonElement array) => [.. array.EnumerateArray().Select(item => item.GetString()!)];

    private static BleuOptions Options(JsonElement row)
    {
        var options = new BleuOptions();
        foreach (JsonProperty option in row.EnumerateObject())
        {
            options = option.Name switch
            {
                "tokenize" => options with
                {
                    Tokenization = option.Value.GetString() switch
                    {
                        "13a" => BleuTokenization.Mteval13a,
                        "intl" => BleuTokenization.International,
                        "char" => BleuTokenization.Character,
                        "none" => BleuTokenization.None,
                        string other => throw new InvalidDataException(other),
                        null => throw new InvalidDataException(),
                    },
                },
                "lowercase" => options with { Lowercase = option.Value.GetBoolean() },
                "effective_order" => options with { EffectiveOrder = option.Value.GetBoolean() },
                "max_ngram_order" => options with { MaxOrder = option.Value.GetInt32() },
                "smooth_value" => options with { SmoothingValue = option.Value.GetDouble() },
                "smooth_method" => options with
                {
                    Smoothing = option.Value.GetString() switch
                    {
                        "none" => BleuSmoothing.None,
                        "floor" => BleuSmoothing.Floor,
                        "add-k" => BleuSmoothing.AddK,
                        string other => throw new InvalidDataException(other),
                        null => throw new InvalidDataException(),
                    },
                },
                string other => throw new InvalidDataException(other),
            };
        }

        return options;
    }
}
