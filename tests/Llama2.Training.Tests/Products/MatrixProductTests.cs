namespace Llama2.Training.Tests;

public sealed unsafe class MatrixProductTests
{
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 1, 1, 1 }, { 12, 32, 5 }, { 13, 33, 7 }, { 100, 70, 385 }, { 5, 2100, 3 }, { 37, 8, 64 }, { 96, 64, 800 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Multiply_AnyShapeAndOrder_MatchesSumsInDoublePrecision(int rows, int columns, int depth)
    {
        using var workers = new WorkerGroup(2);
        using var product = new MatrixProduct(workers);
        float[] a = Random(rows * depth, 1), b = Random(depth * columns, 2), c = Random(rows * columns, 3);
        float[] aTransposed = Transpose(a, rows, depth), bTransposed = Transpose(b, depth, columns);
        foreach ((bool transposeA, bool transposeB, bool accumulate) in
            from x in new[] { false, true } from y in new[] { false, true } from z in new[] { false, true } select (x, y, z))
        {
            float[] result = [.. c];
            fixed (float* left = transposeA ? aTransposed : a, right = transposeB ? bTransposed : b, to = result)
            {
                product.Multiply(
                    rows, columns, depth, new(left, transposeA ? rows : depth, transposeA), new(right, transposeB ? depth : columns, transposeB),
                    to, columns, accumulate);
            }

            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < columns; j++)
                {
                    double expected = accumulate ? c[i * columns + j] : 0;
                    for (int p = 0; p < depth; p++)
                    {
                        expected += (double)a[i * depth + p] * b[p * columns + j];
                    }

                    Assert.Equal(expected, result[i * columns + j], 1e-5 * (1 + Math.Sqrt(depth)));
                }
            }
        }
    }

    [Fact]
    public void Multiply_OneThreadOrThree_SameBits()
    {
        float[] a = Random(250 * 500, 1), b = Random(500 * 90, 2);
        Assert.Equal(Result(1), Result(3));

        float[] Result(int threads)
        {
            using var workers = new WorkerGroup(threads);
            using var product = new MatrixProduct(workers);
            float[] c = new float[250 * 90];
            fixed (float* left = a, right = b, to = c)
            {
                product.Multiply(250, 90, 500, new(left, 500), new(right, 90), to, 90);
            }

            return c;
        }
    }

    [Fact]
    public void Multiply_PartOfWiderRows_LeavesTheRestAlone()
    {
        using var workers = new WorkerGroup(1);
        using var product = new MatrixProduct(workers);
        float[] a = Random(20 * 9, 1), b = Random(9 * 40, 2), c = new float[20 * 64];
        Array.Fill(c, 7);
        fixed (float* left = a, right = b, to = c)
        {
            product.Multiply(20, 40, 9, new(left, 9), new(right, 40), to + 10, 64);
        }

        for (int i = 0; i < c.Length; i++)
        {
            bool inside = i % 64 is >= 10 and < 50;
            Assert.Equal(!inside, c[i] == 7);
        }
    }

    [Fact]
    public void Tile_EveryInstructionSet_SameBits()
    {
        const int Depth = 77;
        float[] a = Random(Depth * TileKernels.Rows, 1), b = Random(Depth * TileKernels.Columns, 2);
        float[] portable = Result(TileKernels.MultiplyPortable);
        Assert.Contains(portable, value => value != 0);
        if (System.Runtime.Intrinsics.X86.Fma.IsSupported)
        {
            Assert.Equal(portable, Result(TileKernels.MultiplyAvx2));
        }

        if (System.Runtime.Intrinsics.X86.Avx512F.IsSupported)
        {
            Assert.Equal(portable, Result(TileKernels.MultiplyAvx512));
        }

        float[] Result(Kernel kernel)
        {
            float[] c = Random(TileKernels.Rows * TileKernels.Columns, 3);
            fixed (float* left = a, right = b, to = c)
            {
                kernel(Depth, left, right, to, TileKernels.Columns, true);
            }

            return c;
        }
    }

    private delegate void Kernel(int depth, float* a, float* b, float* c, nint stride, bool accumulate);

    private static float[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
    }

    private static float[] Transpose(float[] values, int rows, int columns) =>
        [.. Enumerable.Range(0, rows * columns).Select(i => values[i % rows * columns + i / rows])];
}
