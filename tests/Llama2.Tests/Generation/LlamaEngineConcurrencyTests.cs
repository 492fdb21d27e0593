using System.Collections.Concurrent;
using Llama2.Testing;
using static Llama2.Testing.EngineHost;
using static Llama2.Tests.LlamaEngineTests;

namespace Llama2.Tests;

/// <summary>Many callers at once: sharing of steps, order, cancellation, slow readers, failures, the end of the engine.</summary>
public class LlamaEngineConcurrencyTests
{
    [Theory]
    [InlineData(1, 16)]
    [InlineData(7, 16)]
    [InlineData(128, 3)]
    public async Task GenerateAsync_ManyAtOnce_EqualAlone(int batchTokens, int concurrent)
    {
        using var alone = new EngineHost(options => options.PrefixCacheBytes = 0);
        using var together = new EngineHost(options => (options.BatchTokens, options.MaxConcurrentSequences) = (batchTokens, concurrent));
        Task<GenerationResult>[] running = [.. Enumerable.Range(0, 20).Select(i => together.RunAsync(PromptOf(i), OptionsOf(i)))];
        for (int i = 0; i < running.Length; i++)
        {
            GenerationResult expected = await alone.RunAsync(PromptOf(i), OptionsOf(i));
            GenerationResult actual = await running[i];
            Assert.Equal(expected.TokenIds, actual.TokenIds);
            Assert.Equal((expected.Text, expected.FinishReason), (actual.Text, actual.FinishReason));
        }

        Assert.All(together.Backend.Passes, pass => Assert.InRange(pass.Tokens, 1, batchTokens));
        Assert.InRange(together.Backend.Passes.Max(pass => pass.Pieces), Math.Min(2, batchTokens), concurrent);
    }

    [Fact]
    public async Task GenerateAsync_RandomCancellation_RightAnswersAndNothingLeaks()
    {
        using var alone = new EngineHost(options => options.PrefixCacheBytes = 0);
        using var host = new EngineHost(options => (options.BatchTokens, options.PrefixCacheBytes) = (32, 4096));
        host.Backend.OnForward = _ => Thread.Sleep(1);           // so that a caller who cancels is quicker than the answer
        var outcomes = new ConcurrentBag<GenerationFinishReason>();
        GenerationResult[] expected = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => alone.RunAsync(PromptOf(i), OptionsOf(i))));
        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(() => RunWithCancellationAsync(i))));
        Assert.Contains(GenerationFinishReason.Cancelled, outcomes);
        Assert.True(outcomes.Distinct().Count() > 1);
        Assert.Equal(0, host.Engine.Loop.Running);
        Assert.Equal(host.Engine.Pool.Count, host.Backend.LiveCaches);
        Assert.InRange(host.Engine.Pool.ByteSize, 0, 4096);

        async Task RunWithCancellationAsync(int i)
        {
            var random = new Random(i);
            int cancelAfter = i % 3 == 0 ? random.Next(20) : int.MaxValue;
            using var cancellation = new CancellationTokenSource();
            List<int> ids = [];
            try
            {
                await foreach (GenerationUpdate update in host.Engine.GenerateAsync(PromptOf(i), OptionsOf(i), cancellation.Token))
                {
                    ids.AddRange(update.TokenIds);
                    if (update.Result is { } result)
                    {
                        Assert.Equal((expected[i].Text, expected[i].FinishReason), (result.Text, result.FinishReason));
                        outcomes.Add(result.FinishReason);
                    }
                    else if (ids.Count > cancelAfter && i % 2 == 0)
                    {
                        await cancellation.CancelAsync();
                    }
                    else if (ids.Count > cancelAfter)
                    {
                        break;
                    }
                }
            }
            catch (GenerationCanceledException canceled)
            {
                Assert.True(cancelAfter < int.MaxValue);
                Assert.Equal(expected[i].TokenIds.Take(canceled.Result.TokenIds.Count), canceled.Result.TokenIds);
                Assert.Equal(ids, canceled.Result.TokenIds);      // everything made by then was delivered
                outcomes.Add(canceled.Result.FinishReason);
            }

            Assert.Equal(expected[i].TokenIds.Take(ids.Count), ids);
        }
    }

    [Fact]
    public async Task GenerateAsync_DecodingAndPrompts_ShareSteps()
    {
        using var host = new EngineHost(options => options.BatchTokens = 8);
        using var gate = new Gate(host.Backend);
        Task<GenerationResult> first = host.RunAsync(Prompt(3), new() { IgnoreEos = true, MaxNewTokens = 20 });
        gate.WaitUntilReached();
        Task<GenerationResult> second = host.RunAsync(Prompt(10, 1), new() { IgnoreEos = true, MaxNewTokens = 2 });
        Task<GenerationResult> third = host.RunAsync(Prompt(6, 2), new() { IgnoreEos = true, MaxNewTokens = 2 });
        gate.Open();
        await Task.WhenAll(first, second, third);

        // Prompt 1; a token of it with 6 of prompt 2, which is as much as a prompt may take beside it; a token, the 4 left and 2 of prompt 3; …
        Assert.Equal([(3, 1, 1), (7, 2, 1), (7, 3, 2), (6, 3, 3), (2, 2, 2)], host.Backend.Passes.Take(5));
        Assert.Equal((1, 1, 1), host.Backend.Passes[^1]);
    }

    [Fact]
    public async Task GenerateAsync_MoreThanPlaces_BeginInOrder()
    {
        using var host = new EngineHost(options => options.MaxConcurrentSequences = 1);
        List<int> begun = [];
        host.Backend.OnForward = batch => begun.AddRange(batch.Tokens.Length == 3 ? [batch.Tokens[2]] : []);
        using var gate = new Gate(host.Backend);
        Task[] tasks = [.. Enumerable.Range(0, 6).Select(i => host.RunAsync(Prompt(3, i), Greedy(2)))];
        gate.Open();
        await Task.WhenAll(tasks);
        Assert.Equal(Enumerable.Range(0, 6).Select(i => Prompt(3, i)[2]), begun);
        Assert.Equal(1, host.Backend.Passes.Max(pass => pass.Pieces));
    }

    [Fact]
    public async Task GenerateAsync_QueueFull_RefusesWithTheNumbers()
    {
        using var host = new EngineHost(options => (options.MaxConcurrentSequences, options.MaxQueuedRequests) = (2, 1));
        using var gate = new Gate(host.Backend);
        Task<GenerationResult>[] accepted = [.. Enumerable.Range(0, 3).Select(i => host.RunAsync(Prompt(3, i), Greedy(2)))];
        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() => host.RunAsync([1], Greedy(1)));
        Assert.Contains("at most 2:", error.Message, StringComparison.Ordinal);
        Assert.Contains("at most 1 once", error.Message, StringComparison.Ordinal);
        gate.Open();
        await Task.WhenAll(accepted);
        await host.RunAsync([1], Greedy(1));
    }

    [Fact]
    public async Task GenerateAsync_NoQueue_PlaceIsFreeWhenTheResultIsThere()
    {
        using var host = new EngineHost(options => (options.MaxConcurrentSequences, options.MaxQueuedRequests) = (1, 0));
        for (int i = 0; i < 50; i++)
        {
            await host.RunAsync(Prompt(3, i), Greedy(2));
        }
    }

    [Fact]
    public async Task GenerateAsync_CancelledBefore_DoesNoWork()
    {
        using var host = new EngineHost();
        GenerationCanceledException error = await Assert.ThrowsAsync<GenerationCanceledException>(
            () => host.RunAsync([1], Greedy(1), new CancellationToken(canceled: true)));
        Assert.Equal((GenerationFinishReason.Cancelled, 0), (error.Result.FinishReason, error.Result.TokenIds.Count));
        Assert.Empty(host.Backend.Passes);
    }

    [Fact]
    public async Task GenerateAsync_CancelledBeforeAFullEngine_EndsAtOnce()
    {
        using var host = new EngineHost(options => options.MaxConcurrentSequences = 1);
        using var gate = new Gate(host.Backend);
        Task<GenerationResult> first = host.RunAsync(Prompt(3), Greedy(2));
        gate.WaitUntilReached();
        Task late = host.RunAsync(Prompt(3, 1), Greedy(2), new CancellationToken(canceled: true));
        Assert.Same(late, await Task.WhenAny(late, Task.Delay(TimeSpan.FromSeconds(10))));          // the gate is still closed
        await Assert.ThrowsAsync<GenerationCanceledException>(() => late);
        gate.Open();
        await first;
    }

    [Fact]
    public async Task GenerateAsync_CancelledWhileWaiting_EndsAtOnce()
    {
        using var host = new EngineHost(options => options.MaxConcurrentSequences = 1);
        using var gate = new Gate(host.Backend);
        using var cancellation = new CancellationTokenSource();
        Task<GenerationResult> first = host.RunAsync(Prompt(3), Greedy(2));
        gate.WaitUntilReached();
        Task<GenerationResult> waiting = host.RunAsync(Prompt(3, 1), Greedy(2), cancellation.Token);
        await cancellation.CancelAsync();
        GenerationCanceledException error = await Assert.ThrowsAsync<GenerationCanceledException>(() => waiting);   // the gate is still closed
        Assert.Equal(cancellation.Token, error.CancellationToken);
        gate.Open();
        await first;
    }

    [Fact]
    public async Task GenerateAsync_CancelledWithinThePrompt_EndsBeforeTheNextChunkAndKeepsTheCache()
    {
        using var host = new EngineHost(options => options.BatchTokens = 10);
        using var cancellation = new CancellationTokenSource();
        using var gate = new Gate(host.Backend);
        Task<GenerationResult> task = host.RunAsync(Prompt(100), Greedy(2), cancellation.Token);
        gate.WaitUntilReached();
        await cancellation.CancelAsync();
        gate.Open();
        GenerationCanceledException error = await Assert.ThrowsAsync<GenerationCanceledException>(() => task);
        Assert.Empty(error.Result.TokenIds);
        Assert.Single(host.Backend.Passes);
        Assert.Equal(10, host.Engine.CountCachedTokens(Prompt(100)));
    }

    [Fact]
    public async Task GenerateAsync_EnumerationLeft_CancelsTheRequest()
    {
        using var host = new EngineHost();
        await foreach (GenerationUpdate update in host.Engine.GenerateAsync([1], new() { IgnoreEos = true, MaxNewTokens = 250 }))
        {
            Assert.Null(update.Result);
            break;
        }

        await EventuallyAsync(() => host.Engine.Loop.Running == 0);
        Assert.True(host.Backend.Passes.Count < 250 || host.Engine.Pool.Count == 1);
    }

    [Fact]
    public async Task GenerateAsync_BlockingReader_HoldsUpNobody()
    {
        using var host = new EngineHost();
        using var release = new ManualResetEventSlim();
        var threads = new ConcurrentBag<Thread>();
        Task blocked = Task.Run(async () =>
        {
            await foreach (GenerationUpdate update in host.Engine.GenerateAsync(Prompt(5), new() { IgnoreEos = true, MaxNewTokens = 30 }))
            {
                threads.Add(Thread.CurrentThread);
                release.Wait(TimeSpan.FromSeconds(30));
            }
        });
        for (int i = 0; i < 5; i++)
        {
            await host.RunAsync(Prompt(5, i + 1), Greedy(30));
        }

        await EventuallyAsync(() => host.Engine.Loop.Running == 0);
        Assert.False(blocked.IsCompleted);
        release.Set();
        await blocked;
        Assert.DoesNotContain(host.Engine.Loop.Thread, threads);
    }

    [Fact]
    public async Task GenerateAsync_BackendFails_EveryoneInTheBatchHearsAndTheEngineGoesOn()
    {
        using var host = new EngineHost();
        await host.RunAsync(Prompt(4), Greedy(1));                // one cache in the pool, which the failure does not touch
        var failure = new TimeoutException("the device is gone");
        host.Backend.OnForward = batch => throw (batch.Pieces.Length == 3 ? failure : new InvalidOperationException("not together"));
        using (var gate = new Gate(host.Backend))
        {
            Task<GenerationResult> lonely = host.RunAsync(Prompt(5, 9), Greedy(5));
            gate.WaitUntilReached();
            Task<GenerationResult>[] batch = [.. Enumerable.Range(1, 3).Select(i => host.RunAsync(Prompt(5, i), Greedy(5)))];
            gate.Open();
            await Assert.ThrowsAsync<InvalidOperationException>(() => lonely);
            foreach (Task<GenerationResult> task in batch)
            {
                Assert.Same(failure, await Assert.ThrowsAsync<TimeoutException>(() => task));
            }
        }

        Assert.Equal((1, 1), (host.Backend.LiveCaches, host.Engine.Pool.Count));
        host.Backend.OnForward = null;
        Assert.Equal(5, (await host.RunAsync(Prompt(5, 1), new() { IgnoreEos = true, MaxNewTokens = 5 })).TokenIds.Count);
    }

    [Fact]
    public async Task Dispose_WhileRunning_EndsEveryCallerAndTheThread()
    {
        var host = new EngineHost(options => options.MaxConcurrentSequences = 2);
        var gate = new Gate(host.Backend);
        Task<GenerationResult>[] tasks = [.. Enumerable.Range(0, 5).Select(i => host.RunAsync(Prompt(5, i), new() { IgnoreEos = true }))];
        gate.WaitUntilReached();
        Task disposing = Task.Run(host.Engine.Dispose);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => tasks[4]);          // the waiting do not wait for the forward pass
        Task again = Task.Run(host.Engine.Dispose);
        gate.Dispose();
        await Task.WhenAll(disposing, again);
        foreach (Task<GenerationResult> task in tasks)
        {
            await Assert.ThrowsAsync<ObjectDisposedException>(() => task);
        }

        await Assert.ThrowsAsync<ObjectDisposedException>(() => host.RunAsync([1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => host.Engine.ScoreAsync([1, 2]));
        host.Dispose();                                           // checks caches and thread
    }

    [Fact]
    public async Task Dispose_RacingWithCallers_LeavesNothing()
    {
        for (int round = 0; round < 30; round++)
        {
            var host = new EngineHost();
            Task[] callers = [.. Enumerable.Range(0, 8).Select(i => Task.Run(() => RunUntilDisposedAsync(host, i)))];
            await Task.Delay(round % 4);
            host.Dispose();
            await Task.WhenAll(callers);
            Assert.Equal(0, host.Backend.LiveCaches);
        }

        static async Task RunUntilDisposedAsync(EngineHost host, int i)
        {
            await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
            {
                while (true)
                {
                    await host.RunAsync(Prompt(5, i), Greedy(10));
                }
            });
        }
    }

    [Fact]
    public void Dispose_Unused_StartsNoThread()
    {
        var host = new EngineHost();
        host.Dispose();
        host.Engine.Dispose();
        Assert.Null(host.Engine.Loop.Thread);
    }

    [Fact]
    public async Task Thread_Idle_IsParked()
    {
        using var host = new EngineHost();
        await host.RunAsync([1], Greedy(2));
        Thread thread = host.Engine.Loop.Thread!;
        Assert.Equal(("llama2 engine", true), (thread.Name, thread.IsBackground));
        await EventuallyAsync(() => thread.ThreadState.HasFlag(ThreadState.WaitSleepJoin));
    }

    private static int[] PromptOf(int i) => Prompt(1 + i * 5 % 41, i);

    private static GenerationOptions OptionsOf(int i) => i % 4 == 0
        ? Greedy(25)
        : new() { Seed = i, MaxNewTokens = 10 + i % 30, Temperature = 1.2f, RepetitionPenalty = 1.1f, StopSequences = ["q", "ab"] };

    private static async Task EventuallyAsync(Func<bool> condition)
    {
        for (int i = 0; i < 3000 && !condition(); i++)
        {
            await Task.Delay(10);
        }

        Assert.True(condition());
    }
}
