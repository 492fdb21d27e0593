using BenchmarkDotNet.Attributes;

namespace Llama2.Benchmarks;

/// <summary>One stripe of 32 rows of a packed matrix with 4,096 columns, times one input (decode) or a tile of six (prefill): 131,072 products for each input.</summary>
public unsafe class StripeBenchmarks : IDisposable
{
    private const int Columns = 4096;
    private readonly AlignedMemory _inputs = new(StripeKernels.MostInputs * Columns * sizeof(float));
    private readonly AlignedMemory _sums = new(StripeKernels.MostInputs * WeightMatrix.StripeRows * sizeof(float));
    private readonly AlignedMemory _output = new(StripeKernels.MostInputs * WeightMatrix.StripeRows * sizeof(float));
    private readonly InputTiles _tiles = new();
    private WeightMatrix? _matrix;
    private AlignedMemory? _scratch;

    [Params(WeightFormat.F32, WeightFormat.F16, WeightFormat.BF16, WeightFormat.Q8_0, WeightFormat.Q4_0, WeightFormat.Q4_K, WeightFormat.Q5_K, WeightFormat.Q6_K)]
    public WeightFormat Format { get; set; }

    [Params(1, 6)]
    public int Inputs { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _matrix = SeededRows.Packed(Format, WeightMatrix.StripeRows, Columns);
        _scratch = new AlignedMemory(_matrix.ScratchBytes);
        SeededRows.Fill(new Span<float>(_inputs.Floats, Inputs * Columns), seed: 2);
        _tiles.Begin(_inputs.Floats, Inputs, Columns, _matrix.MostInputs);
        switch (_matrix.Inputs)
        {
            case InputNumbers.Shorts:
                _tiles.BeginShorts();
                _tiles.FillShorts(0);
                break;
            case InputNumbers.Bytes:
                _tiles.BeginBytes();
                _tiles.FillBytes(0);
                break;
        }
    }

    [Benchmark]
    public void Multiply() => _matrix!.Multiply(0, 1, _tiles, _output.Floats, add: false, _sums.Floats, _scratch!.Pointer);

    [GlobalCleanup]
    public void Dispose()
    {
        Array.ForEach([_inputs, _sums, _output, _scratch], memory => memory?.Dispose());
        _matrix?.Dispose();
        _tiles.Dispose();
        GC.SuppressFinalize(this);
    }
}
