namespace Llama2;

/// <summary>The two orders of the rows of query and key projections.</summary>
internal static class RotaryOrder
{
    /// <summary>Where Meta's order keeps the row that Hugging Face's order has at <paramref name="row"/>.</summary>
    public static int InterleavedRow(int row, int headSize)
    {
        int head = row / headSize * headSize, i = row % headSize, half = headSize / 2;
        return head + (i < half ? 2 * i : 2 * (i - half) + 1);
    }

    /// <summary>Where a file keeps the row that Hugging Face's order has at <paramref name="row"/>.</summary>
    /// <param name="row">The row.</param>
    /// <param name="interleavedHeadSize">The size of a head whose rows are in Meta's order, or 0 where they are in Hugging Face's.</param>
    public static int StoredRow(int row, int interleavedHeadSize) => interleavedHeadSize == 0 ? row : InterleavedRow(row, interleavedHeadSize);

    /// <summary>Where Hugging Face's order keeps the row that Meta's order has at <paramref name="row"/>: the inverse.</summary>
    public static int HalvedRow(int row, int headSize)
    {
        int head = row / headSize * headSize, i = row % headSize, half = headSize / 2;
        return head + (i % 2 == 0 ? i / 2 : half + i / 2);
    }
}
