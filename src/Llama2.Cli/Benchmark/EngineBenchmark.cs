using System.Diagnostics;

namespace Llama2.Cli;

/// <summary>Speeds of a loaded model, measured through its engine as any caller meets it.</summary>
/// <param name="model">The model.</param>
/// <param name="repeats">Repetitions of each measurement.</param>
/// <param name="warmUp">How long the same runs before them, once at least: the runtime compiles again what runs often, on one of the processors.</param>
internal sealed class EngineBenchmark(LlamaModel model, int repeats, TimeSpan warmUp)
{
    private static readonly TimeSpan _readingTime = TimeSpan.FromSeconds(0.25);
    private static readonly GenerationOptions _greedy = new() { DoSample = false, IgnoreEos = true };
    private readonly Random _random = new(1);

    /// <summary>Weights that every token meets: all but the embedding, of which it reads one row.</summary>
    private long Weights => model.Config.ParameterCount - (model.Config.TieWordEmbeddings ? 0 : (long)model.Config.VocabularySize * model.Config.HiddenSize);

    /// <summary>Bytes of them, which decoding reads once for each step.</summary>
    private double WeightBytes => (double)model.Info.WeightBytes * Weights / model.Config.ParameterCount;

    private CpuBackend Backend => (CpuBackend)model.Backend;

    /// <summary>Waits until weights are no longer packed in the background, which all measurements but the first token would feel.</summary>
    public void WaitUntilPacked() => Backend.WaitUntilPacked();

    /// <summary>Reads new prompts of so many tokens, one after the other.</summary>
    public async Task<BenchRow> PrefillAsync(int tokens, CancellationToken cancellationToken)
    {
        await WarmUpAsync(() => RunAsync(Prompt(tokens), 1, cancellationToken));
        List<double> speeds = [];
        for (int i = 0; i < repeats; i++)
        {
            GenerationResult result = await RunAsync(Prompt(tokens), 1, cancellationToken);
            speeds.Add(tokens / result.Timings.Prefill.TotalSeconds);
        }

        return new("prefill", tokens, 1, speeds, Weights);
    }

    /// <summary>Generates from sequences whose prompts are cached, all of a case at the same time and the cases in turns, so that a change of the machine meets all.</summary>
    /// <param name="cases">How many tokens are cached, and how many sequences run.</param>
    /// <param name="tokens">Tokens to generate.</param>
    /// <param name="cancellationToken">Seen between tokens.</param>
    public async Task<IReadOnlyList<BenchRow>> DecodeAsync(IReadOnlyList<(int Depth, int Batch)> cases, int tokens, CancellationToken cancellationToken)
    {
        int[][][] prompts = [.. cases.Select(one => Enumerable.Range(0, one.Batch).Select(_ => Prompt(one.Depth + 1)).ToArray())];
        foreach (int[] prompt in prompts.SelectMany(prompt => prompt))
        {
            await RunAsync(prompt, 1, cancellationToken);
        }

        foreach (int[][] together in prompts)
        {
            await WarmUpAsync(() => AllAsync(together));
        }

        List<double>[] speeds = [.. cases.Select(_ => new List<double>())], readings = [.. cases.Select(_ => new List<double> { Reading() })];
        for (int i = 0; i < repeats; i++)
        {
            for (int one = 0; one < cases.Count; one++)
            {
                GenerationResult[] results = await AllAsync(prompts[one]);
                speeds[one].Add(cases[one].Batch * tokens / results.Max(result => result.Timings.Decode.TotalSeconds));
                readings[one].Add(Reading());
            }
        }

        return [.. cases.Select((one, index) => new BenchRow("decode", one.Depth, one.Batch, speeds[index], WeightBytes / one.Batch, readings[index].Average()))];

        double Reading() => Backend.MeasureReading(_readingTime);

        Task<GenerationResult[]> AllAsync(int[][] together) => Task.WhenAll(together.Select(prompt => RunAsync(prompt, tokens + 1, cancellationToken)));
    }

    /// <summary>Managed bytes that one more forward pass of a single token allocates, without the engine and the caller.</summary>
    /// <remarks>
    /// The least of the rounds, since the runtime compiles and collects beside it. The engine has to be idle, with all its generations run to their end: one
    /// that was cancelled may still be in its last pass.
    /// </remarks>
    public double AllocationPerPass(int passes)
    {
        using KeyValueCache cache = Backend.CreateCache();
        var batch = new LlamaBatch();
        float[] logits = new float[model.Config.VocabularySize];
        long least = long.MaxValue;
        for (int round = 0; round < Math.Max(repeats, 3); round++)
        {
            cache.Rewind(0);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int pass = 0; pass < passes; pass++)
            {
                batch.Clear();
                batch.Add(cache, [pass % logits.Length], LogitRows.Last);
                Backend.Forward(batch, logits);
            }

            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        return least / (double)passes;
    }

    /// <summary>Managed bytes that one more decoded token allocates in the engine and in its updates to the caller.</summary>
    public async Task<double> AllocationPerTokenAsync(int tokens, CancellationToken cancellationToken)
    {
        int[] prompt = Prompt(2);
        await RunAsync(prompt, 2 * tokens, cancellationToken);
        long few = await AllocatedAsync(tokens), many = await AllocatedAsync(2 * tokens);
        return Math.Max(0, many - few) / (double)tokens;

        async Task<long> AllocatedAsync(int count)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            await RunAsync(prompt, count, cancellationToken);
            return GC.GetTotalAllocatedBytes(precise: true) - before;
        }
    }

    /// <summary>The time to the first token of a chat's second turn as a part of that of its first, and what of it the new tokens alone would take.</summary>
    public async Task<(double SecondTurn, double NewTokens)> SecondTurnAsync(int firstTurn, int newTokens, CancellationToken cancellationToken)
    {
        int[] first = Prompt(firstTurn);
        GenerationResult before = await RunAsync(first, 1, cancellationToken);
        GenerationResult after = await RunAsync([.. first, .. before.TokenIds, .. Prompt(newTokens)], 1, cancellationToken);
        return (after.Timings.FirstToken / before.Timings.FirstToken, (double)newTokens / firstTurn);
    }

    /// <summary>The time between two tokens of a running generation: alone, and while a long prompt is read beside it.</summary>
    /// <returns>Medians of both, and the longest beside the prompt.</returns>
    public async Task<(TimeSpan Alone, TimeSpan Beside, TimeSpan Longest)> BesideAsync(int promptTokens, CancellationToken cancellationToken)
    {
        const int Warm = 8, Alone = 32;
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        List<TimeSpan> alone = [], beside = [];
        Task<GenerationResult>? prompt = null;
        long last = 0;
        int tokens = 0;
        try
        {
            await foreach (GenerationUpdate update in model.Engine.GenerateAsync(Prompt(4), _greedy with { MaxNewTokens = int.MaxValue }, enough.Token))
            {
                long now = Stopwatch.GetTimestamp();
                if (tokens++ > Warm)
                {
                    (prompt is null ? alone : beside).Add(Stopwatch.GetElapsedTime(last, now));
                }

                last = now;
                if (prompt is { IsCompleted: true })
                {
                    break;
                }

                if (alone.Count == Alone && prompt is null)
                {
                    prompt = RunAsync(Prompt(promptTokens), 1, cancellationToken);
                }
            }
        }
        finally
        {
            await enough.CancelAsync();
        }

        if (prompt is null || beside.Count == 0)
        {
            throw new InvalidOperationException("The context is too short to read a prompt beside a running generation.");
        }

        await prompt;
        return (BenchRow.MedianOf(alone), BenchRow.MedianOf(beside), beside.Max());
    }

    private async Task WarmUpAsync(Func<Task> run)
    {
        long start = Stopwatch.GetTimestamp();
        do
        {
            await run();
        }
        while (Stopwatch.GetElapsedTime(start) < warmUp);
    }

    private int[] Prompt(int tokens) => [.. Enumerable.Range(0, tokens).Select(_ => _random.Next(model.Config.VocabularySize))];

    private async Task<GenerationResult> RunAsync(int[] prompt, int tokens, CancellationToken cancellationToken)
    {
        GenerationResult? result = null;
        await foreach (GenerationUpdate update in model.Engine.GenerateAsync(prompt, _greedy with { MaxNewTokens = tokens }, cancellationToken))
        {
            result = update.Result ?? result;
        }

        return result ?? throw new UnreachableException("A generation ended without a result.");
    }
}
