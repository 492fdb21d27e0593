using System.Runtime.Intrinsics;

namespace Llama2.Tests;

public unsafe class ElementKernelsTests
{
    [Fact]
    public void Exp_WholeRange_WithinTwoUnitsInTheLastPlace()
    {
        for (double x = -86.9; x < 87.9; x += 0.0137)
        {
            float actual = ElementKernels.Exp(Vector256.Create((float)x))[0];
            double expected = Math.Exp((float)x);
            Assert.InRange(Math.Abs(actual - expected) / (MathF.BitIncrement((float)expected) - (float)expected), 0, 2);
        }
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-100f, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(1000f, float.PositiveInfinity)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void Exp_Edges_AsExpected(float x, float expected) => Assert.Equal(expected, ElementKernels.Exp(Vector256.Create(x))[3]);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(45)]
    [InlineData(1000)]
    public void Exponentiate_RandomInput_EqualsDoublePrecision(int length)
    {
        float[] values = Floats(length, 10);
        float largest = values.Max();
        double[] expected = [.. values.Select(value => Math.Exp((double)value - largest))];
        fixed (float* at = values)
        {
            (float foundLargest, float sum) = ElementKernels.Exponentiate(at, length);
            Assert.Equal(largest, foundLargest);
            Assert.Equal(expected.Sum(), sum, expected.Sum() * 1e-6);
        }

        Assert.All(expected.Zip(values), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Fact]
    public void Exponentiate_Nothing_HasNoSum() => Assert.Equal((float.NegativeInfinity, 0f), ElementKernels.Exponentiate(null, 0));

    [Theory]
    [InlineData(5)]
    [InlineData(8)]
    [InlineData(43)]
    public void SwiGlu_RandomInput_EqualsDoublePrecision(int length)
    {
        float[] gate = Floats(length, 20), up = Floats(length, 3);
        double[] expected = [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)];
        fixed (float* g = gate, u = up)
        {
            ElementKernels.SwiGlu(g, u, length);
        }

        Assert.All(expected.Zip(gate), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
    }

    [Fact]
    public void RmsNorm_RandomInput_EqualsDoublePrecision()
    {
        float[] input = Floats(45, 2), weight = Floats(45, 1), output = new float[45];
        double scale = 1 / Math.Sqrt(input.Sum(value => (double)value * value) / 45 + 1e-5);
        fixed (float* i = input, w = weight, o = output)
        {
            ElementKernels.RmsNorm(i, w, 1e-5f, o, 45);
        }

        Assert.All(input.Select((value, i) => value * scale * weight[i]).Zip(output), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Fact]
    public void AddScaled_AnyLength_IsFused()
    {
        float[] values = Floats(21, 5), sum = Floats(21, 6);
        float[] expected = [.. values.Zip(sum, (value, old) => MathF.FusedMultiplyAdd(0.3f, value, old))];
        fixed (float* v = values, s = sum)
        {
            ElementKernels.AddScaled(0.3f, v, s, 21);
        }

        Assert.Equal(expected, sum);
    }

    private static float[] Floats(int length, float amplitude)
    {
        var random = new Random(length);
        return [.. Enumerable.Range(0, length).Select(_ => (random.NextSingle() * 2 - 1) * amplitude)];
    }
}
