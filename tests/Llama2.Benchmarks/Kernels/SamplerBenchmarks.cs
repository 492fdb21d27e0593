using BenchmarkDotNet.Attributes;

namespace Llama2.Benchmarks;

/// <summary>Choosing a token from the 32,000 logits of a Llama-2 vocabulary.</summary>
public class SamplerBenchmarks
{
    private readonly float[] _logits = new float[32_000];
    private Sampler? _sampler;

    /// <summary>Settings by name.</summary>
    public static IReadOnlyDictionary<string, GenerationOptions> Choices { get; } = new Dictionary<string, GenerationOptions>
    {
        ["greedy"] = new() { DoSample = false },
        ["temperature"] = new() { DoSample = true, Temperature = 0.6f, Seed = 1 },
        ["top_p"] = new() { DoSample = true, Temperature = 0.6f, TopP = 0.9f, Seed = 1 },
        ["top_k"] = new() { DoSample = true, Temperature = 0.6f, TopK = 50, Seed = 1 },
    };

    [ParamsSource(nameof(Names))]
    public string Settings { get; set; } = "greedy";

    public static IEnumerable<string> Names => Choices.Keys;

    [GlobalSetup]
    public void Setup()
    {
        SeededRows.Fill(_logits, seed: 7);
        for (int i = 0; i < _logits.Length; i++)
        {
            _logits[i] *= 8;                                             // as peaked as a trained model's
        }

        _sampler = new Sampler(Choices[Settings], tokenizer: null, _logits.Length, [2], [1, 5, 9]);
    }

    [Benchmark]
    public int Next() => _sampler!.Next(_logits);
}
