using Llama2.Testing;

namespace Llama2.Tests;

public unsafe class FloatTilesTests
{
    private const int Columns = 45;

    /// <summary>Inputs, whether the weights are halves, and the largest of them: with 64 and more they are not raised.</summary>
    public static IEnumerable<object[]> Tiles =>
        from rows in Enumerable.Range(1, StripeKernels.MostInputs)
        from weights in new[] { (false, 1f), (true, 1f), (true, 100f) }
        select new object[] { rows, weights.Item1, weights.Item2 };

    [Avx512Theory]
    [MemberData(nameof(Tiles))]
    public void Avx512_AnyRows_SameBitsAsScalar(int rows, bool halves, float largest) => Compare<Floats512>(rows, halves, largest);

    [Avx2Theory]
    [MemberData(nameof(Tiles))]
    public void Avx2_AnyRows_SameBitsAsScalar(int rows, bool halves, float largest) => Compare<Floats256>(rows, halves, largest);

    [AdvSimdTheory]
    [MemberData(nameof(Tiles))]
    public void AdvSimd_AnyRows_SameBitsAsScalar(int rows, bool halves, float largest) => Compare<Floats128>(rows, halves, largest);

    [Theory]
    [MemberData(nameof(Tiles))]
    public void Scalar_AnyRows_NearDoublePrecision(int rows, bool halves, float largest)
    {
        using var weights = new Weights(halves, largest);
        float[] inputs = PackedStripe.Random(rows * Columns, 6), sums = Run<Floats32>(weights, rows);
        for (int input = 0; input < rows; input++)
        {
            for (int row = 0; row < 32; row++)
            {
                double exact = weights.Row(row).Zip(inputs.Skip(input * Columns), (w, x) => (double)w * x).Sum();
                Assert.Equal(1 + exact, sums[input * 40 + row], 1e-5 * largest);       // the sums go on from 1
            }
        }
    }

    /// <summary>Halves in a single's place, and inputs that make up for it: nothing is rounded otherwise.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(8)]
    public void Add_HalvesInPlace_SameBitsAsWidened(int rows)
    {
        using var weights = new Weights(halves: true, 1);
        using var inputs = new RandomInputs(rows, Columns, 6);
        float[] expected = new float[32 * rows], sums = new float[32 * rows];
        fixed (float* one = expected, other = sums)
        {
            for (int i = 0; i < rows; i += StripeKernels.InputsOf(WeightFormat.F32))
            {
                int count = Math.Min(rows - i, StripeKernels.InputsOf(WeightFormat.F32));
                float* from = inputs.Tiles.Floats + i * Columns;
                PlainKernels.Add(PlainForm.RaisedHalves, weights.Pointer, from, Columns, count, Columns, 1, one + 32 * i, 32, ReadAhead.None);
                ElementKernels.Scale(from, 1 / HalfBits.InPlaceOfRaised, count * Columns);
                PlainKernels.Add(PlainForm.HalvesInPlace, weights.Pointer, from, Columns, count, Columns, 1, other + 32 * i, 32, ReadAhead.None);
            }
        }

        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), sums.Select(BitConverter.SingleToInt32Bits));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    public void Add_TwoStripes_SameBitsAsOneAfterTheOther(int rows)
    {
        const int Half = Columns / 2;
        using var weights = new Weights(halves: true, 1);
        using var inputs = new RandomInputs(rows, Columns, 6);
        float[] expected = [.. Enumerable.Repeat(1f, 64 * rows)], sums = [.. expected];
        fixed (float* one = expected, both = sums)
        {
            float* from = inputs.Tiles.Floats;
            PlainKernels.Add(PlainForm.RaisedHalves, weights.Pointer, from, Columns, rows, Half, 1, one, 64, ReadAhead.None);
            PlainKernels.Add(PlainForm.RaisedHalves, weights.Pointer + Half * 32 * sizeof(ushort), from, Columns, rows, Half, 1, one + 32, 64, ReadAhead.None);
            PlainKernels.Add(PlainForm.RaisedHalves, weights.Pointer, from, Columns, rows, Half, 2, both, 64, ReadAhead.None);
        }

        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), sums.Select(BitConverter.SingleToInt32Bits));
    }

    [Fact]
    public void Widen_EveryHalf_SameAsTheCodecOrStaysNoNumber()
    {
        ushort[] bits = [.. Enumerable.Range(0, 1 << 16).Select(value => (ushort)value)];
        float[] widened = new float[bits.Length], decoded = new float[bits.Length];
        fixed (ushort* from = bits)
        fixed (float* to = widened)
        {
            PlainKernels.Widen(PlainForm.Halves, (byte*)from, bits.Length, to, default(NothingAhead));
            WeightCodec.DecodeScalar(WeightFormat.F16, new ReadOnlySpan<byte>(from, 2 * bits.Length), decoded);
        }

        Assert.All(decoded.Zip(widened), pair => Assert.True(
            float.IsNaN(pair.First) ? !float.IsFinite(pair.Second) : BitConverter.SingleToInt32Bits(pair.First) == BitConverter.SingleToInt32Bits(pair.Second)));
    }

    private static void Compare<TFloats>(int rows, bool halves, float largest)
        where TFloats : struct, IFloatLanes<TFloats>
    {
        using var weights = new Weights(halves, largest);
        Assert.Equal(Run<Floats32>(weights, rows).Select(BitConverter.SingleToInt32Bits), Run<TFloats>(weights, rows).Select(BitConverter.SingleToInt32Bits));
    }

    private static float[] Run<TFloats>(Weights weights, int rows)
        where TFloats : struct, IFloatLanes<TFloats>
    {
        const int Stride = 40;
        float[] sums = [.. Enumerable.Repeat(1f, Stride * rows)];
        using var inputs = new RandomInputs(rows, Columns, 6);
        fixed (float* to = sums)
        {
            for (int row = 0; row < 32; row += 2 * TFloats.Count)
            {
                switch (weights.Form)
                {
                    case PlainForm.Singles: Add<Singles>(row, to + row); break;
                    case PlainForm.RaisedHalves: Add<RaisedHalves>(row, to + row); break;
                    default: Add<Halves>(row, to + row); break;
                }
            }
        }

        return sums;

        void Add<TWeights>(int row, float* to)
            where TWeights : struct, IPlainWeights
        {
            byte* from = weights.Pointer + row * TWeights.Size;
            float* input = inputs.Tiles.Floats;
            switch (rows)
            {
                case 1: FloatTiles.Add<OneRow, TWeights, TFloats, LinesAhead>(from, input, Columns, Columns, 1, to, Stride, default(LinesAhead)); break;
                case 2: FloatTiles.Add<TwoRows, TWeights, TFloats, LinesAhead>(from, input, Columns, Columns, 1, to, Stride, default(LinesAhead)); break;
                case 3: FloatTiles.Add<ThreeRows, TWeights, TFloats, LinesAhead>(from, input, Columns, Columns, 1, to, Stride, default(LinesAhead)); break;
                case 4: FloatTiles.Add<FourRows, TWeights, TFloats, LinesAhead>(from, input, Columns, Columns, 1, to, Stride, default(LinesAhead)); break;
                case 5: FloatTiles.Add<FiveRows, TWeights, TFloats, LinesAhead>(from, input, Columns, Columns, 1, to, Stride, default(LinesAhead)); break;
                case 6: FloatTiles.Add<SixRows, TWeights, TFloats, LinesAhead>(from, input, Columns, Columns, 1, to, Stride, default(LinesAhead)); break;
                case 7: FloatTiles.Add<SevenRows, TWeights, TFloats, LinesAhead>(from, input, Columns, Columns, 1, to, Stride, default(LinesAhead)); break;
                default: FloatTiles.Add<EightRows, TWeights, TFloats, LinesAhead>(from, input, Columns, Columns, 1, to, Stride, default(LinesAhead)); break;
            }
        }
    }

    /// <summary>32 rows of random weights, column by column.</summary>
    private sealed class Weights : IDisposable
    {
        private readonly AlignedMemory _memory = new(32 * Columns * sizeof(float));
        private readonly float[] _values = PackedStripe.Random(32 * Columns, 5);     // [columns, 32]

        public Weights(bool halves, float largest)
        {
            _values[7] = largest;
            if (!halves)
            {
                _values.CopyTo(new Span<float>(_memory.Floats, _values.Length));
                return;
            }

            var bits = new Span<ushort>(_memory.Pointer, _values.Length);
            HalfBits.FromSingle(_values, bits);
            for (int i = 0; i < _values.Length; i++)
            {
                _values[i] = HalfBits.ToSingle(bits[i]);
            }

            Form = largest < 64 ? PlainForm.RaisedHalves : PlainForm.Halves;
            Assert.True(Form == PlainForm.Halves || HalfBits.Raise(bits));
        }

        public PlainForm Form { get; }

        public byte* Pointer => _memory.Pointer;

        public IEnumerable<float> Row(int row) => Enumerable.Range(0, Columns).Select(column => _values[column * 32 + row]);

        public void Dispose() => _memory.Dispose();
    }
}
