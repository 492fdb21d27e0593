namespace Llama2;

/// <summary>Up to six inputs as integers of 16 bits: of every block of 32 columns the values and a scale.</summary>
/// <param name="values">[blocks, 16, inputs, 2 columns]; the last block is filled up with zeros.</param>
/// <param name="scales">[blocks, inputs]; input = scale · value.</param>
internal readonly unsafe struct ShortTile(short* values, float* scales)
{
    /// <summary>Columns of a block.</summary>
    public const int BlockLength = 32;

    /// <summary>The largest value.</summary>
    public const int Largest = 32750;

    /// <summary>The most that the values of a block may be together: the root of the sum of their squares, before they are rounded.</summary>
    /// <remarks>With <see cref="MostOfWeights"/> any sum of products stays below 2³¹, by the inequality of Cauchy and Schwarz.</remarks>
    public const int Most = 65500;

    /// <summary>The same for the weights of a block.</summary>
    public const int MostOfWeights = 32700;

    public short* Values => values;

    public float* Scales => scales;

    /// <summary>Blocks of a number of columns.</summary>
    public static int BlocksOf(int columns) => (columns + BlockLength - 1) / BlockLength;
}
