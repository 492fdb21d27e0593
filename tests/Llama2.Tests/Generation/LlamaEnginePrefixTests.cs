using Llama2.Testing;
using static Llama2.Testing.EngineHost;
using static Llama2.Tests.LlamaEngineTests;

namespace Llama2.Tests;

/// <summary>Going on from the caches of ended sequences.</summary>
public class LlamaEnginePrefixTests
{
    [Fact]
    public async Task GenerateAsync_NextTurn_ReadsOnlyWhatIsNew()
    {
        using var host = new EngineHost();
        GenerationResult first = await host.RunAsync(Prompt(30), new() { IgnoreEos = true, MaxNewTokens = 10, Seed = 1 });
        int[] next = [.. first.PromptTokenIds, .. first.TokenIds, .. Prompt(8, 5)];
        Assert.Equal(39, host.Engine.CountCachedTokens(next));    // the last token of an answer is never forwarded
        GenerationResult second = await host.RunAsync(next, Greedy(12));
        Assert.Equal(new GenerationUsage(48, 39, second.TokenIds.Count), second.Usage);
        Assert.Equal(9, host.Backend.Passes[10].Tokens);
        Assert.Equal((await AloneAsync(next, Greedy(12))).TokenIds, second.TokenIds);
        Assert.Equal((1, 0), (host.Backend.LiveCaches, host.Backend.Forks));
    }

    [Fact]
    public async Task GenerateAsync_SamePromptAgain_ReadsOneToken()
    {
        using var host = new EngineHost();
        GenerationResult first = await host.RunAsync(Prompt(30), Greedy(5));
        Assert.Equal(29, host.Engine.CountCachedTokens(Prompt(30)));
        GenerationResult second = await host.RunAsync(Prompt(30), Greedy(5));
        Assert.Equal(29, second.Usage.CachedPromptTokens);
        Assert.Equal(first.TokenIds, second.TokenIds);
    }

    [Fact]
    public async Task GenerateAsync_TwoChatsWithOneBeginning_BothGoOn()
    {
        using var host = new EngineHost();
        int[] system = Prompt(40);
        int[] a = [.. system, 5, .. Prompt(30, 1)], b = [.. system, 6, .. Prompt(30, 2)];
        GenerationResult answerA = await host.RunAsync(a, Greedy(20));
        GenerationResult answerB = await host.RunAsync(b, Greedy(20));
        Assert.Equal((40, 1), (answerB.Usage.CachedPromptTokens, host.Backend.Forks));
        int[] nextA = [.. a, .. answerA.TokenIds, 5, 6], nextB = [.. b, .. answerB.TokenIds, 5, 6];
        GenerationResult secondA = await host.RunAsync(nextA, Greedy(20));
        GenerationResult secondB = await host.RunAsync(nextB, Greedy(20));
        Assert.Equal(a.Length + answerA.TokenIds.Count - 1, secondA.Usage.CachedPromptTokens);
        Assert.Equal(b.Length + answerB.TokenIds.Count - 1, secondB.Usage.CachedPromptTokens);
        Assert.Equal((await AloneAsync(nextA, Greedy(20))).TokenIds, secondA.TokenIds);
        Assert.Equal((await AloneAsync(nextB, Greedy(20))).TokenIds, secondB.TokenIds);
        Assert.Equal(1, host.Backend.Forks);
    }

    [Fact]
    public async Task GenerateAsync_SamePromptAtOnce_EachHasItsOwnCache()
    {
        using var host = new EngineHost();
        await host.RunAsync(Prompt(30), Greedy(5));
        GenerationResult[] results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => host.RunAsync(Prompt(30), Greedy(20))));
        GenerationResult alone = await AloneAsync(Prompt(30), Greedy(20));
        Assert.All(results, result => Assert.Equal(alone.TokenIds, result.TokenIds));
    }

    [Fact]
    public async Task GenerateAsync_OneBeginningAtOnce_IsReadOnce()
    {
        using var host = new EngineHost(options => options.BatchTokens = 16);
        using var gate = new Gate(host.Backend);
        int[] system = Prompt(100);
        int[][] prompts = [.. Enumerable.Range(0, 6).Select(chat => (int[])[.. system, 5 + chat, .. Prompt(7, chat)])];
        Task<GenerationResult>[] running = [.. prompts.Select(prompt => host.RunAsync(prompt, Greedy(10)))];
        gate.Open();
        GenerationResult[] results = await Task.WhenAll(running);

        Assert.Equal(100, results.Sum(result => result.Usage.PromptTokens - result.Usage.CachedPromptTokens) - 6 * 8);
        Assert.Equal(5, host.Backend.Forks);
        for (int chat = 0; chat < prompts.Length; chat++)
        {
            Assert.Equal((await AloneAsync(prompts[chat], Greedy(10))).TokenIds, results[chat].TokenIds);
        }
    }

    [Fact]
    public async Task GenerateAsync_BesideAGeneratingSequence_CopiesItsBeginning()
    {
        using var host = new EngineHost();
        Task<GenerationResult>? second = null;
        int[] next = [.. Prompt(40), 5, .. Prompt(20, 1)];
        host.Backend.OnForward = batch =>
        {
            if (second is null && batch.Tokens.Length == 1)
            {
                second = host.RunAsync(next, Greedy(5));
            }
        };
        GenerationResult first = await host.RunAsync(Prompt(40), Greedy(60));

        Assert.Equal((40, 1), ((await second!).Usage.CachedPromptTokens, host.Backend.Forks));
        Assert.Equal((await AloneAsync(next, Greedy(5))).TokenIds, (await second).TokenIds);
        Assert.Equal((await AloneAsync(Prompt(40), Greedy(60))).TokenIds, first.TokenIds);
    }

    [Fact]
    public async Task GenerateAsync_WhatIsWaitedForIsCancelled_ReadsForItself()
    {
        using var host = new EngineHost(options => options.BatchTokens = 16);
        using var cancelled = new CancellationTokenSource();
        int[] prompt = [.. Prompt(100), 5];
        Task<GenerationResult>? second = null;
        int passes = 0;
        host.Backend.OnForward = _ =>
        {
            second ??= host.RunAsync(prompt, Greedy(5));
            if (++passes == 3)
            {
                cancelled.Cancel();
            }
        };
        await Assert.ThrowsAsync<GenerationCanceledException>(() => host.RunAsync(Prompt(101, 0), Greedy(5), cancelled.Token));

        Assert.Equal((await AloneAsync(prompt, Greedy(5))).TokenIds, (await second!).TokenIds);
    }

    [Theory]
    [InlineData(20, null)]
    [InlineData(100, 0L)]
    public async Task GenerateAsync_ShortOrSwitchedOff_EachReadsItsOwn(int common, long? bytes)
    {
        using var host = new EngineHost(options => options.PrefixCacheBytes = bytes);
        using var gate = new Gate(host.Backend);
        Task<GenerationResult>[] running = [.. Enumerable.Range(0, 3).Select(chat => host.RunAsync([.. Prompt(common), 5 + chat, 9], Greedy(5)))];
        gate.Open();
        Assert.All(await Task.WhenAll(running), result => Assert.Equal(0, result.Usage.CachedPromptTokens));
        Assert.Equal(0, host.Backend.Forks);
    }

    [Fact]
    public async Task PrefixCacheBytes_Zero_ReusesNothing()
    {
        using var host = new EngineHost(options => options.PrefixCacheBytes = 0);
        await host.RunAsync(Prompt(30), Greedy(5));
        Assert.Equal((0, 0), (host.Backend.LiveCaches, host.Engine.CountCachedTokens(Prompt(30))));
        Assert.Equal(0, (await host.RunAsync(Prompt(30), Greedy(5))).Usage.CachedPromptTokens);
    }

    [Fact]
    public async Task PrefixCacheBytes_Default_HoldsTwoFullContexts()
    {
        using var host = new EngineHost();
        for (int i = 0; i < 6; i++)
        {
            await host.RunAsync(Prompt(200, i), new() { IgnoreEos = true });
        }

        Assert.Equal((2, 2 * host.Backend.CacheBytes(256)), (host.Engine.Pool.Count, host.Engine.Pool.ByteSize));
        Assert.Equal(2, host.Backend.LiveCaches);
        Assert.Equal((0, 199), (host.Engine.CountCachedTokens(Prompt(200, 0)), host.Engine.CountCachedTokens(Prompt(200, 5))));
    }

    [Fact]
    public async Task CountCachedTokens_ShortPrompts_CountNothing()
    {
        using var host = new EngineHost();
        await host.RunAsync(Prompt(30), Greedy(5));
        Assert.Equal(0, host.Engine.CountCachedTokens([]));
        Assert.Equal(0, host.Engine.CountCachedTokens([1]));
        Assert.Equal(0, host.Engine.CountCachedTokens([1, 2, 3]));
        Assert.Throws<ArgumentNullException>(() => host.Engine.CountCachedTokens(null!));
    }

    private static async Task<GenerationResult> AloneAsync(int[] prompt, GenerationOptions options)
    {
        using var host = new EngineHost(engine => engine.PrefixCacheBytes = 0);
        return await host.RunAsync(prompt, options);
    }
}
