using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>Rows of weights between single precision and every <see cref="WeightFormat"/>.</summary>
/// <remarks>
/// The twins without vectors serve machines without them, and the tests, which compare bits. All methods are thread-safe.
/// </remarks>
internal static class WeightCodec
{
    /// <summary>Decodes one row; exact, and the same bits with every instruction set.</summary>
    /// <param name="format">How <paramref name="row"/> is stored.</param>
    /// <param name="row">A whole number of blocks.</param>
    /// <param name="destination">One float per weight, or more.</param>
    /// <exception cref="ArgumentException">The row is not a whole number of blocks, or the destination is too short.</exception>
    public static void Decode(WeightFormat format, ReadOnlySpan<byte> row, Span<float> destination)
    {
        destination = destination[..WeightCount(format, row.Length, destination.Length)];
        if (!Vector128.IsHardwareAccelerated)
        {
            DecodeScalar(format, row, destination);
            return;
        }

        switch (format)
        {
            case WeightFormat.F32: PlainRows.DecodeF32(row, destination); break;
            case WeightFormat.F16: PlainRows.DecodeF16(row, destination); break;
            case WeightFormat.BF16: PlainRows.DecodeBF16(row, destination); break;
            case WeightFormat.Q8_0: Q8Blocks.Decode(row, destination); break;
            case WeightFormat.Q4_0: Q4Blocks.Decode(row, destination); break;
            case WeightFormat.Q4_K: KBlocks.DecodeQ4(row, destination); break;
            case WeightFormat.Q5_K: KBlocks.DecodeQ5(row, destination); break;
            default: KBlocks.DecodeQ6(row, destination); break;
        }
    }

    /// <summary>The twin of <see cref="Decode"/> without vectors.</summary>
    public static void DecodeScalar(WeightFormat format, ReadOnlySpan<byte> row, Span<float> destination)
    {
        destination = destination[..WeightCount(format, row.Length, destination.Length)];
        switch (format)
        {
            case WeightFormat.F32: PlainRows.DecodeF32(row, destination); break;
            case WeightFormat.F16: PlainRows.DecodeF16Scalar(row, destination); break;
            case WeightFormat.BF16: PlainRows.DecodeBF16Scalar(row, destination); break;
            case WeightFormat.Q8_0: Q8Blocks.DecodeScalar(row, destination); break;
            case WeightFormat.Q4_0: Q4Blocks.DecodeScalar(row, destination); break;
            case WeightFormat.Q4_K: KBlocks.DecodeQ4Scalar(row, destination); break;
            case WeightFormat.Q5_K: KBlocks.DecodeQ5Scalar(row, destination); break;
            default: KBlocks.DecodeQ6Scalar(row, destination); break;
        }
    }

    /// <summary>Encodes one row; F32, F16, BF16, Q8_0 and Q4_0 only, with the bits of llama.cpp's reference quantisers.</summary>
    /// <remarks>
    /// F16 and BF16 round to the nearest, ties to even; a NaN stays one, and what F16 cannot hold becomes infinite.
    /// </remarks>
    /// <param name="format">How to store the row.</param>
    /// <param name="row">A whole number of blocks.</param>
    /// <param name="destination">The bytes of the row, or more.</param>
    /// <exception cref="ArgumentException">
    /// The row is not a whole number of blocks, the destination is too short, or a weight that is not finite (or absurdly large) meets a block format.
    /// </exception>
    /// <exception cref="NotSupportedException">The format is one that is only read.</exception>
    public static void Encode(WeightFormat format, ReadOnlySpan<float> row, Span<byte> destination)
    {
        destination = destination[..ByteCount(format, row.Length, destination.Length)];
        if (!Vector128.IsHardwareAccelerated)
        {
            EncodeScalar(format, row, destination);
            return;
        }

        switch (format)
        {
            case WeightFormat.F32: PlainRows.EncodeF32(row, destination); break;
            case WeightFormat.F16: PlainRows.EncodeF16(row, destination); break;
            case WeightFormat.BF16: PlainRows.EncodeBF16(row, destination); break;
            case WeightFormat.Q8_0: Q8Blocks.Encode(row, destination); break;
            default: Q4Blocks.Encode(row, destination); break;
        }
    }

    /// <summary>The twin of <see cref="Encode"/> without vectors.</summary>
    public static void EncodeScalar(WeightFormat format, ReadOnlySpan<float> row, Span<byte> destination)
    {
        destination = destination[..ByteCount(format, row.Length, destination.Length)];
        switch (format)
        {
            case WeightFormat.F32: PlainRows.EncodeF32(row, destination); break;
            case WeightFormat.F16: PlainRows.EncodeF16Scalar(row, destination); break;
            case WeightFormat.BF16: PlainRows.EncodeBF16Scalar(row, destination); break;
            case WeightFormat.Q8_0: Q8Blocks.EncodeScalar(row, destination); break;
            default: Q4Blocks.EncodeScalar(row, destination); break;
        }
    }

    /// <summary>Whether <see cref="Encode"/> writes the format.</summary>
    public static bool CanEncode(WeightFormat format) =>
        format is WeightFormat.F32 or WeightFormat.F16 or WeightFormat.BF16 or WeightFormat.Q8_0 or WeightFormat.Q4_0;

    private static int WeightCount(WeightFormat format, int bytes, int room)
    {
        (int blocks, int rest) = int.DivRem(bytes, format.BlockBytes());
        if (rest != 0)
        {
            throw new ArgumentException($"{bytes} bytes are no whole number of {format} blocks of {format.BlockBytes()} bytes.");
        }

        long count = (long)blocks * format.BlockLength();
        return count <= room ? (int)count : throw new ArgumentException($"{count} weights do not fit into {room}.");
    }

    private static int ByteCount(WeightFormat format, int weights, int room)
    {
        if (!CanEncode(format))
        {
            throw new NotSupportedException($"{format} is read, not written; choose F32, F16, BF16, Q8_0 or Q4_0.");
        }

        long bytes = format.RowBytes(weights);
        return bytes <= room ? (int)bytes : throw new ArgumentException($"{bytes} bytes do not fit into {room}.");
    }
}
