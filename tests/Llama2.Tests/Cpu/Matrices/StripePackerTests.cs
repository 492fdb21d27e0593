namespace Llama2.Tests;

public unsafe class StripePackerTests
{
    [Theory]
    [InlineData(WeightFormat.F32, 100, 32)]
    [InlineData(WeightFormat.F16, 7, 32)]
    [InlineData(WeightFormat.F16, 77, 21)]
    [InlineData(WeightFormat.BF16, 130, 5)]
    [InlineData(WeightFormat.BF16, 192, 32)]
    [InlineData(WeightFormat.Q8_0, 96, 32)]
    [InlineData(WeightFormat.Q8_0, 32, 17)]
    [InlineData(WeightFormat.Q8_0, 352, 23)]
    [InlineData(WeightFormat.Q4_0, 96, 32)]
    [InlineData(WeightFormat.Q4_0, 64, 1)]
    [InlineData(WeightFormat.Q4_0, 352, 30)]
    [InlineData(WeightFormat.Q4_K, 512, 32)]
    [InlineData(WeightFormat.Q4_K, 256, 17)]
    [InlineData(WeightFormat.Q5_K, 768, 32)]
    [InlineData(WeightFormat.Q5_K, 256, 1)]
    [InlineData(WeightFormat.Q6_K, 512, 32)]
    [InlineData(WeightFormat.Q6_K, 256, 31)]
    public void ReadRow_PackedRows_SameBitsAsDecoded(WeightFormat format, int columns, int rows)
    {
        using var stripe = new PackedStripe(format, PackedStripe.Random(rows * columns, 3), columns);
        float[] read = new float[columns];
        for (int row = 0; row < rows; row++)
        {
            StripePacker.ReadRow(format, stripe.Ordinary, stripe.Pointer, row, read);
            Assert.Equal(stripe.Decoded[row].Select(BitConverter.SingleToInt32Bits), read.Select(BitConverter.SingleToInt32Bits));
        }

        for (int row = rows; row < 32; row++)
        {
            StripePacker.ReadRow(format, stripe.Ordinary, stripe.Pointer, row, read);
            Assert.All(read, weight => Assert.Equal(0, weight));
        }
    }

    [Fact]
    public void Pack_FewRowsIntoUsedMemory_ClearsTheOthers()
    {
        byte* rows = stackalloc byte[34], stripe = stackalloc byte[34 * 32];
        new Span<byte>(rows, 34).Fill(1);
        new Span<byte>(stripe, 34 * 32).Fill(255);
        bool ordinary = StripePacker.Pack(WeightFormat.Q8_0, new FileRows(rows, 34, 1), 32, stripe);
        float[] read = new float[32];
        StripePacker.ReadRow(WeightFormat.Q8_0, ordinary, stripe, 1, read);
        Assert.All(read, weight => Assert.Equal(0, weight));
    }

    [Theory]
    [InlineData(WeightFormat.Q4_K)]
    [InlineData(WeightFormat.Q5_K)]
    [InlineData(WeightFormat.Q6_K)]
    public void ReadRow_AnyBytesOfKQuants_SameBitsAsDecoded(WeightFormat format)
    {
        const int Columns = 512, Rows = 32;
        byte[] encoded = new byte[Rows * format.RowBytes(Columns)];
        new Random(4).NextBytes(encoded);
        for (int block = 0; block < encoded.Length; block += format.BlockBytes())          // scales that are numbers, of either sign
        {
            for (int half = format == WeightFormat.Q6_K ? 209 : 1; half < (format == WeightFormat.Q6_K ? 210 : 4); half += 2)
            {
                encoded[block + half] &= 0xBF;
            }
        }

        using var stripe = new PackedStripe(format, encoded, Rows, Columns);
        float[] read = new float[Columns];
        for (int row = 0; row < Rows; row++)
        {
            StripePacker.ReadRow(format, stripe.Ordinary, stripe.Pointer, row, read);
            Assert.Equal(stripe.Decoded[row].Select(BitConverter.SingleToInt32Bits), read.Select(BitConverter.SingleToInt32Bits));
        }
    }
}
