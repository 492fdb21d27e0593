using System.Diagnostics;
using System.Text.Json;
using Llama2.TorchSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace Llama2.Benchmarks;

/// <summary>Our side of <c>peers/gpu.sh</c>: a model of random weights on a device, measured through the engine as any caller meets it.</summary>
internal static class TorchBenchmark
{
    private static readonly GenerationOptions _greedy = new() { DoSample = false, IgnoreEos = true };

    /// <summary>Writes one JSON object: tokens per second of every repetition, and what the device copies in a second.</summary>
    public static async Task RunAsync(JsonElement settings, string device, TextWriter output)
    {
        int prompt = Whole("prompt"), depth = Whole("depth"), decode = Whole("decode"), sequences = Whole("sequences"), repeats = Whole("repeats");
        long start = Stopwatch.GetTimestamp();
        LlamaModelOptions options = new LlamaModelOptions
        {
            BatchTokens = prompt,
            PromptLookup = false,
            MaxConcurrentSequences = sequences,
        }.UseTorchSharp(device, ScalarType.BFloat16);
        using LlamaModel model = LlamaModel.Load(new RandomCheckpoint(Config(settings)), options);
        double load = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var random = new Random(1);

        int[][] cached = [.. Enumerable.Range(0, sequences).Select(_ => Ids(depth))];      // read by the runs that warm up

        double[] prefill = await RepeatAsync(async () => prompt / (await RunAsync(Ids(prompt), 1)).Timings.Prefill.TotalSeconds);
        double[] single = await RepeatAsync(() => DecodeAsync(1)), many = await RepeatAsync(() => DecodeAsync(sequences));
        output.WriteLine(JsonSerializer.Serialize(new
        {
            library = model.Info.Kernels,
            device = model.Info.Device,
            load_seconds = load,
            weight_bytes = model.Info.WeightBytes - 2L * model.Config.VocabularySize * model.Config.HiddenSize,      // of the embedding, a step reads a row
            copied_bytes_per_second = CopiedBytesPerSecond(new Device(device), Whole("copy_megabytes") << 20),
            prefill,
            decode = single,
            concurrent = many,
        }));

        int Whole(string name) => settings.GetProperty(name).GetInt32();

        async Task<double[]> RepeatAsync(Func<Task<double>> measure)
        {
            await measure();                                             // warms up
            double[] speeds = new double[repeats];
            for (int i = 0; i < repeats; i++)
            {
                speeds[i] = await measure();
            }

            return speeds;
        }

        async Task<double> DecodeAsync(int count)
        {
            GenerationResult[] results = await Task.WhenAll(cached.Take(count).Select(ids => RunAsync(ids, decode + 1)));
            return count * decode / results.Max(result => result.Timings.Decode.TotalSeconds);
        }

        int[] Ids(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(model.Config.VocabularySize))];

        async Task<GenerationResult> RunAsync(int[] ids, int generated)
        {
            GenerationResult? result = null;
            await foreach (GenerationUpdate update in model.Engine.GenerateAsync(ids, _greedy with { MaxNewTokens = generated }))
            {
                result = update.Result ?? result;
            }

            return result ?? throw new UnreachableException("A generation ended without a result.");
        }
    }

    private static LlamaConfig Config(JsonElement settings)
    {
        int hidden = settings.GetProperty("hidden_size").GetInt32(), heads = settings.GetProperty("num_attention_heads").GetInt32();
        return new()
        {
            HiddenSize = hidden,
            IntermediateSize = settings.GetProperty("intermediate_size").GetInt32(),
            LayerCount = settings.GetProperty("num_hidden_layers").GetInt32(),
            HeadCount = heads,
            KeyValueHeadCount = heads,
            HeadSize = hidden / heads,
            VocabularySize = settings.GetProperty("vocab_size").GetInt32(),
            ContextLength = settings.GetProperty("max_position_embeddings").GetInt32(),
            RmsNormEpsilon = 1e-5f,
        };
    }

    /// <summary>What the device reads and writes in a second when it copies: the most that decoding could read.</summary>
    private static double CopiedBytesPerSecond(Device device, long bytes)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor from = zeros([bytes], dtype: ScalarType.Byte, device: device), to = empty([bytes], dtype: ScalarType.Byte, device: device);
        double best = 0;
        for (int i = 0; i < 10; i++)
        {
            Wait();
            long start = Stopwatch.GetTimestamp();
            for (int copy = 0; copy < 10; copy++)
            {
                to.copy_(from);
            }

            Wait();
            best = Math.Max(best, 10 * 2 * bytes / Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;

        void Wait() => to.narrow(0, 0, 1).cpu();                         // a number on the host means that all before is done
    }
}
