namespace Llama2.Tests;

public class SplitMix64Tests
{
    // The sequence that the author's C implementation (Vigna, splitmix64.c) prints for this seed.
    [Fact]
    public void Next_KnownSeed_GivesPublishedNumbers()
    {
        var random = new SplitMix64(1234567);
        Assert.Equal(
            [6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL, 4593380528125082431UL, 16408922859458223821UL],
            Enumerable.Range(0, 5).Select(_ => random.Next()).ToArray());
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(3UL)]
    [InlineData(1UL << 63)]
    [InlineData((1UL << 63) + 1)]       // almost half of all products come once too often
    [InlineData(ulong.MaxValue)]
    public void Below_AnyLimit_StaysBelowAndCentred(ulong limit)
    {
        var random = new SplitMix64(5);
        double sum = 0;
        for (int i = 0; i < 10_000; i++)
        {
            ulong number = random.Below(limit);
            Assert.InRange(number, 0UL, limit - 1);
            sum += (double)number / Math.Max(1, limit - 1);
        }

        Assert.InRange(sum / 10_000, limit == 1 ? 0 : 0.48, limit == 1 ? 0 : 0.52);   // ± 7 standard deviations of a uniform mean
    }

    [Fact]
    public void Below_SmallLimit_IsUniform()
    {
        var random = new SplitMix64(6);
        int[] counts = new int[7];
        for (int i = 0; i < 70_000; i++)
        {
            counts[random.Below(7)]++;
        }

        Assert.InRange(counts.Sum(count => Math.Pow(count - 10_000, 2) / 10_000), 0.5, 25);   // χ² with 6 degrees of freedom: P ≈ 0.002 and 0.0003
    }
}
