namespace Llama2;

/// <summary>How a weight matrix is stored. The names are those of the GGUF format.</summary>
/// <remarks>
/// The block formats store a row as blocks along the columns: 32 weights for <see cref="Q8_0"/> and <see cref="Q4_0"/>, 256 for the
/// K formats; a row's length must be a multiple of the block. On the CPU, matrices of <see cref="F16"/> and <see cref="BF16"/> with 256 columns and more are
/// multiplied as integers of 16 bits, of which 32 share an exponent: a weight that is small beside the others is rounded by at most 2⁻¹², mostly 2⁻¹⁴, of the largest.
/// </remarks>
public enum WeightFormat
{
    /// <summary>IEEE single precision, 4 bytes per weight.</summary>
    F32,

    /// <summary>IEEE half precision, 2 bytes per weight.</summary>
    F16,

    /// <summary>The upper half of a single, 2 bytes per weight.</summary>
    BF16,

    /// <summary>8-bit integers with one half-precision scale per 32 weights: 34 bytes per block.</summary>
    Q8_0,

    /// <summary>4-bit integers with one half-precision scale per 32 weights: 18 bytes per block.</summary>
    Q4_0,

    /// <summary>4-bit integers with 6-bit scales and minima in blocks of 256: 144 bytes per block.</summary>
    Q4_K,

    /// <summary>5-bit integers with 6-bit scales and minima in blocks of 256: 176 bytes per block.</summary>
    Q5_K,

    /// <summary>6-bit integers with 8-bit scales in blocks of 256: 210 bytes per block.</summary>
    Q6_K,
}

/// <summary>Sizes of the weight formats.</summary>
internal static class WeightFormatExtensions
{
    /// <summary>Weights per block; 1 for the plain formats.</summary>
    public static int BlockLength(this WeightFormat format) => format switch
    {
        WeightFormat.F32 or WeightFormat.F16 or WeightFormat.BF16 => 1,
        WeightFormat.Q8_0 or WeightFormat.Q4_0 => 32,
        WeightFormat.Q4_K or WeightFormat.Q5_K or WeightFormat.Q6_K => 256,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, null),
    };

    /// <summary>Bytes per block.</summary>
    public static int BlockBytes(this WeightFormat format) => format switch
    {
        WeightFormat.F32 => 4,
        WeightFormat.F16 or WeightFormat.BF16 => 2,
        WeightFormat.Q8_0 => 34,
        WeightFormat.Q4_0 => 18,
        WeightFormat.Q4_K => 144,
        WeightFormat.Q5_K => 176,
        WeightFormat.Q6_K => 210,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, null),
    };

    /// <summary>Bytes of one row of <paramref name="columns"/> weights; the length must be a multiple of the block.</summary>
    public static long RowBytes(this WeightFormat format, int columns) =>
        columns % format.BlockLength() == 0
            ? (long)columns / format.BlockLength() * format.BlockBytes()
            : throw new ArgumentException($"A row of {columns} weights is no multiple of {format}'s block of {format.BlockLength()}.", nameof(columns));
}
