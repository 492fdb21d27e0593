using System.Collections.Concurrent;
using System.Text.Json;
using Llama2.Testing;
using static Llama2.Testing.EngineHost;

namespace Llama2.Tests;

/// <summary>The engine over the CPU backend with a seeded model.</summary>
public class LlamaEngineCpuTests
{
    private const int Requests = 64;

    [Fact]
    public async Task GenerateAsync_ManyStreamsWithRandomCancellation_EqualAloneAndNothingLeaks()
    {
        var expected = new GenerationResult[Requests];
        using (LlamaModel alone = Load(options => (options.PrefixCacheBytes, options.MaxConcurrentSequences) = (0, 1)))
        {
            for (int i = 0; i < Requests; i++)
            {
                expected[i] = await RunAsync(alone.Engine, PromptOf(alone, i), OptionsOf(i));
            }
        }

        var outcomes = new ConcurrentBag<GenerationFinishReason>();
        LlamaModel model = Load(options => (options.BatchTokens, options.MaxConcurrentSequences) = (24, 12));
        await Task.WhenAll(Enumerable.Range(0, Requests).Select(i => Task.Run(() => StreamAsync(i))));
        Assert.Equal(Requests, outcomes.Count);
        Assert.Contains(GenerationFinishReason.Cancelled, outcomes);
        Assert.True(outcomes.Count(outcome => outcome != GenerationFinishReason.Cancelled) >= Requests / 2);
        Assert.Equal(0, model.Engine.Loop.Running);
        Thread thread = model.Engine.Loop.Thread!;
        model.Dispose();
        Assert.False(thread.IsAlive);
        Assert.Equal((0, 0L), (model.Engine.Pool.Count, model.Engine.Pool.ByteSize));

        async Task StreamAsync(int i)
        {
            int cancelAfter = i % 3 == 0 ? new Random(i).Next(12) : int.MaxValue;
            using var cancellation = new CancellationTokenSource();
            List<int> ids = [];
            try
            {
                await foreach (GenerationUpdate update in model.Engine.GenerateAsync(PromptOf(model, i), OptionsOf(i), cancellation.Token))
                {
                    ids.AddRange(update.TokenIds);
                    if (ids.Count > cancelAfter)
                    {
                        await cancellation.CancelAsync();
                    }

                    if (update.Result is { } result)
                    {
                        Assert.Equal((expected[i].Text, expected[i].FinishReason), (result.Text, result.FinishReason));
                        Assert.Equal(expected[i].TokenIds, ids);
                        outcomes.Add(result.FinishReason);
                    }
                }
            }
            catch (GenerationCanceledException canceled)
            {
                Assert.Equal(ids, canceled.Result.TokenIds);
                Assert.Equal(expected[i].TokenIds.Take(ids.Count), ids);
                outcomes.Add(GenerationFinishReason.Cancelled);
            }
        }
    }

    [Fact]
    public async Task GenerateAsync_NextTurnFromThePool_EqualsReadingItAnew()
    {
        using LlamaModel pooled = Load(_ => { });
        using LlamaModel anew = Load(options => options.PrefixCacheBytes = 0);
        GenerationResult first = await RunAsync(pooled.Engine, PromptOf(pooled, 1), OptionsOf(1));
        int[] next = [.. first.PromptTokenIds, .. first.TokenIds, 1, .. pooled.Tokenizer.Encode("and then")];
        GenerationResult second = await RunAsync(pooled.Engine, next, OptionsOf(2));
        Assert.Equal(first.PromptTokenIds.Count + first.TokenIds.Count - 1, second.Usage.CachedPromptTokens);
        Assert.Equal((await RunAsync(anew.Engine, next, OptionsOf(2))).TokenIds, second.TokenIds);
    }

    [SharedDataFact]
    public async Task GenerateAsync_Stories260K_TellsTheDocumentedStory()
    {
        using LlamaModel model = LlamaModel.Load(TestData.Path("models/stories260K"));
        GenerationOptions options = new() { DoSample = false, StopTokenIds = [1], MaxNewTokens = 256 };      // the 256 steps of run.c
        GenerationResult result = await RunAsync(model.Engine, [1], options);
        Assert.Equal(await File.ReadAllTextAsync(TestData.Path("models/stories260K_doc_greedy.txt")), result.Text + "\n");
    }

    [SharedDataFact]
    public async Task GenerateAsync_Stories260KAllPromptsAtOnce_AreTheGoldenTokens()
    {
        using LlamaModel model = LlamaModel.Load(TestData.Path("models/stories260K"), new() { BatchTokens = 16 });
        await Task.WhenAll(TestData.Rows("models/stories260K_golden_greedy.jsonl").Select(CheckAsync));

        async Task CheckAsync(JsonElement row)
        {
            int[] expected = Ids(row, "new_ids");
            GenerationResult result = await RunAsync(
                model.Engine, Ids(row, "prompt_ids"), new() { DoSample = false, StopTokenIds = [1], MaxNewTokens = expected.Length });
            Assert.Equal(expected, result.TokenIds);
        }
    }

    [SharedDataFact]
    public async Task ScoreAsync_Stories260K_IsTheGoldenLikelihood()
    {
        using LlamaModel model = LlamaModel.Load(TestData.Path("models/stories260K"), new() { BatchTokens = 10 });
        foreach (JsonElement row in TestData.Rows("models/stories260K_golden_nll.jsonl"))
        {
            IReadOnlyList<ScoredToken> scores = await model.Engine.ScoreAsync(Ids(row, "ids"));
            Assert.Equal(row.GetProperty("mean_nll_f64").GetDouble(), -scores.Average(score => score.Token.LogProbability), 1e-4);
        }
    }

    private static int[] Ids(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];

    private static LlamaModel Load(Action<LlamaModelOptions> configure)
    {
        var options = new LlamaModelOptions { Threads = 2 };
        configure(options);
        return LlamaModel.Load(TinyModels.Create(), options);
    }

    private static int[] PromptOf(LlamaModel model, int i) =>
        [1, .. model.Tokenizer.Encode(string.Concat(Enumerable.Repeat("tell me a story ", 1 + i % 3)) + (char)('a' + i % 26))];

    private static GenerationOptions OptionsOf(int i) => i % 4 == 0
        ? Greedy(16)
        : new() { Seed = i, MaxNewTokens = 8 + i % 16, Temperature = 1, StopSequences = ["z"] };
}
