namespace Llama2.Training;

/// <summary>Orders that are the same on every machine.</summary>
internal static class EpochOrder
{
    /// <summary>The order that divides rows, which no epoch has.</summary>
    public const int Split = -1;

    /// <summary>Shuffles in place (Fisher and Yates).</summary>
    public static void Shuffle(Span<int> items, int seed, int epoch)
    {
        var random = new SplitMix64(new SplitMix64((ulong)(uint)seed << 32 | (uint)epoch).Next());
        for (int i = items.Length - 1; i > 0; i--)
        {
            int other = (int)random.Below((ulong)i + 1);
            (items[i], items[other]) = (items[other], items[i]);
        }
    }
}
