namespace Llama2;

/// <summary>Up to six inputs as integers: of every block of 32 columns the values, a scale, and what the offsets of weights add.</summary>
/// <param name="values">[blocks, 8, inputs, 4 columns].</param>
/// <param name="scales">[blocks, inputs]; input = scale · value.</param>
/// <param name="pairSums">[blocks, inputs]: the sum of columns 0, 1, 4, 5, … in the lower 16 bits and that of 2, 3, 6, 7, … in the upper.</param>
/// <param name="halfPairSums">[blocks, 2, inputs]: the same of the first and of the last 16 columns.</param>
/// <param name="sums">[blocks, inputs]: scale · Σ value.</param>
internal readonly unsafe struct ByteTile(sbyte* values, float* scales, int* pairSums, int* halfPairSums, float* sums)
{
    /// <summary>Columns of a block.</summary>
    public const int BlockLength = 32;

    public sbyte* Values => values;

    public float* Scales => scales;

    public int* PairSums => pairSums;

    public int* HalfPairSums => halfPairSums;

    public float* Sums => sums;
}
