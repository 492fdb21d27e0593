using Llama2.Testing;
using static Llama2.Testing.EngineHost;
using static Llama2.Tests.LlamaEngineTests;

namespace Llama2.Tests;

/// <summary>Scores of continuations that share a prompt.</summary>
public sealed class LlamaEngineContinuationsTests
{
    private static readonly int[] _prompt = Prompt(20);

    private static readonly int[][] _continuations =
        [[7, 8, 9], [5], [7, 8], [7, 8, 9, 10, 11], [5, 6, 7], [300], [7, 8, 9], [7, 9, 9], [5, 6, 8, 12]];

    [Theory]
    [InlineData(128)]
    [InlineData(6)]
    [InlineData(1)]
    public async Task ScoreContinuationsAsync_Each_EqualsScoringTheWholeText(int batchTokens)
    {
        using var host = new EngineHost(options => options.BatchTokens = batchTokens);

        IReadOnlyList<IReadOnlyList<ScoredToken>> scores = await host.Engine.ScoreContinuationsAsync(_prompt, _continuations, top: 2);

        Assert.Equal(_continuations.Length, scores.Count);
        for (int i = 0; i < scores.Count; i++)
        {
            IReadOnlyList<ScoredToken> whole = await host.Engine.ScoreAsync([.. _prompt, .. _continuations[i]], top: 2);
            Assert.Equal(whole.TakeLast(_continuations[i].Length).Select(score => score.Token), scores[i].Select(score => score.Token));
            Assert.Equal(whole.TakeLast(_continuations[i].Length).SelectMany(score => score.Top), scores[i].SelectMany(score => score.Top));
        }
    }

    [Fact]
    public async Task ScoreContinuationsAsync_Prompt_IsReadOnceAndSoIsACommonBeginning()
    {
        using var host = new EngineHost();

        await host.Engine.ScoreContinuationsAsync(_prompt, _continuations);

        // Behind the prompt: 5, 6, 8; 7, 8, 9, 10; another 9 behind the 7. What is last in a continuation is predicted, never read.
        Assert.Equal(20 + 3 + 4 + 1, host.Backend.Passes.Sum(pass => pass.Tokens));
        Assert.Equal(0, host.Backend.Forks);
    }

    [Fact]
    public async Task ScoreContinuationsAsync_SingleTokens_TakeOnePass()
    {
        using var host = new EngineHost();

        await host.Engine.ScoreContinuationsAsync(_prompt, [[3], [4], [5]]);

        Assert.Equal((20, 1, 1), Assert.Single(host.Backend.Passes));
    }

    [Fact]
    public async Task ScoreContinuationsAsync_CachedPrompt_IsNotReadAgain()
    {
        using var host = new EngineHost();
        await host.RunAsync(_prompt, Greedy(1));

        await host.Engine.ScoreContinuationsAsync(_prompt, [[3, 4], [5]]);

        Assert.Equal((2, 1, 2), host.Backend.Passes[^1]);       // the prompt's last token and the 3
        Assert.Equal(2, host.Backend.Passes.Count);
        Assert.Equal(21, host.Engine.CountCachedTokens([.. _prompt, 3, 4]));
    }

    [Fact]
    public async Task ScoreContinuationsAsync_AmongGenerations_AllAreRight()
    {
        using var host = new EngineHost(options => options.BatchTokens = 9);
        GenerationResult alone = await host.RunAsync(Prompt(12, 3), Greedy(20));
        IReadOnlyList<IReadOnlyList<ScoredToken>> expected = await host.Engine.ScoreContinuationsAsync(_prompt, _continuations);

        Task<GenerationResult>[] generations = [.. Enumerable.Range(0, 4).Select(_ => host.RunAsync(Prompt(12, 3), Greedy(20)))];
        Task<IReadOnlyList<IReadOnlyList<ScoredToken>>>[] scores =
            [.. Enumerable.Range(0, 4).Select(_ => host.Engine.ScoreContinuationsAsync(_prompt, _continuations))];

        Assert.All(await Task.WhenAll(generations), result => Assert.Equal(alone.TokenIds, result.TokenIds));
        Assert.All(await Task.WhenAll(scores), some =>
            Assert.Equal(expected.SelectMany(score => score).Select(score => score.Token), some.SelectMany(score => score).Select(score => score.Token)));
    }

    [Fact]
    public async Task ScoreContinuationsAsync_Cancelled_ThrowsAndStops()
    {
        using var host = new EngineHost();
        using var cancellation = new CancellationTokenSource();
        using var gate = new Gate(host.Backend);
        Task<IReadOnlyList<IReadOnlyList<ScoredToken>>> task = host.Engine.ScoreContinuationsAsync(_prompt, _continuations, cancellationToken: cancellation.Token);
        gate.WaitUntilReached();
        await cancellation.CancelAsync();
        gate.Open();

        OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);

        Assert.Equal(cancellation.Token, error.CancellationToken);
        Assert.Single(host.Backend.Passes);
    }

    [Fact]
    public async Task ScoreContinuationsAsync_BackendFails_Throws()
    {
        using var host = new EngineHost();
        host.Backend.OnForward = _ => throw new TimeoutException("the device is gone");

        await Assert.ThrowsAsync<TimeoutException>(() => host.Engine.ScoreContinuationsAsync(_prompt, _continuations));
    }

    [Fact]
    public async Task ScoreContinuationsAsync_WhatCannotBe_Throws()
    {
        using var host = new EngineHost();

        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => host.Engine.ScoreContinuationsAsync(_prompt, []));
        await Assert.ThrowsAsync<ArgumentException>(() => host.Engine.ScoreContinuationsAsync(_prompt, [[1], []]));
        await Assert.ThrowsAsync<ArgumentException>(() => host.Engine.ScoreContinuationsAsync(_prompt, [[320]]));
        await Assert.ThrowsAsync<ArgumentException>(() => host.Engine.ScoreContinuationsAsync([], [[1]]));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => host.Engine.ScoreContinuationsAsync(_prompt, [[1]], top: 321));
        await Assert.ThrowsAsync<ContextOverflowException>(() => host.Engine.ScoreContinuationsAsync(Prompt(255), [[1], [1, 2]]));
        Assert.Empty(host.Backend.Passes);
        Assert.Single(Assert.Single(await host.Engine.ScoreContinuationsAsync(Prompt(255), [[1]])));
    }
}
