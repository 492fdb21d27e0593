namespace Llama2;

/// <summary>Up to eight inputs as integers: of every block of 32 columns the values, a scale, and what sums with unsigned weights begin with.</summary>
/// <param name="values">[blocks, 8, inputs, 4 columns].</param>
/// <param name="scales">[blocks, inputs]; input = scale · value.</param>
/// <param name="sums">[blocks, inputs]: scale · Σ value.</param>
/// <param name="starts">Room for <see cref="StartsPerBlock"/> numbers for each block of each input.</param>
/// <param name="blocks">Blocks of all inputs together.</param>
internal readonly unsafe struct ByteTile(sbyte* values, float* scales, float* sums, int* starts, nint blocks)
{
    /// <summary>Columns of a block.</summary>
    public const int BlockLength = 32;

    /// <summary>Numbers to begin sums with, for each block of an input: one for each offset, two for 32.</summary>
    public const int StartsPerBlock = 5;

    public sbyte* Values => values;

    public float* Scales => scales;

    public float* Sums => sums;

    /// <summary>−offset · Σ value, which takes the offset of unsigned weights off: [blocks, inputs], or [blocks, 2, inputs] of 16 columns each for 32.</summary>
    /// <remarks>
    /// One number, or two of 16 bits where sums are kept in such (<see cref="IByteLanes{TSelf, TFloats}"/>): that of columns 0, 1, 4, 5, … in the lower
    /// half and that of 2, 3, 6, 7, … in the upper one. Always one number for 128.
    /// </remarks>
    /// <param name="offset">8, 16 or 32, of weights of 4, 5 or 6 bits, or 128, of bytes.</param>
    public int* Starts(int offset) => starts + blocks * offset switch { 8 => 0, 16 => 1, 128 => 2, _ => 3 };
}
