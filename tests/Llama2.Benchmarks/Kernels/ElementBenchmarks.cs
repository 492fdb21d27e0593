using BenchmarkDotNet.Attributes;

namespace Llama2.Benchmarks;

/// <summary>The steps between the products, on the widths of the 7 B shape: 4,096, 11,008 in the feed-forward layer, heads of 128.</summary>
public unsafe class ElementBenchmarks : IDisposable
{
    private const int Width = 4096, FeedForward = 11008, Head = 128, Scores = 512;
    private readonly AlignedMemory _a = New(4), _b = New(5), _c = New(6);
    private readonly InputTiles _tiles = new();

    public ElementBenchmarks()
    {
        _tiles.Begin(_a.Floats, 1, Width, most: 1);
        _tiles.BeginBytes();
    }

    [Benchmark]
    public void RmsNorm() => ElementKernels.RmsNorm(_a.Floats, _b.Floats, 1e-5f, _c.Floats, Width);

    [Benchmark]
    public void SwiGlu() => ElementKernels.SwiGlu(_c.Floats, _b.Floats, FeedForward);

    [Benchmark]
    public void Rotate() => ElementKernels.Rotate(_c.Floats, _a.Floats, _b.Floats, Head / 2);

    [Benchmark]
    public float Exponentiate() => ElementKernels.Exponentiate(_c.Floats, Scores).Sum;

    [Benchmark]
    public float Dot() => DotKernels.Dot(_a.Floats, _b.Floats, Head);

    /// <summary>The input of a layer as bytes, once for all matrices of integers.</summary>
    [Benchmark]
    public void QuantizeInput() => _tiles.FillBytes(0);

    [GlobalCleanup]
    public void Dispose()
    {
        _tiles.Dispose();
        Array.ForEach([_a, _b, _c], memory => memory.Dispose());
        GC.SuppressFinalize(this);
    }

    private static AlignedMemory New(int seed)
    {
        var memory = new AlignedMemory(FeedForward * sizeof(float));
        SeededRows.Fill(new Span<float>(memory.Floats, FeedForward), seed);
        return memory;
    }
}
