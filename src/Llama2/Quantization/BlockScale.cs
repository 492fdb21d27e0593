namespace Llama2;

/// <summary>The scale of a block that is being encoded.</summary>
internal static class BlockScale
{
    private const float HalfOverflow = 65520;                                              // rounds to infinity as a half

    /// <summary>Stores a scale at the beginning of a block.</summary>
    /// <param name="format">The format, for the message.</param>
    /// <param name="row">The whole row.</param>
    /// <param name="start">Where the block begins in it.</param>
    /// <param name="scale">The scale that the block's weights ask for.</param>
    /// <param name="destination">The block.</param>
    /// <returns>The factor that makes integers of the weights: 1 ÷ scale, or 0 for a block of zeros or of weights below any half.</returns>
    /// <exception cref="ArgumentException">A weight is not finite, or too large for a half-precision scale.</exception>
    public static float Store(WeightFormat format, ReadOnlySpan<float> row, int start, float scale, Span<byte> destination)
    {
        if (!(MathF.Abs(scale) < HalfOverflow))
        {
            throw Unfit(format, row, start);
        }

        HalfBits.Write(destination, scale);
        float inverse = 1 / scale;
        return float.IsFinite(inverse) ? inverse : 0;
    }

    private static ArgumentException Unfit(WeightFormat format, ReadOnlySpan<float> row, int start)
    {
        int worst = start;
        for (int i = start; i < start + format.BlockLength() && float.IsFinite(row[worst]); i++)
        {
            worst = !float.IsFinite(row[i]) || MathF.Abs(row[i]) > MathF.Abs(row[worst]) ? i : worst;
        }

        return new ArgumentException($"The weight at position {worst} is {row[worst]}, which {format} cannot store.", nameof(row));
    }
}
