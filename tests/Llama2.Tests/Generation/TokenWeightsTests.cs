namespace Llama2.Tests;

[Trait("Category", "InstructionSets")]
public class TokenWeightsTests
{
    // round(2⁵¹ · eˣ) for the single-precision x above, computed with 60 digits.
    private static readonly ulong[] _golden =
    [
        2251799813685248,
        2037512726312684,
        828390857088487,
        184838984607649,
        2053375640139,
        3963947498,
        4641305,
        211,
        10,
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(1003)]
    public void Compute_AnyLength_IsExponentialInUnits(int count)
    {
        float[] logits = [.. Enumerable.Range(0, count).Select(i => -(i * 37 % count) * 0.05f)];
        int bits = TokenWeights.UnitBits(count);
        ulong[] weights = new ulong[count];
        ulong total = TokenWeights.Compute(logits, 0, 0.7, bits, weights);
        Assert.Equal(weights.Aggregate(0UL, (sum, weight) => sum + weight), total);
        double unit = Math.Pow(2, -bits);
        Assert.All(logits.Zip(weights), pair => Assert.Equal(Math.Exp(pair.First / 0.7), pair.Second * unit, 1.01 * unit));
        Assert.Equal(1UL << bits, weights[0]);
    }

    [Fact]
    public void Compute_FarBelowTheMaximum_WeighsNothing()
    {
        ulong[] weights = new ulong[4];
        Assert.Equal(1UL << 51, TokenWeights.Compute([3e38f, float.NegativeInfinity, -3e38f, 2e38f], 3e38f, float.Epsilon, 51, weights));
        Assert.Equal([1UL << 51, 0, 0, 0], weights);
    }

    // Held against weights that every vector width must give; the odd count takes the path of a row's end as well.
    [Fact]
    public void Compute_GoldenRow_GoldenBits()
    {
        float[] logits = [0, -0.1f, -1, -2.5f, -7, -13.25f, -20, -30, -33];
        ulong[] weights = new ulong[logits.Length];
        TokenWeights.Compute(logits, 0, 1, 51, weights);
        Assert.Equal(_golden, weights);
    }

    [Theory]
    [InlineData(1, 51)]
    [InlineData(2048, 51)]
    [InlineData(32000, 48)]
    [InlineData(500_000, 44)]
    [InlineData(int.MaxValue, 32)]
    public void UnitBits_AnyVocabulary_LeavesRoomForTheSum(int vocabularySize, int expected)
    {
        Assert.Equal(expected, TokenWeights.UnitBits(vocabularySize));
        Assert.True((UInt128)vocabularySize << expected < (UInt128)1 << 63);
    }

    [Fact]
    public void Rank_Logits_OrderByValueThenId()
    {
        float[] ascending = [float.NegativeInfinity, -3e38f, -1, -float.Epsilon, 0, float.Epsilon, 1, 3e38f];
        ulong[] ranks = [.. ascending.Select(logit => TokenWeights.Rank(logit, 7))];
        Assert.Equal(ranks.Order(), ranks);
        Assert.Equal(ranks.Length, ranks.Distinct().Count());
        Assert.True(TokenWeights.Rank(1, 3) > TokenWeights.Rank(1, 4));
        Assert.True(TokenWeights.Rank(1, int.MaxValue) > TokenWeights.Rank(0.99f, 0));
    }
}
