using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Llama2.Testing;

namespace Llama2.Tests;

[Trait("Category", "InstructionSets")]
public class SamplerTests
{
    private static readonly int[] _endIds = [2, 5];

    [Fact]
    public void Next_Greedy_TakesFirstOfTheLikeliest()
    {
        float[] logits = new float[100];
        (logits[31], logits[77], logits[90]) = (3, 3, 2.5f);
        float[] before = [.. logits];
        var sampler = new Sampler(new GenerationOptions { DoSample = false }, null, 100, [], [1]);
        Assert.Equal(31, sampler.Next(logits));
        Assert.Equal(31, new Sampler(new GenerationOptions { Temperature = 0 }, null, 100, [], [1]).Next(logits));
        Assert.Equal(before, logits);
    }

    [Fact]
    public void Next_PenaltyWithGreedy_ActsToo()
    {
        var sampler = new Sampler(new GenerationOptions { DoSample = false, RepetitionPenalty = 2 }, null, 4, [], []);
        float[] logits = [3, 2, 1.6f, -1];
        Assert.Equal([0, 1, 2, 0], Enumerable.Range(0, 4).Select(_ => sampler.Next(logits)));
        Assert.Equal([3, 2, 1.6f, -1], logits);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(10)]
    public void Constructor_IdBeyondVocabulary_Throws(int id)
    {
        var biased = new GenerationOptions { DoSample = false, LogitBias = new Dictionary<int, float> { [id] = 1 } };
        ArgumentException exception = Assert.Throws<ArgumentException>(() => new Sampler(biased, null, 10, [], []));
        Assert.Equal($"logit_bias holds the id {id}; an id must be from 0 to 9.", exception.Message);
        var stopping = new GenerationOptions { DoSample = false, StopTokenIds = [id] };
        exception = Assert.Throws<ArgumentException>(() => new Sampler(stopping, null, 10, [], []));
        Assert.Equal($"stop_token_ids holds the id {id}; an id must be from 0 to 9.", exception.Message);
        Assert.Throws<ArgumentException>(() => new Sampler(new GenerationOptions { DoSample = false }, null, 10, [], [id]));
    }

    [Fact]
    public void Constructor_WhatASettingNeedsIsMissing_Throws()
    {
        Assert.Throws<ArgumentException>(() => new Sampler(new GenerationOptions { DoSample = false, BadWords = ["a"] }, null, 10, [], []));
        Assert.Throws<ArgumentException>(() => new Sampler(new GenerationOptions { DoSample = true }, null, 10, [], []));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Next_EveryTokenForbidden_Throws(bool doSample)
    {
        var bias = Enumerable.Range(0, 4).ToDictionary(id => id, _ => float.NegativeInfinity);
        var sampler = new Sampler(new GenerationOptions { DoSample = doSample, Seed = 1, LogitBias = bias }, null, 4, [], []);
        Assert.Contains("forbidden", Assert.Throws<InvalidOperationException>(() => sampler.Next([1, 2, 3, 4])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Next_LogitsNotFinite_Throws(float value)
    {
        var sampler = new Sampler(new GenerationOptions { Seed = 1 }, null, 4, [], []);
        Assert.Contains("not finite", Assert.Throws<InvalidOperationException>(() => sampler.Next([1, 2, value, 4])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => sampler.Next([1, 2, 3]));
    }

    [Fact]
    public void Next_MinNewTokens_HoldsEveryEndBackUntilThen()
    {
        var sampler = new Sampler(new GenerationOptions { DoSample = false, MinNewTokens = 2 }, null, 6, [2, 5, 99], [1]);
        float[] logits = [0, 1, 9, 0, 0, 8];
        Assert.Equal([1, 1, 2], Enumerable.Range(0, 3).Select(_ => sampler.Next(logits)));
    }

    [Fact]
    public void Next_SameSeed_SameTokens()
    {
        float[] logits = Row(1000, 1, 1);
        int[] first = Draw(7), again = Draw(7), other = Draw(8);
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
        int[] Draw(long seed)
        {
            var sampler = new Sampler(new GenerationOptions { Seed = seed, TopP = 1, Temperature = 1 }, null, 1000, [], []);
            return [.. Enumerable.Range(0, 50).Select(_ => sampler.Next(logits))];
        }
    }

    // Drawn by an independent double-precision simulation of the same generator and filters; every machine must draw the same.
    [Theory]
    [InlineData(1f, 0, 1f, 0f, 1f, new[] { 22838, 3849, 8665, 10947, 206, 27420, 6177, 24969, 10905, 18489, 5914, 15305 })]
    [InlineData(0.6f, 0, 0.9f, 0f, 1f, new[] { 15907, 206, 206, 206, 206, 19198, 206, 16057, 206, 7523, 206, 206 })]
    [InlineData(1.3f, 40, 0.95f, 0.02f, 0.9f, new[] { 20957, 206, 7523, 11843, 206, 29941, 1307, 23399, 11843, 17639, 491, 15907 })]
    public void Next_GoldenSeed_GoldenTokens(float temperature, int topK, float topP, float minP, float typicalP, int[] expected)
    {
        float[] logits = Row(32000, 3, 2.5f);
        var options = new GenerationOptions { Seed = 42, Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, TypicalP = typicalP };
        var sampler = new Sampler(options, null, logits.Length, [], []);
        Assert.Equal(expected, Enumerable.Range(0, 12).Select(_ => sampler.Next(logits)));
    }

    [Fact]
    public void Next_ManyDraws_FollowTheDistribution()
    {
        var options = new GenerationOptions { Seed = 11, Temperature = 0.8f, TopK = 12, TopP = 0.95f };
        float[] logits = Row(30, 4, 1.5f);
        var sampler = new Sampler(options, null, logits.Length, [], []);
        double[] expected = SamplerReference.Distribution(options, [.. logits.Select(logit => (double)logit)]).Probabilities;
        int[] counts = new int[logits.Length];
        const int Draws = 100_000;
        for (int i = 0; i < Draws; i++)
        {
            counts[sampler.Next(logits)]++;
        }

        int[] kept = [.. Enumerable.Range(0, 30).Where(id => expected[id] > 0)];
        Assert.InRange(kept.Length, 5, 12);
        Assert.Equal(Draws, kept.Sum(id => counts[id]));
        double chiSquare = kept.Sum(id => Math.Pow(counts[id] - (Draws * expected[id]), 2) / (Draws * expected[id]));
        Assert.InRange(chiSquare, 0.5, 35);   // at most 11 degrees of freedom: P(χ² > 35) < 0.0003
    }

    [Property(MaxTest = 3000)]
    public Property Next_AnySettings_FollowsTheFormulas() => Prop.ForAll(Arb.From(Gen.Choose(0, int.MaxValue)), static seed =>
    {
        var random = new Random(seed);
        int vocabulary = random.Next(2, 60);
        GenerationOptions options = Settings(random, vocabulary);
        int[] prompt = [.. Enumerable.Range(0, random.Next(0, 12)).Select(_ => random.Next(vocabulary))];
        var answer = new List<int>();
        int[] endIds = [.. _endIds.Where(id => id < vocabulary)];
        var sampler = new Sampler(options, null, vocabulary, endIds, prompt);
        var draw = new TokenDraw(options.Or(GenerationOptions.Defaults), 0);
        for (int step = 0; step < 12; step++)
        {
            float[] logits = Row(vocabulary, random.Next(), (float)(random.NextDouble() * 4));
            double[] scores = SamplerReference.Process(options, logits, prompt, [.. answer], endIds, []);
            if (scores.Max() == double.NegativeInfinity)
            {
                Assert.Throws<InvalidOperationException>(() => sampler.Next(logits));
                break;
            }

            int token = sampler.Next(logits);
            if (options.DoSample == false)
            {
                Assert.InRange(scores[token], scores.Max() - 1e-5, scores.Max());
            }
            else
            {
                float[] row = [.. scores.Select(score => (float)score)];
                (double[] expected, bool doubtful) = SamplerReference.Distribution(options, [.. row.Select(score => (double)score)]);
                if (!doubtful)
                {
                    TokenCandidates candidates = draw.Filter(row, row.Max());
                    double[] actual = new double[vocabulary];
                    for (int i = 0; i < candidates.Ids.Length; i++)
                    {
                        actual[candidates.Ids[i]] = (double)candidates.Weights[i] / candidates.Total;
                    }

                    Assert.All(actual.Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-12));
                }

                Assert.True(doubtful || expected[token] > 0);
                Assert.True(scores[token] > double.NegativeInfinity);
            }

            answer.Add(token);
        }
    });

    [Theory]
    [InlineData(32000, 0.2f)]
    [InlineData(32000, 5f)]
    public void Filter_LargeVocabulary_FollowsTheFormulas(int vocabulary, float spread)
    {
        float[] logits = Row(vocabulary, 9, spread);
        (int TopK, float TopP, float MinP, float TypicalP)[] settings =
            [(0, 1f, 0f, 1f), (0, 0.9f, 0f, 1f), (1, 1, 0, 1), (40, 1, 0, 1), (500, 1, 0, 1), (0, 1, 0.05f, 1), (900, 0.8f, 0.01f, 1)];
        foreach ((int topK, float topP, float minP, float typicalP) in settings)
        {
            var options = new GenerationOptions { Temperature = 0.7f, TopK = topK, TopP = topP, MinP = minP, TypicalP = typicalP };
            TokenCandidates candidates = new TokenDraw(options.Or(GenerationOptions.Defaults), 0).Filter(logits, logits.Max());
            (double[] expected, bool doubtful) = SamplerReference.Distribution(options, [.. logits.Select(logit => (double)logit)], doubt: 1e-10);
            Assert.False(doubtful);
            double[] actual = new double[vocabulary];
            for (int i = 0; i < candidates.Ids.Length; i++)
            {
                actual[candidates.Ids[i]] = (double)candidates.Weights[i] / candidates.Total;
            }

            Assert.Equal(0, actual.Zip(expected).Max(pair => Math.Abs(pair.First - pair.Second)), 1e-12);
        }
    }

    [Theory]
    [InlineData("ascending")]
    [InlineData("descending")]
    [InlineData("equal")]
    [InlineData("organ pipe")]
    public void Filter_AnyOrder_KeepsTheRightTokens(string order)
    {
        const int Count = 5000;
        float[] logits = [.. Enumerable.Range(0, Count).Select(i => order switch
        {
            "ascending" => i * 1e-4f,
            "descending" => -i * 1e-4f,
            "equal" => 1f,
            _ => Math.Min(i, Count - i) * 1e-4f,
        })];
        GenerationOptions options = new GenerationOptions { TopK = 1234, TopP = 1 }.Or(GenerationOptions.Defaults);
        TokenCandidates candidates = new TokenDraw(options, 0).Filter(logits, logits.Max());
        Assert.Equal(Enumerable.Range(0, Count).OrderByDescending(i => logits[i]).ThenBy(i => i).Take(1234).Order(), candidates.Ids.ToArray());
    }

    [Fact]
    public void Next_ExtremeTemperatures_StayWithinTheRules()
    {
        float[] logits = [1, float.NegativeInfinity, 1.5f, -3e38f, 0];
        var cold = new Sampler(new GenerationOptions { Seed = 1, Temperature = float.Epsilon, TypicalP = 0.5f, MinP = 0.1f }, null, 5, [], []);
        Assert.All(Enumerable.Range(0, 20), _ => Assert.Equal(2, cold.Next(logits)));
        var hot = new Sampler(new GenerationOptions { Seed = 1, Temperature = float.MaxValue, TopP = 1 }, null, 5, [], []);
        Assert.Equal([0, 2, 3, 4], Enumerable.Range(0, 200).Select(_ => hot.Next(logits)).Distinct().Order());
    }

    public static TheoryData<GenerationOptions> Combinations =>
    [
        new() { DoSample = false },
        new() { DoSample = true, TopP = 1 },
        new() { DoSample = true },
        new() { DoSample = true, TopK = 40 },
        new() { DoSample = true, TopP = 1, MinP = 0.05f },
        new() { DoSample = true, TopP = 1, TypicalP = 0.8f },
        new() { DoSample = false, RepetitionPenalty = 1.2f },
        new() { DoSample = true, RepetitionPenalty = 1.2f, RepetitionWindow = 64 },
        new() { DoSample = false, PresencePenalty = 1, FrequencyPenalty = 0.5f },
        new() { DoSample = true, NoRepeatNgramSize = 3 },
        new() { DoSample = true, LogitBias = new Dictionary<int, float> { [3] = -5 }, MinNewTokens = 500 },
        new()
        {
            DoSample = true,
            TopK = 100,
            TopP = 0.95f,
            MinP = 0.01f,
            TypicalP = 0.95f,
            RepetitionPenalty = 1.1f,
            PresencePenalty = 0.5f,
            FrequencyPenalty = 0.1f,
            NoRepeatNgramSize = 4,
            LogitBias = new Dictionary<int, float> { [3] = 2 },
            MinNewTokens = 600,
        },
    ];

    [Theory]
    [MemberData(nameof(Combinations))]
    public void Next_OnceWarmedUp_AllocatesNothing(GenerationOptions options)
    {
        float[] logits = Row(2000, 5, 2);
        var sampler = new Sampler(options with { Seed = 3, MaxNewTokens = 1100 }, null, logits.Length, _endIds, [1, 7, 9]);
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int i = 0; i < 10; i++)
            {
                sampler.Next(logits);
            }
        }));
    }

    [Fact]
    public void Next_AnswerLongerThanExpected_GoesOn()
    {
        var options = new GenerationOptions { DoSample = false, NoRepeatNgramSize = 2, RepetitionPenalty = 1.01f, RepetitionWindow = 3, MaxNewTokens = 1 };
        var sampler = new Sampler(options, null, 12, [], [0, 1, 0]);
        var tokens = new List<int> { 0, 1, 0 };
        for (int i = 0; i < 100; i++)
        {
            tokens.Add(sampler.Next(Row(12, i, 1)));
        }

        Assert.Equal(tokens.Count - 1, tokens.Zip(tokens.Skip(1)).Distinct().Count());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(40)]
    public void Score_AnyRow_IsLogSoftmax(int top)
    {
        float[] logits = Row(30, 6, 3);
        (logits[4], logits[20], logits[11]) = (logits.Max(), logits.Max(), float.NegativeInfinity);
        double logTotal = Math.Log(logits.Sum(logit => Math.Exp(logit)));
        ScoredToken scored = Sampler.Score(logits, 17, top);
        Assert.Equal(17, scored.Token.TokenId);
        Assert.Equal(logits[17] - logTotal, scored.Token.LogProbability, 1e-6);
        Assert.Equal(Enumerable.Range(0, 30).OrderByDescending(id => logits[id]).ThenBy(id => id).Take(top), scored.Top.Select(score => score.TokenId));
        Assert.All(scored.Top.Where(score => score.TokenId != 11), score => Assert.Equal(logits[score.TokenId] - logTotal, score.LogProbability, 1e-6));
    }

    [Fact]
    public void Score_LargeFlatRow_IsLogSoftmax()
    {
        float[] logits = Row(32000, 8, 0.5f);
        double logTotal = Math.Log(logits.Sum(logit => Math.Exp(logit)));
        Assert.Equal(logits[123] - logTotal, Sampler.Score(logits, 123, 0).Token.LogProbability, 2e-6);
        Assert.Throws<ArgumentOutOfRangeException>(() => Sampler.Score(logits, 32000, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sampler.Score(logits, -1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sampler.Score(logits, 0, -1));
        Assert.Throws<InvalidOperationException>(() => Sampler.Score([0, float.NaN], 0, 0));
    }

    /// <summary>Normally distributed logits.</summary>
    private static float[] Row(int count, int seed, float spread)
    {
        var random = new SplitMix64((ulong)seed);
        float[] row = new float[count];
        for (int i = 0; i < count; i++)
        {
            // Twelve uniform numbers make a good enough bell, with nothing but additions.
            double sum = -6;
            for (int j = 0; j < 12; j++)
            {
                sum += random.Below(1 << 20) / (double)(1 << 20);
            }

            row[i] = (float)(sum * spread);
        }

        return row;
    }

    private static GenerationOptions Settings(Random random, int vocabulary)
    {
        return new()
        {
            DoSample = random.Next(5) > 0,
            Seed = random.NextInt64(),
            Temperature = Maybe(0.1f + (3 * random.NextSingle())),
            TopK = Maybe(random.Next(0, vocabulary + 5)),
            TopP = Maybe(1 - random.NextSingle()),
            MinP = Maybe(random.NextSingle() * random.NextSingle()),
            TypicalP = Maybe(1 - random.NextSingle()),
            RepetitionPenalty = Maybe(0.5f + random.NextSingle()),
            RepetitionWindow = Maybe(random.Next(0, 12)),
            PresencePenalty = Maybe((4 * random.NextSingle()) - 2),
            FrequencyPenalty = Maybe((4 * random.NextSingle()) - 2),
            NoRepeatNgramSize = Maybe(random.Next(0, 4)),
            MinNewTokens = Maybe(random.Next(0, 8)),
            LogitBias = random.Next(2) == 0 ? null : Enumerable.Range(0, 3).Select(_ => random.Next(vocabulary)).Distinct()
                .ToDictionary(id => id, _ => random.Next(3) == 0 ? float.NegativeInfinity : random.NextSingle() * 5),
        };

        T? Maybe<T>(T value)
            where T : struct => random.Next(2) == 0 ? null : value;
    }
}
