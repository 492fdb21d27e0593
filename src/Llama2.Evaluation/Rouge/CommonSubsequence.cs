using System.Buffers;

namespace Llama2.Evaluation;

/// <summary>Longest common subsequences of words.</summary>
internal static class CommonSubsequence
{
    // The table of choices takes a bit per cell; this is 512 MiB of them.
    private const long MaximumCells = 1L << 32;

    /// <summary>The length, by one row of the usual table: O(a·b) time, O(b) memory.</summary>
    public static int Length(ReadOnlySpan<int> a, ReadOnlySpan<int> b)
    {
        if (b.Length > a.Length)
        {
            ReadOnlySpan<int> shorter = a;
            a = b;
            b = shorter;
        }

        int[] rented = ArrayPool<int>.Shared.Rent(b.Length + 1);
        Span<int> row = rented.AsSpan(0, b.Length + 1);     // row[j] = length for a[..i], b[..j]
        row.Clear();
        foreach (int word in a)
        {
            int diagonal = 0, left = 0;
            for (int j = 0; j < b.Length; j++)
            {
                int above = row[j + 1];
                left = word == b[j] ? diagonal + 1 : Math.Max(left, above);
                diagonal = above;
                row[j + 1] = left;
            }
        }

        int length = row[^1];
        ArrayPool<int>.Shared.Return(rented);
        return length;
    }

    /// <summary>Marks the words of the reference that belong to one longest common subsequence: the one that the reference implementation finds.</summary>
    /// <remarks>
    /// There may be several, and which one is taken decides the union over the candidates. From the end: a match is taken, a tie goes up in the reference.
    /// </remarks>
    /// <exception cref="ArgumentException">The lines are too long for the table.</exception>
    public static void Mark(ReadOnlySpan<int> reference, ReadOnlySpan<int> candidate, Span<bool> marked)
    {
        if ((long)reference.Length * candidate.Length > MaximumCells)
        {
            throw new ArgumentException(
                $"ROUGE-Lsum compares lines of {reference.Length:N0} and {candidate.Length:N0} words; their product may be at most {MaximumCells:N0}.");
        }

        int stride = (candidate.Length + 63) / 64;
        int cells = checked(reference.Length * stride);
        ulong[] goesLeft = ArrayPool<ulong>.Shared.Rent(cells);     // [i, j / 64] bit j % 64: length[i, j-1] > length[i-1, j]
        int[] rented = ArrayPool<int>.Shared.Rent(candidate.Length + 1);
        goesLeft.AsSpan(0, cells).Clear();
        Span<int> row = rented.AsSpan(0, candidate.Length + 1);
        row.Clear();
        for (int i = 0; i < reference.Length; i++)
        {
            int diagonal = 0, left = 0;
            Span<ulong> choices = goesLeft.AsSpan(i * stride, stride);
            for (int j = 0; j < candidate.Length; j++)
            {
                int above = row[j + 1];
                choices[j >> 6] |= left > above ? 1UL << j : 0;
                left = reference[i] == candidate[j] ? diagonal + 1 : Math.Max(left, above);
                diagonal = above;
                row[j + 1] = left;
            }
        }

        for (int i = reference.Length - 1, j = candidate.Length - 1; i >= 0 && j >= 0;)
        {
            if (reference[i] == candidate[j])
            {
                marked[i--] = true;
                j--;
            }
            else if ((goesLeft[(i * stride) + (j >> 6)] >> j & 1) != 0)
            {
                j--;
            }
            else
            {
                i--;
            }
        }

        ArrayPool<int>.Shared.Return(rented);
        ArrayPool<ulong>.Shared.Return(goesLeft);
    }
}
