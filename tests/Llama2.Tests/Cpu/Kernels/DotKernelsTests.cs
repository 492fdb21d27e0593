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
