namespace Llama2.Training.Tests;

public sealed class SequencePackerTests
{
    [Theory]
    [InlineData(1, 0), InlineData(2, 1), InlineData(3, 50), InlineData(4, 2000)]
    public void Pack_RandomLengths_FillsWell(int seed, int count)
    {
        var random = new Random(seed);
        int[] lengths = [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 101))];

        int[][] packs = SequencePacker.Pack([.. Enumerable.Range(0, count)], row => lengths[row], 100);

        Assert.Equal(Enumerable.Range(0, count), packs.SelectMany(pack => pack).Order());
        Assert.All(packs, pack => Assert.InRange(pack.Sum(row => lengths[row]), 1, 100));
        Assert.InRange(packs.Length, (lengths.Sum() + 99) / 100, lengths.Sum() / 100.0 * 1.15 + 1);
    }

    [Fact]
    public void Pack_KnownLengths_TakesTheTightestPlace()
    {
        int[] lengths = [3, 7, 2, 5, 10, 1];

        Assert.Equal([[4], [1, 0], [3, 2, 5]], SequencePacker.Pack([0, 1, 2, 3, 4, 5], row => lengths[row], 10));
    }
}
