using BenchmarkDotNet.Attributes;

namespace Llama2.Benchmarks;

/// <summary>One token behind a cached text, in a block that is nearly all attention: 32 heads of 128 as in the 7 B shape, one thread.</summary>
public class AttentionBenchmarks : IDisposable
{
    private static readonly LlamaConfig _config = new()
    {
        HiddenSize = 256,
        IntermediateSize = 32,
        LayerCount = 1,
        HeadCount = 32,
        KeyValueHeadCount = 32,
        HeadSize = 128,
        VocabularySize = 261,
        ContextLength = 4096,
        RmsNormEpsilon = 1e-5f,
    };

    private readonly RandomCheckpoint _checkpoint = new(_config);
    private readonly LlamaBatch _batch = new();
    private readonly float[] _logits = new float[_config.VocabularySize];
    private CpuBackend? _backend;
    private KeyValueCache? _cache;

    [Params(100, 1000, 4000)]
    public int Depth { get; set; }

    [Params(WeightFormat.F32, WeightFormat.F16, WeightFormat.Q8_0)]
    public WeightFormat Cache { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _backend = CpuBackend.Load(_checkpoint, new LlamaModelOptions { CacheFormat = Cache, Threads = 1 });
        _cache = _backend.CreateCache();
        Forward(Depth);
    }

    [Benchmark]
    public void Token()
    {
        Forward(1);
        _cache!.Rewind(Depth);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _cache?.Dispose();
        _backend?.Dispose();
        _checkpoint.Dispose();
        GC.SuppressFinalize(this);
    }

    private void Forward(int tokens)
    {
        _batch.Clear();
        _batch.Add(_cache!, [.. Enumerable.Range(0, tokens).Select(i => i % _config.VocabularySize)], LogitRows.Last);
        _backend!.Forward(_batch, _logits);
    }
}
