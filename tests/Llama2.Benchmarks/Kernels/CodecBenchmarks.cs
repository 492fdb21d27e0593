using BenchmarkDotNet.Attributes;

namespace Llama2.Benchmarks;

/// <summary>What loading does with a row of 4,096 weights, and with 32 of them: decode, encode, pack.</summary>
public unsafe class CodecBenchmarks : IDisposable
{
    private const int Columns = 4096;
    private readonly float[] _weights = new float[Columns];
    private byte[] _row = [];
    private AlignedMemory? _rows, _stripe;

    [Params(WeightFormat.F16, WeightFormat.BF16, WeightFormat.Q8_0, WeightFormat.Q4_0)]
    public WeightFormat Format { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        SeededRows.Fill(_weights, seed: 3);
        _row = new byte[Format.RowBytes(Columns)];
        Encode();
        _rows = new AlignedMemory(WeightMatrix.StripeRows * (long)_row.Length);
        _stripe = new AlignedMemory(StripePacker.StripeBytes(Format, Columns));
        for (int row = 0; row < WeightMatrix.StripeRows; row++)
        {
            _row.CopyTo(new Span<byte>(_rows.Pointer + row * (nint)_row.Length, _row.Length));
        }
    }

    [Benchmark]
    public void Decode() => WeightCodec.Decode(Format, _row, _weights);

    [Benchmark]
    public void Encode() => WeightCodec.Encode(Format, _weights, _row);

    [Benchmark]
    public void Pack() => StripePacker.Pack(Format, new FileRows(_rows!.Pointer, (nint)Format.RowBytes(Columns), WeightMatrix.StripeRows), Columns, _stripe!.Pointer);

    [GlobalCleanup]
    public void Dispose()
    {
        _rows?.Dispose();
        _stripe?.Dispose();
        GC.SuppressFinalize(this);
    }
}
