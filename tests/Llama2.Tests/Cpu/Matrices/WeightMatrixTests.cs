using System.Buffers.Binary;
using Llama2.Testing;

namespace Llama2.Tests;

public unsafe class WeightMatrixTests
{
    /// <summary>A scale of 64 and more in the second stripe, and an infinite one: that stripe is decoded instead.</summary>
    [Theory]
    [InlineData(WeightFormat.Q8_0, 0)]
    [InlineData(WeightFormat.Q4_0, 0)]
    [InlineData(WeightFormat.Q4_K, 0)]
    [InlineData(WeightFormat.Q5_K, 2)]
    [InlineData(WeightFormat.Q6_K, 208)]
    public void Multiply_ScalesThatCannotBeRaised_NearDoublePrecision(WeightFormat format, int scaleAt)
    {
        const int Rows = 104, Columns = 512, Large = 35, Infinite = 37;
        int rowBytes = (int)format.RowBytes(Columns);
        float[] weights = PackedStripe.Random(Rows * Columns, 1);
        float[][] decoded = new float[Rows][];
        AlignedMemory stored = new(Rows * rowBytes), stripes = new(WeightMatrix.PackedBytes(format, Rows, Columns));
        for (int row = 0; row < Rows; row++)
        {
            var encoded = new Span<byte>(stored.Pointer + row * rowBytes, rowBytes);
            KQuantizer.Encode(format, weights.AsSpan(row * Columns, Columns), encoded);
            if (row is Large or Infinite)
            {
                BinaryPrimitives.WriteHalfLittleEndian(encoded[scaleAt..], row == Large ? (Half)100 : Half.PositiveInfinity);
            }

            WeightCodec.Decode(format, encoded, decoded[row] = new float[Columns]);
        }

        bool[] ordinary = Pack(format, Rows, Columns, stored, stripes);
        Assert.Equal([true, false, true, true], ordinary);
        using WeightMatrix packed = new(format, Rows, Columns, stripes, ordinary), rows = new(format, Rows, Columns, stored);
        using var random = new RandomInputs(7, Columns, 2, StripeKernels.InputsOf(format));
        float[] output = Multiply(packed, random.Tiles);
        Assert.Equal(Multiply(rows, random.Tiles), output);
        for (int input = 0; input < 7; input++)
        {
            for (int row = 0; row < Rows; row++)
            {
                double exact = decoded[row].Zip(random.Values.Skip(input * Columns), (w, x) => (double)w * x).Sum(), length = Math.Sqrt(decoded[row].Sum(w => (double)w * w));
                float found = output[input * Rows + row];
                Assert.True(row == Infinite ? !float.IsFinite(found) : Math.Abs(found - exact) <= 0.01 * length, $"row {row}: {found} instead of {exact}");
            }
        }
    }

    [Theory]
    [InlineData(WeightFormat.F32, 352, 0)]
    [InlineData(WeightFormat.F16, 77, 0)]
    [InlineData(WeightFormat.BF16, 96, 0)]
    [InlineData(WeightFormat.F16, 352, 1e-4)]
    [InlineData(WeightFormat.F16, 333, 1e-4)]
    [InlineData(WeightFormat.BF16, 352, 1e-4)]
    [InlineData(WeightFormat.Q8_0, 352, 0.02)]
    [InlineData(WeightFormat.Q4_0, 352, 0.02)]
    [InlineData(WeightFormat.Q4_K, 512, 0.02)]
    [InlineData(WeightFormat.Q5_K, 512, 0.02)]
    [InlineData(WeightFormat.Q6_K, 512, 0.02)]
    public void Multiply_PackedOrNot_SameBitsNearDoublePrecision(WeightFormat format, int columns, double inputError)
    {
        const int Rows = 2509, Inputs = 19;                           // 79 stripes, more than a kernel takes at once, the last in part empty; several tiles
        using var random = new RandomInputs(Inputs, columns, 2, StripeKernels.InputsOf(format));
        (float[] inputs, InputTiles tiles) = (random.Values, random.Tiles);
        float[][] decoded = [];
        using WeightMatrix packed = Matrix(packed: true), rows = Matrix(packed: false);
        float[] output = Multiply(packed, tiles), other = Multiply(rows, tiles);
        Assert.Equal(output, other);
        for (int input = 0; input < Inputs; input++)
        {
            using var alone = new RandomInputs(inputs.AsSpan(input * columns, columns), columns);
            Assert.Equal(output[(input * Rows)..((input + 1) * Rows)], Multiply(packed, alone.Tiles));
            for (int row = 0; row < Rows; row++)
            {
                double exact = decoded[row].Zip(inputs.Skip(input * columns), (w, x) => (double)w * x).Sum();
                Assert.Equal(exact, output[input * Rows + row], 1e-4 + inputError * Math.Sqrt(columns));
            }
        }

        Assert.Equal(WeightMatrix.PackedBytes(format, Rows, columns), packed.ByteSize);
        float[] read = new float[columns];
        packed.ReadRow(44, read);
        Assert.All(decoded[44].Zip(read), pair => Assert.Equal(pair.First, pair.Second, packed.Inputs == InputNumbers.Shorts ? 1f / 8192 : 0));
        float[] unpacked = new float[columns];
        rows.ReadRow(44, unpacked);
        Assert.Equal(read, unpacked);

        WeightMatrix Matrix(bool packed)
        {
            float[] weights = PackedStripe.Random(Rows * columns, 1);
            if (format == WeightFormat.F16)
            {
                weights.Take(columns).Select(weight => weight * 1e-5f).ToArray().CopyTo(weights, 0);      // subnormal as halves
            }

            int rowBytes = (int)format.RowBytes(columns);
            var memory = new AlignedMemory(Rows * rowBytes);
            decoded = new float[Rows][];
            for (int row = 0; row < Rows; row++)
            {
                var encoded = new Span<byte>(memory.Pointer + row * rowBytes, rowBytes);
                KQuantizer.Encode(format, weights.AsSpan(row * columns, columns), encoded);
                WeightCodec.Decode(format, encoded, decoded[row] = new float[columns]);
            }

            if (!packed)
            {
                return new WeightMatrix(format, Rows, columns, memory);
            }

            var stripes = new AlignedMemory(WeightMatrix.PackedBytes(format, Rows, columns));
            bool[] ordinary = Pack(format, Rows, columns, memory, stripes);
            memory.Dispose();
            return new WeightMatrix(format, Rows, columns, stripes, ordinary);
        }
    }

    private static bool[] Pack(WeightFormat format, int rows, int columns, AlignedMemory stored, AlignedMemory stripes)
    {
        bool[] ordinary = new bool[WeightMatrix.StripesOf(rows)];
        for (int stripe = 0; stripe < ordinary.Length; stripe++)
        {
            ordinary[stripe] = StripePacker.Pack(
                format, new FileRows(stored.Pointer + stripe * 32 * format.RowBytes(columns), (nint)format.RowBytes(columns), Math.Min(32, rows - 32 * stripe)), columns,
                stripes.Pointer + stripe * StripePacker.StripeBytes(format, columns));
        }

        return ordinary;
    }

    private static float[] Multiply(WeightMatrix matrix, InputTiles tiles)
    {
        float[] output = new float[tiles.Count * matrix.Rows];
        using AlignedMemory sums = new(WeightMatrix.SumsBytes(tiles.Count)), scratch = new(matrix.ScratchBytes);
        fixed (float* to = output)
        {
            matrix.Multiply(0, 1, tiles, to, add: false, sums.Floats, scratch.Pointer);
            matrix.Multiply(1, matrix.Stripes, tiles, to, add: false, sums.Floats, scratch.Pointer);
        }

        return output;
    }
}
