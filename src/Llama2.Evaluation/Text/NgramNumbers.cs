using System.Runtime.InteropServices;

namespace Llama2.Evaluation;

/// <summary>Numbers the n-grams of one order, given those of the order below: equal n-grams have equal numbers, counted from 0.</summary>
internal sealed class NgramNumbers
{
    private readonly Dictionary<long, int> _numbers = [];

    public int Count => _numbers.Count;

    /// <summary>Turns (n−1)-grams into n-grams in place: <c>grams[i]</c> begins at word i.</summary>
    /// <param name="grams">The numbers of the (n−1)-grams; the 1-grams are the words themselves.</param>
    /// <param name="tokens">The words.</param>
    /// <param name="order">n, at least 2.</param>
    /// <returns>The n-grams; one less than there were (n−1)-grams, or none.</returns>
    public Span<int> Extend(Span<int> grams, ReadOnlySpan<int> tokens, int order)
    {
        Span<int> longer = grams[..Math.Max(0, tokens.Length - order + 1)];
        for (int i = 0; i < longer.Length; i++)
        {
            long key = ((long)grams[i] << 32) | (uint)tokens[i + order - 1];
            ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(_numbers, key, out bool exists);
            if (!exists)
            {
                number = _numbers.Count - 1;
            }

            longer[i] = number;
        }

        return longer;
    }
}
