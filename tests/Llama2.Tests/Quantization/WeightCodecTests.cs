using System.Runtime.InteropServices;

namespace Llama2.Tests;

public class WeightCodecTests
{
    public static TheoryData<WeightFormat> Formats => [.. Enum.GetValues<WeightFormat>()];

    public static TheoryData<WeightFormat> WrittenFormats => [.. Enum.GetValues<WeightFormat>().Where(WeightCodec.CanEncode)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Decode_RandomBytes_HasTheBitsOfTheScalarTwin(WeightFormat format)
    {
        var random = new Random(7);
        for (int blocks = 1; blocks <= 67; blocks += 6)                                    // whole vectors and remainders
        {
            byte[] row = new byte[blocks * format.BlockBytes()];
            random.NextBytes(row);                                                         // infinite and not-a-number scales among them
            float[] vectors = new float[blocks * format.BlockLength()], scalars = new float[vectors.Length];
            WeightCodec.Decode(format, row, vectors);
            WeightCodec.DecodeScalar(format, row, scalars);
            Assert.Equal(Bits(scalars), Bits(vectors));
        }
    }

    [Fact]
    public void Decode_EveryHalf_HasTheBitsOfTheScalarTwin()
    {
        byte[] row = MemoryMarshal.AsBytes<ushort>(Enumerable.Range(0, 1 << 16).Select(bits => (ushort)bits).ToArray()).ToArray();
        foreach (WeightFormat format in new[] { WeightFormat.F16, WeightFormat.BF16 })
        {
            float[] vectors = new float[1 << 16], scalars = new float[1 << 16];
            WeightCodec.Decode(format, row, vectors);
            WeightCodec.DecodeScalar(format, row, scalars);
            Assert.Equal(Bits(scalars), Bits(vectors));
        }
    }

    [Theory]
    [MemberData(nameof(WrittenFormats))]
    public void Encode_RandomWeights_HasTheBytesOfTheScalarTwin(WeightFormat format)
    {
        var random = new Random(11);
        for (int columns = 32; columns <= 32 * 40; columns += 32 * 3)
        {
            foreach (float magnitude in new[] { 1e-42f, 1e-38f, 1e-9f, 0.02f, 1f, 3e4f })
            {
                float[] row = Weights(random, columns, magnitude);
                byte[] vectors = new byte[format.RowBytes(columns)], scalars = new byte[vectors.Length];
                WeightCodec.Encode(format, row, vectors);
                WeightCodec.EncodeScalar(format, row, scalars);
                Assert.Equal(scalars, vectors);
            }
        }
    }

    [Theory]
    [InlineData(WeightFormat.F32)]
    [InlineData(WeightFormat.F16)]
    [InlineData(WeightFormat.BF16)]
    public void Encode_RandomBits_HasTheBytesOfTheScalarTwin(WeightFormat format)
    {
        byte[] bits = new byte[1 << 20];
        new Random(13).NextBytes(bits);
        ReadOnlySpan<float> row = MemoryMarshal.Cast<byte, float>(bits);
        byte[] vectors = new byte[format.RowBytes(row.Length)], scalars = new byte[vectors.Length];
        WeightCodec.Encode(format, row, vectors);
        WeightCodec.EncodeScalar(format, row, scalars);
        Assert.Equal(scalars, vectors);
    }

    [Theory]
    [InlineData(WeightFormat.F32, 0)]
    [InlineData(WeightFormat.F16, 1 / 2048.0)]
    [InlineData(WeightFormat.BF16, 1 / 256.0)]
    public void Decode_OfEncode_PlainFormats_StayWithinHalfAnUlp(WeightFormat format, double relative)
    {
        float[] row = Weights(new Random(17), 1000, 1);
        float[] back = RoundTrip(format, row);
        for (int i = 0; i < row.Length; i++)
        {
            Assert.True(Math.Abs((double)back[i] - row[i]) <= relative * Math.Abs(row[i]) + 1e-7 * relative);
        }
    }

    [Fact]
    public void Decode_OfEncodeQ8_StaysWithinHalfAStep()
    {
        float[] row = Weights(new Random(19), 4096, 0.1f);
        float[] back = RoundTrip(WeightFormat.Q8_0, row);
        for (int start = 0; start < row.Length; start += 32)
        {
            double largest = row.Skip(start).Take(32).Max(MathF.Abs), step = largest / 127;
            for (int i = start; i < start + 32; i++)
            {
                // Half a step, and what rounding the scale to a half (2⁻¹¹) moves.
                Assert.True(Math.Abs((double)back[i] - row[i]) <= step * 0.5001 + largest / 2048);
            }
        }
    }

    [Fact]
    public void Decode_OfEncodeQ4_StaysWithinAStep()
    {
        float[] row = Weights(new Random(23), 4096, 0.1f);
        float[] back = RoundTrip(WeightFormat.Q4_0, row);
        for (int start = 0; start < row.Length; start += 32)
        {
            double largest = row.Skip(start).Take(32).Max(MathF.Abs), step = largest / 8;
            for (int i = start; i < start + 32; i++)
            {
                // Half a step, a whole one opposite to the largest weight (8 is cut to 7), and the rounding of the scale.
                bool opposite = row[i] * row.Skip(start).Take(32).MaxBy(MathF.Abs) < 0;
                Assert.True(Math.Abs((double)back[i] - row[i]) <= step * (opposite ? 1.0001 : 0.5001) + largest / 2048);
            }
        }
    }

    [Fact]
    public void EncodeQ8_KnownBlock_HasTheReferenceBytes()
    {
        float[] row = new float[32];
        (row[0], row[1], row[2], row[3], row[31]) = (127, -127, 0.5f, -2.5f, 1.4999999f);  // scale 1: halves go away from zero
        byte[] block = new byte[34];
        WeightCodec.Encode(WeightFormat.Q8_0, row, block);
        Assert.Equal([0x00, 0x3C, 127, unchecked((byte)-127), 1, unchecked((byte)-3)], block[..6]);
        Assert.Equal(1, block[33]);
    }

    [Fact]
    public void EncodeQ4_KnownBlock_HasTheReferenceBytes()
    {
        float[] row = new float[32];
        (row[0], row[1], row[16], row[17], row[2]) = (-8, 8, 7, -7.5f, 0.49f);             // the first of equal magnitudes decides: scale 1
        byte[] block = new byte[18];
        WeightCodec.Encode(WeightFormat.Q4_0, row, block);
        Assert.Equal([0x00, 0x3C, 0xF0, 0x1F, 0x88], block[..5]);                           // −7.5 + 8.5 = 1, 8 + 8.5 is cut to 15

        (row[0], row[1]) = (8, -8);
        WeightCodec.Encode(WeightFormat.Q4_0, row, block);
        Assert.Equal([0x00, 0xBC], block[..2]);                                            // scale −1
        Assert.Equal(8, RoundTrip(WeightFormat.Q4_0, row)[0]);
    }

    [Fact]
    public void EncodeQ8_EveryRatioNearAHalf_RoundsAwayFromZero()
    {
        for (int step = -126; step <= 126; step++)
        {
            foreach (float weight in new[] { step + 0.5f, MathF.BitIncrement(step + 0.5f), MathF.BitDecrement(step + 0.5f) })
            {
                float[] row = new float[32];
                (row[5], row[6]) = (127, weight);
                byte[] block = new byte[34];
                WeightCodec.Encode(WeightFormat.Q8_0, row, block);
                Assert.Equal((sbyte)MathF.Round(weight, MidpointRounding.AwayFromZero), (sbyte)block[8]);
            }
        }
    }

    [Theory]
    [InlineData(WeightFormat.Q8_0, 0)]
    [InlineData(WeightFormat.Q4_0, 0x88)]
    public void Encode_BlockOfZeros_DecodesToZeros(WeightFormat format, byte zero)
    {
        byte[] block = new byte[format.BlockBytes()];
        WeightCodec.Encode(format, new float[32], block);
        Assert.All(block[2..], value => Assert.Equal(zero, value));
        Assert.All(RoundTrip(format, new float[32]), weight => Assert.Equal(0, weight));
    }

    [Theory]
    [InlineData(WeightFormat.Q8_0, float.NaN)]
    [InlineData(WeightFormat.Q8_0, float.PositiveInfinity)]
    [InlineData(WeightFormat.Q8_0, 1e30f)]
    [InlineData(WeightFormat.Q4_0, float.NaN)]
    [InlineData(WeightFormat.Q4_0, float.NegativeInfinity)]
    [InlineData(WeightFormat.Q4_0, -1e30f)]
    public void Encode_WeightThatBlocksCannotHold_NamesThePosition(WeightFormat format, float weight)
    {
        float[] row = Weights(new Random(29), 96, 1);
        row[50] = weight;
        byte[] destination = new byte[format.RowBytes(96)];
        Assert.Contains("position 50", Assert.Throws<ArgumentException>(() => WeightCodec.Encode(format, row, destination)).Message, StringComparison.Ordinal);
        Assert.Contains("position 50", Assert.Throws<ArgumentException>(() => WeightCodec.EncodeScalar(format, row, destination)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(WeightFormat.F16)]
    [InlineData(WeightFormat.BF16)]
    public void Encode_NotANumber_StaysOne(WeightFormat format)
    {
        float[] row = [.. Enumerable.Repeat(BitConverter.UInt32BitsToSingle(0xFF800001), 40), float.PositiveInfinity, -0f];
        float[] back = RoundTrip(format, row);
        Assert.All(back[..40], weight => Assert.True(float.IsNaN(weight)));
        Assert.Equal([BitConverter.SingleToUInt32Bits(float.PositiveInfinity), 0x80000000], Bits(back[40..]));
    }

    [Theory]
    [InlineData(0x3F808000u, 0x3F80)]                                                      // a tie, to the even one below
    [InlineData(0x3F818000u, 0x3F82)]                                                      // a tie, to the even one above
    [InlineData(0x3F808001u, 0x3F81)]
    [InlineData(0x7F7FFFFFu, 0x7F80)]                                                      // the largest float rounds to infinity
    public void EncodeBF16_Value_RoundsToNearestEven(uint bits, int expected)
    {
        float[] row = Enumerable.Repeat(BitConverter.UInt32BitsToSingle(bits), 17).ToArray();
        byte[] destination = new byte[34];
        WeightCodec.Encode(WeightFormat.BF16, row, destination);
        Assert.All(MemoryMarshal.Cast<byte, ushort>(destination).ToArray(), value => Assert.Equal(expected, value));
    }

    [Theory]
    [InlineData(WeightFormat.Q4_K)]
    [InlineData(WeightFormat.Q5_K)]
    [InlineData(WeightFormat.Q6_K)]
    public void Encode_KFormat_IsRefused(WeightFormat format) =>
        Assert.Throws<NotSupportedException>(() => WeightCodec.Encode(format, new float[256], new byte[256]));

    [Fact]
    public void Decode_BrokenBlockOrShortDestination_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => WeightCodec.Decode(WeightFormat.Q8_0, new byte[35], new float[64]));
        Assert.Throws<ArgumentException>(() => WeightCodec.Decode(WeightFormat.Q8_0, new byte[68], new float[63]));
        Assert.Throws<ArgumentException>(() => WeightCodec.Encode(WeightFormat.Q8_0, new float[33], new byte[68]));
        Assert.Throws<ArgumentException>(() => WeightCodec.Encode(WeightFormat.Q8_0, new float[32], new byte[33]));
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightCodec.Decode((WeightFormat)99, new byte[2], new float[1]));
    }

    internal static float[] Weights(Random random, int count, float magnitude) =>
        Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2 - 1) * magnitude).ToArray();

    private static float[] RoundTrip(WeightFormat format, float[] row)
    {
        byte[] stored = new byte[format.RowBytes(row.Length)];
        WeightCodec.Encode(format, row, stored);
        float[] back = new float[row.Length];
        WeightCodec.Decode(format, stored, back);
        return back;
    }

    private static uint[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToUInt32Bits);
}
