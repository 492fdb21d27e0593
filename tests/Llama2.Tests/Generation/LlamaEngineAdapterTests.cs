using Llama2.Testing;
using static Llama2.Testing.EngineHost;
using static Llama2.Tests.LlamaEngineTests;

namespace Llama2.Tests;

/// <summary>Adapters by name: who gets which, what the prefix cache makes of them, and how long they live.</summary>
public class LlamaEngineAdapterTests
{
    [Fact]
    public async Task GenerateAsync_MixedAdaptersAtOnce_EqualAlone()
    {
        using EngineHost host = Host(), alone = Host(options => options.PrefixCacheBytes = 0);
        string?[] names = [null, "a", "b", ""];
        Task<GenerationResult>[] tasks;
        using (var gate = new Gate(host.Backend))
        {
            tasks = [.. Enumerable.Range(0, 16).Select(i => host.RunAsync(Prompt(20 + i / 4), With(names[i % 4])))];
            gate.WaitUntilReached();                     // the first waits in its first pass until the others are there, too
            gate.Open();
        }

        GenerationResult[] results = await Task.WhenAll(tasks);
        for (int i = 0; i < results.Length; i++)
        {
            Assert.Equal((await alone.RunAsync(Prompt(20 + i / 4), With(names[i % 4]))).TokenIds, results[i].TokenIds);
            Assert.Equal(names[i % 4], results[i].EffectiveOptions.Adapter);
        }

        Assert.True(host.Backend.Passes.Max(pass => pass.Pieces) > 1);
        Assert.Equal(results[0].TokenIds, results[3].TokenIds);
        Assert.Equal(3, results.Take(4).Select(result => string.Join(' ', result.TokenIds)).Distinct().Count());
    }

    [Fact]
    public async Task GenerateAsync_CachedPrefix_ServesItsAdapterAlone()
    {
        using EngineHost host = Host();
        await host.RunAsync(Prompt(30), With("a"));
        Assert.Equal([29, 0, 0], new[] { "a", "b", null }.Select(name => host.Engine.CountCachedTokens(Prompt(30), name)));
        Assert.Equal(0, (await host.RunAsync(Prompt(30), With("b"))).Usage.CachedPromptTokens);
        Assert.Equal(0, (await host.RunAsync(Prompt(30), With(null))).Usage.CachedPromptTokens);
        foreach (string? name in new[] { "a", "b", null })
        {
            Assert.Equal(29, (await host.RunAsync(Prompt(30), With(name))).Usage.CachedPromptTokens);
        }

        Assert.Equal(3, host.Engine.Pool.Count);
    }

    [Fact]
    public async Task GenerateAsync_UnknownName_ThrowsAtTheCallAndListsTheKnown()
    {
        using EngineHost host = Host();
        var error = Assert.Throws<UnknownAdapterException>(() => host.Engine.GenerateAsync(Prompt(5), With("c")));
        Assert.Equal(("c", "a b"), (error.Name, string.Join(' ', error.Known)));
        Assert.Equal("No adapter 'c' is loaded; there are 'a', 'b'.", error.Message);
        Assert.Throws<UnknownAdapterException>(() => host.Engine.GenerateAsync(Prompt(5), With("A")));
        Assert.Throws<UnknownAdapterException>(() => host.Engine.CountCachedTokens(Prompt(5), "c"));
        await Assert.ThrowsAsync<UnknownAdapterException>(() => host.Engine.ScoreAsync(Prompt(5), adapter: "c"));
        await Assert.ThrowsAsync<UnknownAdapterException>(() => host.Engine.GetLogitsAsync(Prompt(5), adapter: "c"));
        using var none = new EngineHost();
        Assert.Equal("No adapter 'c' is loaded; none is.", Assert.Throws<UnknownAdapterException>(() => none.Engine.GenerateAsync(Prompt(5), With("c"))).Message);
    }

    [Fact]
    public async Task GenerateAsync_DefaultAdapter_HoldsUnlessTheRequestSaysOtherwise()
    {
        using EngineHost host = Host(defaults: new() { Adapter = "a" });
        GenerationResult chosen = await host.RunAsync(Prompt(20), With("a")), byDefault = await host.RunAsync(Prompt(20), With(null));
        GenerationResult bare = await host.RunAsync(Prompt(20), With(""));
        Assert.Equal(chosen.TokenIds, byDefault.TokenIds);
        Assert.Equal(("a", 19), (byDefault.EffectiveOptions.Adapter, byDefault.Usage.CachedPromptTokens));
        Assert.NotEqual(chosen.TokenIds, bare.TokenIds);
        Assert.Equal(await host.Engine.GetLogitsAsync(Prompt(9), adapter: "a"), await host.Engine.GetLogitsAsync(Prompt(9)));
        Assert.Equal(19, host.Engine.CountCachedTokens(Prompt(20)));
    }

    [Fact]
    public async Task ScoreAsync_AndGetLogitsAsync_ReadWithTheAdapter()
    {
        using EngineHost host = Host();
        GenerationResult result = await host.RunAsync(Prompt(12), With("b") with { PromptLogProbabilities = true });
        IReadOnlyList<ScoredToken> scores = await host.Engine.ScoreAsync(Prompt(12), adapter: "b"), bare = await host.Engine.ScoreAsync(Prompt(12));
        Assert.Equal(result.PromptLogProbabilities!.Select(score => score.Token), scores.Select(score => score.Token));
        Assert.NotEqual(bare.Select(score => score.Token), scores.Select(score => score.Token));
        Assert.NotEqual(await host.Engine.GetLogitsAsync(Prompt(12), [11]), await host.Engine.GetLogitsAsync(Prompt(12), [11], "b"));
    }

    [Fact]
    public async Task Unload_WhileRequestsRunAndWait_TheyKeepItAndTheLastFreesIt()
    {
        using EngineHost host = Host(options => options.MaxConcurrentSequences = 1), alone = Host();
        GenerationResult expected = await alone.RunAsync(Prompt(20), With("a"));
        long bytes = host.Engine.Adapters.ByteSize;
        using var gate = new Gate(host.Backend);
        Task<GenerationResult> running = host.RunAsync(Prompt(20), With("a"));
        gate.WaitUntilReached();
        Task<GenerationResult> waiting = host.RunAsync(Prompt(20), With("a"));

        Assert.True(host.Engine.Adapters.Unload("a"));
        Assert.False(host.Engine.Adapters.Unload("a"));
        Assert.Throws<UnknownAdapterException>(() => host.Engine.GenerateAsync(Prompt(20), With("a")));
        Assert.Equal(["b"], host.Engine.Adapters.Names);
        Assert.Equal((2, bytes), (host.Backend.LiveAdapters, host.Engine.Adapters.ByteSize));
        host.Engine.Adapters.Load("a", TinyAdapters.Create(3));              // another one of that name
        Task<GenerationResult> third = host.RunAsync(Prompt(20), With("a"));
        gate.Open();

        Assert.Equal(expected.TokenIds, (await running).TokenIds);
        Assert.Equal(expected.TokenIds, (await waiting).TokenIds);
        Assert.Equal(0, (await waiting).Usage.CachedPromptTokens);
        Assert.NotEqual(expected.TokenIds, (await third).TokenIds);
        Assert.Equal((2, bytes, 1), (host.Backend.LiveAdapters, host.Engine.Adapters.ByteSize, host.Engine.Pool.Count));
    }

    [Fact]
    public async Task Unload_PooledCaches_AreDropped()
    {
        using EngineHost host = Host();
        await host.RunAsync(Prompt(30), With("a"));
        await host.RunAsync(Prompt(30), With("b"));
        Assert.True(host.Engine.Adapters.Unload("a"));
        Assert.Equal((1, 1), (host.Engine.Pool.Count, host.Backend.LiveAdapters));
        host.Engine.Adapters.Load("a", TinyAdapters.Create(1));
        Assert.Equal(0, (await host.RunAsync(Prompt(30), With("a"))).Usage.CachedPromptTokens);
    }

    [Fact]
    public async Task Unload_RequestsThatEndEarly_FreeItToo()
    {
        using EngineHost host = Host(options => (options.MaxConcurrentSequences, options.MaxQueuedRequests) = (1, 1));
        using var gate = new Gate(host.Backend);
        using var cancellation = new CancellationTokenSource();
        Task<GenerationResult> running = host.RunAsync(Prompt(5), With("b"));
        gate.WaitUntilReached();
        Task<GenerationResult> cancelled = host.RunAsync(Prompt(5), With("a"), cancellation.Token);
        await Assert.ThrowsAsync<InvalidOperationException>(() => host.RunAsync(Prompt(5), With("a")));            // the queue is full
        Assert.True(host.Engine.Adapters.Unload("a"));
        Assert.Equal(2, host.Backend.LiveAdapters);
        await cancellation.CancelAsync();
        await Assert.ThrowsAsync<GenerationCanceledException>(() => cancelled);
        Assert.Equal(1, host.Backend.LiveAdapters);
        gate.Open();
        await running;

        host.Backend.OnForward = _ => throw new TimeoutException();
        Task<GenerationResult> failing = host.RunAsync(Prompt(9), With("b"));
        await Assert.ThrowsAsync<TimeoutException>(() => failing);
        Assert.True(host.Engine.Adapters.Unload("b"));
        Assert.Equal((0, 0L), (host.Backend.LiveAdapters, host.Engine.Adapters.ByteSize));
    }

    [Fact]
    public async Task Dispose_WithRequestsUnderWay_FreesEveryAdapter()
    {
        EngineHost host = Host();
        host.Backend.OnForward = _ => Thread.Sleep(5);                       // none ends by itself before the engine does
        Task<GenerationResult>[] tasks = [.. Enumerable.Range(0, 8).Select(i => host.RunAsync(Prompt(20), new() { Adapter = i % 2 == 0 ? "a" : "b", IgnoreEos = true }))];
        host.Dispose();                                                      // checks that no adapter is left
        foreach (Task task in tasks)
        {
            await Assert.ThrowsAnyAsync<ObjectDisposedException>(() => task);
        }

        Assert.Throws<ObjectDisposedException>(() => host.Engine.Adapters.Load("c", TinyAdapters.Create()));
        Assert.Equal(0, host.Backend.LiveAdapters);
    }

    [Fact]
    public void Load_NameIsTaken_ThrowsAndKeepsTheFirst()
    {
        using EngineHost host = Host();
        Assert.Contains("'a'", Assert.Throws<ArgumentException>(() => host.Engine.Adapters.Load("a", TinyAdapters.Create(3))).Message, StringComparison.Ordinal);
        Assert.Equal(2, host.Backend.LiveAdapters);
    }

    [Fact]
    public async Task LoadAndUnload_WhileRequestsRun_EveryAnswerIsOneAdapters()
    {
        using EngineHost host = Host(options => options.PrefixCacheBytes = 4096), alone = Host();
        GenerationResult a = await alone.RunAsync(Prompt(25), With("a")), b = await alone.RunAsync(Prompt(25), With("b"));
        bool done = false;
        Task reloading = Task.Run(() =>
        {
            for (int i = 0; !Volatile.Read(ref done); i++)
            {
                Assert.True(host.Engine.Adapters.Unload("b"));
                host.Engine.Adapters.Load("b", TinyAdapters.Create(2));
            }
        });
        int answers = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            for (int round = 0; round < 25; round++)
            {
                string name = (i + round) % 2 == 0 ? "a" : "b";
                try
                {
                    Assert.Equal((name == "a" ? a : b).TokenIds, (await host.RunAsync(Prompt(25), With(name))).TokenIds);
                    Interlocked.Increment(ref answers);
                }
                catch (UnknownAdapterException unknown)
                {
                    Assert.Equal(("b", "b"), (name, unknown.Name));
                }
            }
        }));
        Volatile.Write(ref done, true);
        await reloading;
        Assert.InRange(answers, 100, 200);                                   // all of "a", at least
        Assert.Equal(2, host.Backend.LiveAdapters);
    }

    private static GenerationOptions With(string? adapter) => Greedy(10) with { Adapter = adapter, IgnoreEos = true };

    private static EngineHost Host(Action<LlamaModelOptions>? configure = null, GenerationOptions? defaults = null)
    {
        var host = new EngineHost(configure, defaults: defaults);
        host.Engine.Adapters.Load("b", TinyAdapters.Create(2));
        host.Engine.Adapters.Load("a", TinyAdapters.Create(1));
        return host;
    }
}
