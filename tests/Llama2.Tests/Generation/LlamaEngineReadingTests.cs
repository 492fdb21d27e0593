using Llama2.Testing;
using static Llama2.Testing.EngineHost;
using static Llama2.Tests.LlamaEngineTests;

namespace Llama2.Tests;

/// <summary>Logits and scores of given texts.</summary>
public class LlamaEngineReadingTests
{
    private static readonly int[] _text = Prompt(20);

    [Theory]
    [InlineData(128)]
    [InlineData(6)]
    [InlineData(1)]
    public async Task GetLogitsAsync_AllPositions_EqualForwardingEachBeginning(int batchTokens)
    {
        using var host = new EngineHost(options => options.BatchTokens = batchTokens);
        Assert.Equal(Expected(), await host.Engine.GetLogitsAsync(_text));
    }

    [Theory]
    [InlineData(new[] { 0 })]
    [InlineData(new[] { 19 })]
    [InlineData(new[] { 5 })]
    [InlineData(new[] { 6 })]
    [InlineData(new[] { 3, 4, 5, 11, 18, 19 })]
    [InlineData(new int[0])]
    public async Task GetLogitsAsync_SomePositions_AreThoseRows(int[] positions)
    {
        using var host = new EngineHost(options => options.BatchTokens = 6);
        float[][] all = Expected();
        Assert.Equal(positions.Select(position => all[position]), await host.Engine.GetLogitsAsync(_text, positions));
        Assert.Equal(positions.Select(position => all[position]), await host.Engine.GetLogitsAsync(_text, positions));   // now from the pool
        Assert.Equal(2 * positions.Length, host.Backend.Passes.Sum(pass => pass.Rows));
    }

    [Fact]
    public async Task GetLogitsAsync_CachedBeginning_IsNotReadAgain()
    {
        using var host = new EngineHost();
        await host.RunAsync(_text, Greedy(1));
        await host.Engine.GetLogitsAsync(_text, [19]);
        Assert.Equal((1, 1, 1), host.Backend.Passes[^1]);
    }

    [Fact]
    public async Task GetLogitsAsync_InvalidPositions_Throw()
    {
        using var host = new EngineHost();
        foreach (int[] positions in new int[][] { [-1], [20], [3, 3], [4, 2] })
        {
            await Assert.ThrowsAsync<ArgumentException>(() => host.Engine.GetLogitsAsync(_text, positions));
        }
    }

    [Fact]
    public async Task ScoreAsync_Text_IsTheLogOfTheSoftmax()
    {
        using var host = new EngineHost(options => options.BatchTokens = 7);
        IReadOnlyList<ScoredToken> scores = await host.Engine.ScoreAsync(_text, top: 1);
        float[][] logits = Expected();
        Assert.Equal(19, scores.Count);
        for (int i = 0; i < scores.Count; i++)
        {
            double total = logits[i].Sum(logit => Math.Exp(logit));
            Assert.Equal(_text[i + 1], scores[i].Token.TokenId);
            Assert.Equal(logits[i][_text[i + 1]] - Math.Log(total), scores[i].Token.LogProbability, 1e-4);
            Assert.Equal(Array.IndexOf(logits[i], logits[i].Max()), Assert.Single(scores[i].Top).TokenId);
        }
    }

    [Fact]
    public async Task ScoreAsync_WholeContext_Fits()
    {
        using var host = new EngineHost();
        Assert.Equal(255, (await host.Engine.ScoreAsync(Prompt(256))).Count);
        await Assert.ThrowsAsync<ContextOverflowException>(() => host.Engine.ScoreAsync(Prompt(257)));
        Assert.Equal(256, (await host.Engine.GetLogitsAsync(Prompt(256), [255]))[0].Length * 256 / 320);
        await Assert.ThrowsAsync<ContextOverflowException>(() => host.Engine.GetLogitsAsync(Prompt(257)));
    }

    [Fact]
    public async Task ScoreAsync_OneToken_HasNoScore()
    {
        using var host = new EngineHost();
        Assert.Empty(await host.Engine.ScoreAsync([1]));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => host.Engine.ScoreAsync([1, 2], top: -1));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => host.Engine.ScoreAsync([1, 2], top: 321));
    }

    [Fact]
    public async Task ScoreAsync_AmongGenerations_BothAreRight()
    {
        using var host = new EngineHost(options => options.BatchTokens = 9);
        GenerationResult alone = await host.RunAsync(Prompt(12, 3), Greedy(20));
        IReadOnlyList<ScoredToken> expected = await host.Engine.ScoreAsync(_text);
        Task<GenerationResult>[] generations = [.. Enumerable.Range(0, 4).Select(_ => host.RunAsync(Prompt(12, 3), Greedy(20)))];
        Task<IReadOnlyList<ScoredToken>>[] scores = [.. Enumerable.Range(0, 4).Select(_ => host.Engine.ScoreAsync(_text))];
        Assert.All(await Task.WhenAll(generations), result => Assert.Equal(alone.TokenIds, result.TokenIds));
        Assert.All(await Task.WhenAll(scores), score => Assert.Equal(expected.Select(token => token.Token), score.Select(token => token.Token)));
    }

    [Fact]
    public async Task Enqueue_RowsOverTheBound_AreTakenInSmallerChunks()
    {
        using var backend = new FakeBackend();
        using var pool = new PrefixCache(budget: 0);
        using var loop = new EngineLoop(backend, pool, new(), scoredLogits: 8 * 320);
        LogitsRequest[] requests = [.. Enumerable.Range(0, 2).Select(_ => new LogitsRequest(_text, [.. Enumerable.Range(0, 20)], 320, default))];
        using (var gate = new Gate(backend))
        {
            Array.ForEach(requests, loop.Enqueue);
            gate.WaitUntilReached();
        }

        Assert.All(await Task.WhenAll(requests.Select(request => request.Completion)), logits => Assert.Equal(Expected(), logits));
        Assert.Equal(40, backend.Passes.Sum(pass => pass.Rows));
        Assert.Equal(8, backend.Passes.Max(pass => pass.Rows));
    }

    [Fact]
    public async Task GetLogitsAsync_Cancelled_Throws()
    {
        using var host = new EngineHost(options => options.BatchTokens = 4);
        using var cancellation = new CancellationTokenSource();
        using var gate = new Gate(host.Backend);
        Task<float[][]> task = host.Engine.GetLogitsAsync(_text, cancellationToken: cancellation.Token);
        gate.WaitUntilReached();
        await cancellation.CancelAsync();
        gate.Open();
        OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
        Assert.Equal(cancellation.Token, error.CancellationToken);
        Assert.Single(host.Backend.Passes);
    }

    [Fact]
    public async Task GetLogitsAsync_BackendFails_Throws()
    {
        using var host = new EngineHost();
        host.Backend.OnForward = _ => throw new TimeoutException("the device is gone");
        await Assert.ThrowsAsync<TimeoutException>(() => host.Engine.GetLogitsAsync(_text));
    }

    /// <summary>The logits behind each token, every beginning forwarded anew.</summary>
    private static float[][] Expected()
    {
        using var backend = new FakeBackend();
        return [.. Enumerable.Range(1, _text.Length).Select(Row)];

        float[] Row(int length)
        {
            using KeyValueCache cache = backend.CreateCache();
            var batch = new LlamaBatch();
            batch.Add(cache, _text.AsSpan(0, length), LogitRows.Last);
            float[] row = new float[backend.Config.VocabularySize];
            backend.Forward(batch, row);
            return row;
        }
    }
}
