namespace Llama2;

/// <summary>Rows of weights between single precision and every <see cref="WeightFormat"/>.</summary>
internal static class WeightCodec
{
    /// <summary>Decodes one row; exact, and the same bits with every instruction set.</summary>
    /// <param name="format">How <paramref name="row"/> is stored.</param>
    /// <param name="row">A whole number of blocks.</param>
    /// <param name="destination">One float per weight.</param>
    public static void Decode(WeightFormat format, ReadOnlySpan<byte> row, Span<float> destination) => throw new NotImplementedException();

    /// <summary>Encodes one row; F32, F16, BF16, Q8_0 and Q4_0 only.</summary>
    /// <param name="format">How to store the row.</param>
    /// <param name="row">A whole number of blocks.</param>
    /// <param name="destination">The bytes of the row.</param>
    public static void Encode(WeightFormat format, ReadOnlySpan<float> row, Span<byte> destination) => throw new NotImplementedException();
}
