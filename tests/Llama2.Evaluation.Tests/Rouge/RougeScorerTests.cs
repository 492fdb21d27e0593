using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Evaluation.Tests;

public sealed class RougeScorerTests
{
    private static readonly (string Name, RougeMetrics Metric)[] _names =
    [
        ("rouge1", RougeMetrics.Rouge1), ("rouge2", RougeMetrics.Rouge2), ("rouge3", RougeMetrics.Rouge3),
        ("rougeL", RougeMetrics.RougeL), ("rougeLsum", RougeMetrics.RougeLsum),
    ];

    [SharedDataTheory]
    [InlineData("nostem", false)]
    [InlineData("stem", true)]
    public void Score_GoldenPairs_EqualsReferenceImplementation(string key, bool stem)
    {
        var rouge = new RougeAccumulator(new RougeOptions { Metrics = RougeMetrics.All, UseStemmer = stem });
        foreach (JsonElement row in TestData.Rows("metrics/rouge_golden.jsonl"))
        {
            RougeScores scores = rouge.Add(row.GetProperty("target").GetString()!, row.GetProperty("prediction").GetString()!);
            foreach ((string name, RougeMetrics metric) in _names)
            {
                AssertEqual(row.GetProperty(key).GetProperty(name), scores[metric], $"{name} of {row.GetProperty("target")} | {row.GetProperty("prediction")}");
            }
        }

        // The means were taken over more rows than are published, so only the number of these is pinned.
        Assert.Equal(189, rouge.Count);
    }

    [SharedDataFact]
    public void Score_OfficialCases_EqualsPublishedFigures()
    {
        int rows = 0;
        foreach (JsonElement row in TestData.Rows("metrics/rouge_official_cases.jsonl"))
        {
            RougeMetrics metric = _names.Single(pair => pair.Name == row.GetProperty("type").GetString()).Metric;
            var scorer = new RougeScorer(new RougeOptions { Metrics = metric, UseStemmer = row.GetProperty("use_stemmer").GetBoolean() });
            RougeScore score = scorer.Score(row.GetProperty("target").GetString()!, row.GetProperty("prediction").GetString()!)[metric];
            int places = row.GetProperty("places").GetInt32();
            Assert.Equal(row.GetProperty("precision").GetDouble(), score.Precision, places);
            Assert.Equal(row.GetProperty("recall").GetDouble(), score.Recall, places);
            Assert.Equal(row.GetProperty("fmeasure").GetDouble(), score.FMeasure, places);
            rows++;
        }

        Assert.Equal(23, rows);
    }

    // By hand: 6 words against 7; cat, on, the, mat in common.
    [Fact]
    public void Score_Sentence_CountsByHand()
    {
        RougeScores scores = new RougeScorer(new RougeOptions { Metrics = RougeMetrics.All }).Score("The cat sat on the mat.", "a cat was sitting on the MAT");

        Assert.Equal(new RougeScore(4.0 / 7, 4.0 / 6), scores.Rouge1);
        Assert.Equal(new RougeScore(2.0 / 6, 2.0 / 5), scores.Rouge2);
        Assert.Equal(new RougeScore(1.0 / 5, 1.0 / 4), scores.Rouge3);
        Assert.Equal(new RougeScore(4.0 / 7, 4.0 / 6), scores.RougeL);
        Assert.Equal(scores.RougeL, scores.RougeLsum);
        Assert.Equal(8.0 / 13, scores.Rouge1.FMeasure, 12);
    }

    [Fact]
    public void Score_LinesInOtherOrder_CountsInLsumOnly()
    {
        RougeScores scores = new RougeScorer().Score("one two three\nfour five six", "four five six\none two three");

        Assert.Equal(0.5, scores.RougeL.FMeasure);
        Assert.Equal(1, scores.RougeLsum.FMeasure);
    }

    // The published example: the union of two subsequences, and no word counted more often than it is there.
    [Fact]
    public void Score_UnionOfLines_CountsEveryWordOnce()
    {
        RougeScores scores = new RougeScorer().Score("w1 w2 w3 w4 w5", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5");

        Assert.Equal(new RougeScore(0.4, 0.8), scores.RougeLsum);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("word", "")]
    [InlineData("", "word")]
    [InlineData("!!!", "???")]
    [InlineData("日本語", "日本語")]
    public void Score_NoWords_IsZero(string reference, string prediction)
    {
        RougeScores scores = new RougeScorer(new RougeOptions { Metrics = RougeMetrics.All }).Score(reference, prediction);

        Assert.All(_names, pair => Assert.Equal(default, scores[pair.Metric]));
    }

    // Lower-cased as full Unicode does it, the dotted capital I parts words, and the Kelvin sign is a k.
    [Theory]
    [InlineData("\u0130stanbul", "i stanbul")]
    [InlineData("\u212aelvin", "KELVIN")]
    public void Score_LettersThatLowerIntoAscii_Match(string reference, string prediction) =>
        Assert.Equal(1, new RougeScorer().Score(reference, prediction).Rouge1.FMeasure);

    [Fact]
    public void Score_LoneSurrogate_PartsWords() => Assert.Equal(1, new RougeScorer().Score("a\ud800b", "a b").Rouge1.FMeasure);

    [Fact]
    public void Score_Stemmer_MatchesInflections()
    {
        Assert.Equal(0, new RougeScorer().Score("running dogs", "runs dog").Rouge1.FMeasure);
        Assert.Equal(1, new RougeScorer(new RougeOptions { UseStemmer = true }).Score("running dogs", "runs dogged").Rouge1.FMeasure);
    }

    [Fact]
    public void Score_SeveralReferences_TakesTheBestForEachVariant()
    {
        RougeScores scores = new RougeScorer().Score(["a b c d", "d c b a x", "zzz"], "a b c d");

        Assert.Equal(1, scores.Rouge2.FMeasure);
        Assert.Equal(default, new RougeScorer().Score(["zzz"], "a").RougeL);
        Assert.Throws<ArgumentOutOfRangeException>(() => new RougeScorer().Score([], "a"));
    }

    [Fact]
    public void Indexer_VariantNotComputed_SaysHowToGetIt()
    {
        RougeScores scores = new RougeScorer(new RougeOptions { Metrics = RougeMetrics.RougeL }).Score("a", "a");

        Assert.Contains("RougeOptions.Metrics", Assert.Throws<InvalidOperationException>(() => scores.Rouge1).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => scores[RougeMetrics.Rouge1 | RougeMetrics.RougeL]);
    }

    [Theory]
    [InlineData(RougeMetrics.None)]
    [InlineData((RougeMetrics)64)]
    public void Constructor_NoVariant_Throws(RougeMetrics metrics) =>
        Assert.Throws<ArgumentException>(() => new RougeScorer(new RougeOptions { Metrics = metrics }));

    [Fact]
    public void Score_LinesThatNeedTooLargeATable_Throws()
    {
        string line = string.Join(' ', Enumerable.Repeat("a", 70_000));

        var scorer = new RougeScorer(new RougeOptions { Metrics = RougeMetrics.RougeLsum });

        Assert.Contains("70,000", Assert.Throws<ArgumentException>(() => scorer.Score(line, line)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Length_RandomWords_EqualsPlainRecursionAndMarks()
    {
        var random = new Random(7);
        for (int round = 0; round < 200; round++)
        {
            int[] a = [.. Enumerable.Range(0, random.Next(0, 90)).Select(_ => random.Next(6))];
            int[] b = [.. Enumerable.Range(0, random.Next(0, 90)).Select(_ => random.Next(6))];
            var table = new int[a.Length + 1, b.Length + 1];
            for (int i = 1; i <= a.Length; i++)
            {
                for (int j = 1; j <= b.Length; j++)
                {
                    table[i, j] = a[i - 1] == b[j - 1] ? table[i - 1, j - 1] + 1 : Math.Max(table[i - 1, j], table[i, j - 1]);
                }
            }

            var marked = new bool[a.Length];
            CommonSubsequence.Mark(a, b, marked);

            Assert.Equal(table[a.Length, b.Length], CommonSubsequence.Length(a, b));
            Assert.Equal(table[a.Length, b.Length], marked.Count(mark => mark));
        }
    }

    private static void AssertEqual(JsonElement expected, RougeScore actual, string what)
    {
        double[] figures = [actual.Precision, actual.Recall, actual.FMeasure];
        for (int i = 0; i < figures.Length; i++)
        {
            Assert.True(Math.Abs(expected[i].GetDouble() - figures[i]) < 1e-12, $"{what}: figure {i} is {figures[i]}, expected {expected[i]}");
        }
    }
}
