using System.Runtime.Intrinsics.X86;
using Llama2.Testing;

namespace Llama2.Tests;

public unsafe class DotKernelsTests
{
    private delegate float DotMethod(float* x, float* y, int length);

    public static TheoryData<int> Lengths => [0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 172, 1000, 4096];

    [Avx512Theory]
    [MemberData(nameof(Lengths))]
    public void DotAvx512_RandomInput_SameBitsAsScalar(int length) => AssertTwin(DotKernels.DotAvx512, length);

    [Avx2Theory]
    [MemberData(nameof(Lengths))]
    public void DotAvx2_RandomInput_SameBitsAsScalar(int length) => AssertTwin(DotKernels.DotAvx2, length);

    [AdvSimdTheory]
    [MemberData(nameof(Lengths))]
    public void DotAdvSimd_RandomInput_SameBitsAsScalar(int length) => AssertTwin(DotKernels.DotAdvSimd, length);

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Dot_RandomInput_NearDoublePrecision(int length)
    {
        float[] x = Floats(length, 1), y = Floats(length, 2);
        double expected = x.Zip(y, (a, b) => (double)a * b).Sum();
        fixed (float* px = x, py = y)
        {
            Assert.Equal(expected, DotKernels.Dot(px, py, length), 1e-5 * Math.Max(1, Math.Sqrt(length)));
        }
    }

    [Theory]
    [InlineData(1, 1, 64)]
    [InlineData(3, 5, 33)]
    [InlineData(4, 4, 16)]
    [InlineData(16, 9, 172)]
    [InlineData(13, 4, 7)]
    public void Multiply_AnyTile_SameBitsAsSingleDots(int rows, int inputs, int columns)
    {
        float[] weights = Floats(rows * columns, 3), x = Floats(inputs * columns, 4);
        float[] output = [.. Enumerable.Repeat(float.NaN, inputs * (rows + 2))];
        fixed (float* w = weights, input = x, to = output)
        {
            DotKernels.Multiply(w, rows, input, inputs, columns, to, rows + 2);
            for (int i = 0; i < inputs; i++)
            {
                for (int row = 0; row < rows; row++)
                {
                    Assert.Equal(DotKernels.DotScalar(w + row * columns, input + i * columns, columns), output[i * (rows + 2) + row]);
                }

                Assert.Equal([float.NaN, float.NaN], output[(i * (rows + 2) + rows)..((i + 1) * (rows + 2))]);
            }
        }
    }

    [Fact]
    public void InstructionSet_SwitchedOff_IsNotUsed()
    {
        if (Environment.GetEnvironmentVariable("DOTNET_EnableAVX512") == "0")
        {
            Assert.False(Avx512F.IsSupported);
        }

        if (Environment.GetEnvironmentVariable("DOTNET_EnableAVX2") == "0")
        {
            Assert.False(Avx2.IsSupported);
        }

        if (Environment.GetEnvironmentVariable("DOTNET_EnableHWIntrinsic") == "0")
        {
            Assert.Equal("scalar", DotKernels.InstructionSet);
        }

        Assert.Equal(Avx512F.IsSupported, DotKernels.InstructionSet == "AVX-512");
    }

    private static void AssertTwin(DotMethod method, int length)
    {
        float[] x = Floats(length, 1), y = Floats(length, 2);
        fixed (float* px = x, py = y)
        {
            Assert.Equal(BitConverter.SingleToInt32Bits(DotKernels.DotScalar(px, py, length)), BitConverter.SingleToInt32Bits(method(px, py, length)));
        }
    }

    private static float[] Floats(int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.NextSingle() * 2 - 1)];
    }
}
