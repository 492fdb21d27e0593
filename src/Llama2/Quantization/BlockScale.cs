using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>The scales of blocks that are being encoded.</summary>
internal static class BlockScale
{
    /// <summary>Blocks of which the scales are stored at once.</summary>
    public const int AtOnce = 8;

    /// <summary>The smallest number that rounds to infinity as a half.</summary>
    public const float HalfOverflow = 65520;

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

    /// <summary>Stores the scales of up to eight blocks, each at its beginning.</summary>
    /// <param name="format">The format.</param>
    /// <param name="row">The whole row.</param>
    /// <param name="start">Where the first block begins in it.</param>
    /// <param name="blocks">Blocks, from 1 to 8.</param>
    /// <param name="scales">Eight scales; those behind the blocks are any finite ones. They become the factors that make integers of the weights.</param>
    /// <param name="destination">The blocks.</param>
    /// <exception cref="ArgumentException">A weight is not finite, or too large for a half-precision scale.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Store(WeightFormat format, ReadOnlySpan<float> row, int start, int blocks, Span<float> scales, Span<byte> destination)
    {
        Vector256<float> scale = Vector256.Create(scales);
        Vector256<float> fits = Vector256.LessThan(Vector256.Abs(scale), Vector256.Create(HalfOverflow));
        if (fits.ExtractMostSignificantBits() != 0xFF)
        {
            throw Unfit(format, row, start + format.BlockLength() * int.TrailingZeroCount((int)~fits.ExtractMostSignificantBits()));
        }

        Vector256<float> inverse = Vector256<float>.One / scale;
        (inverse & Vector256.LessThanOrEqual(Vector256.Abs(inverse), Vector256.Create(float.MaxValue))).CopyTo(scales);
        Vector256<int> halves = HalfBits.FromSingle(scale);
        int blockBytes = format.BlockBytes();
        for (int block = 0; block < blocks; block++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(destination[(block * blockBytes)..], (ushort)halves[block]);
        }
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
