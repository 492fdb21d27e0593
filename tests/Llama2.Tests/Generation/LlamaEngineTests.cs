using System.Numerics.Tensors;
using Llama2.Testing;
using static Llama2.Testing.EngineHost;

namespace Llama2.Tests;

/// <summary>What one generation gives; the concurrent ones are in <see cref="LlamaEngineConcurrencyTests"/>.</summary>
public class LlamaEngineTests
{
    private static readonly LlamaConfig _small = TinyModels.Config with { ContextLength = 32 };

    [Fact]
    public async Task GenerateAsync_Greedy_EqualsForwardingTheWholeTextAnewForEachToken()
    {
        using var host = new EngineHost(options => options.BatchTokens = 5);
        int[] prompt = Prompt(23);
        GenerationResult result = await host.RunAsync(prompt, Greedy(40));

        using var backend = new FakeBackend();
        List<int> text = [.. prompt];
        float[] row = new float[backend.Config.VocabularySize];
        while (text.Count < prompt.Length + 40 && text[^1] != 2)
        {
            using KeyValueCache cache = backend.CreateCache();
            var batch = new LlamaBatch();
            batch.Add(cache, [.. text], LogitRows.Last);
            backend.Forward(batch, row);
            text.Add(TensorPrimitives.IndexOfMax<float>(row));
        }

        Assert.Equal(text[prompt.Length..], result.TokenIds);
        Assert.Equal(prompt, result.PromptTokenIds);
        Assert.Equal(new GenerationUsage(23, 0, result.TokenIds.Count), result.Usage);
    }

    [Fact]
    public async Task GenerateAsync_Updates_AddUpToTheResult()
    {
        using var host = new EngineHost();
        List<GenerationUpdate> updates = await CollectAsync(host, Prompt(7), new() { Seed = 3, MaxNewTokens = 50, IgnoreEos = true, LogProbabilities = 2 });
        GenerationResult result = updates[^1].Result!;
        Assert.All(updates[..^1], update => Assert.Null(update.Result));
        Assert.Empty(updates[^1].TokenIds);
        Assert.Equal(50, result.TokenIds.Count);
        Assert.Equal(result.TokenIds, updates.SelectMany(update => update.TokenIds));
        Assert.Equal(result.Text, string.Concat(updates.Select(update => update.Text)));
        Assert.Equal(result.LogProbabilities!.Select(score => score.Token.TokenId), result.TokenIds);
        Assert.Equal(result.LogProbabilities, updates[..^1].SelectMany(update => update.LogProbabilities!));
        Assert.All(result.LogProbabilities!, score => Assert.Equal(2, score.Top.Count));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task GenerateAsync_Text_IsWhatTheAnswerAddsToThePrompt(int seed)
    {
        using var host = new EngineHost();
        LlamaTokenizer tokenizer = host.Tokenizer!;
        int[] prompt = [1, .. tokenizer.Encode("abc d")];
        GenerationResult result = await host.RunAsync(prompt, new() { Seed = seed, Temperature = 2, TopP = 1, MaxNewTokens = 60, IgnoreEos = true });
        string whole = tokenizer.Decode([.. prompt, .. result.TokenIds]);
        Assert.Equal(whole, tokenizer.Decode(prompt) + result.Text);
    }

    [Theory]
    [InlineData(new[] { 1 }, "ab")]                               // the beginning of a text
    [InlineData(new[] { 1, 260 }, " ab")]                         // after "a"
    [InlineData(new[] { 1, 259 }, " ab")]                         // after "▁", which is the leading space that is dropped
    public async Task GenerateAsync_LeadingSpace_IsDroppedAtTheBeginningOnly(int[] prompt, string expected)
    {
        using var host = new EngineHost();
        Force(host, prompt.Length, 259, 260, 261);                // ▁ a b
        Assert.Equal(expected, (await host.RunAsync(prompt, Greedy(3))).Text);
    }

    [Fact]
    public async Task GenerateAsync_CharacterOfSeveralBytes_ComesWhole()
    {
        using var host = new EngineHost();
        Force(host, 1, 3 + 0xE2, 3 + 0x82, 3 + 0xAC, 260, 3 + 0xE2);
        List<GenerationUpdate> updates = await CollectAsync(host, [1], Greedy(5));
        Assert.Equal(["", "", "€", "a", "", "\uFFFD"], updates.Select(update => update.Text));
    }

    [Fact]
    public async Task GenerateAsync_ReturnFullText_BeginsWithThePrompt()
    {
        using var host = new EngineHost();
        int[] prompt = [1, .. host.Tokenizer!.Encode("hello world")];
        GenerationOptions options = Greedy(5);
        options.ReturnFullText = true;
        List<GenerationUpdate> updates = await CollectAsync(host, prompt, options);
        Assert.Equal(("hello world", 0), (updates[0].Text, updates[0].TokenIds.Count));
        Assert.Equal(host.Tokenizer.Decode([.. prompt, .. updates[^1].Result!.TokenIds]), updates[^1].Result!.Text);
    }

    [Fact]
    public async Task GenerateAsync_EndOfText_Stops()
    {
        using var host = new EngineHost();
        Force(host, 1, 260, 2, 261);
        List<GenerationUpdate> updates = await CollectAsync(host, [1], Greedy(10));
        GenerationResult result = updates[^1].Result!;
        Assert.Equal((GenerationFinishReason.Stop, "a"), (result.FinishReason, result.Text));
        Assert.Equal([260, 2], result.TokenIds);
        Assert.Equal(2, result.Usage.CompletionTokens);
        Assert.Equal(3, updates.Count);
    }

    [Fact]
    public async Task GenerateAsync_IgnoreEos_GoesOnWithoutText()
    {
        using var host = new EngineHost();
        Force(host, 1, 260, 2, 261);
        GenerationOptions options = Greedy(3);
        options.IgnoreEos = true;
        GenerationResult result = await host.RunAsync([1], options);
        Assert.Equal((GenerationFinishReason.Length, "ab"), (result.FinishReason, result.Text));
        Assert.Equal([260, 2, 261], result.TokenIds);
    }

    [Fact]
    public async Task GenerateAsync_StopTokenId_StopsWithoutItsText()
    {
        using var host = new EngineHost();
        Force(host, 1, 260, 261, 262, 263);
        GenerationOptions options = Greedy(10);
        options.StopTokenIds = [300, 262];
        GenerationResult result = await host.RunAsync([1], options);
        Assert.Equal((GenerationFinishReason.Stop, "ab"), (result.FinishReason, result.Text));
        Assert.Equal([260, 261, 262], result.TokenIds);
    }

    [Fact]
    public async Task GenerateAsync_MinNewTokens_HoldsEndAndStopTokensBack()
    {
        using var host = new EngineHost();
        Force(host, 1, 2, 300, 260, 300);
        GenerationOptions options = Greedy(10);
        (options.StopTokenIds, options.MinNewTokens) = ([300], 3);
        GenerationResult result = await host.RunAsync([1], options);
        Assert.Equal(4, result.TokenIds.Count);
        Assert.DoesNotContain(2, result.TokenIds);
        Assert.Equal([260, 300], result.TokenIds.Skip(2));
    }

    [Fact]
    public async Task GenerateAsync_StopSequenceAcrossTokens_NeverLeaks()
    {
        using var host = new EngineHost();
        Force(host, 1, 260, 261, 260, 261, 262, 263);             // a b a b c d
        GenerationOptions options = Greedy(10);
        options.StopSequences = ["xyz", "abc"];
        List<GenerationUpdate> updates = await CollectAsync(host, [1], options);
        GenerationResult result = updates[^1].Result!;
        Assert.Equal((GenerationFinishReason.StopSequence, "abc", "ab"), (result.FinishReason, result.StopSequence, result.Text));
        Assert.Equal([260, 261, 260, 261, 262], result.TokenIds);
        Assert.Equal(["", "", "ab", "", "", ""], updates.Select(update => update.Text));   // the second a settles the first two
        Assert.Equal("ab", string.Concat(updates.Select(update => update.Text)));
    }

    [Fact]
    public async Task GenerateAsync_HeldBackAtTheEnd_ComesWithTheLastUpdate()
    {
        using var host = new EngineHost();
        Force(host, 1, 260, 261);
        GenerationOptions options = Greedy(2);
        options.StopSequences = ["abc"];
        List<GenerationUpdate> updates = await CollectAsync(host, [1], options);
        Assert.Equal(["", "", "ab"], updates.Select(update => update.Text));
        Assert.Equal((GenerationFinishReason.Length, null), (updates[^1].Result!.FinishReason, updates[^1].Result!.StopSequence));
    }

    [Fact]
    public async Task GenerateAsync_ContextFull_EndsWithLength()
    {
        using var host = new EngineHost(config: _small);
        GenerationResult result = await host.RunAsync(Prompt(20), new() { IgnoreEos = true, MaxNewTokens = 1000 });
        Assert.Equal((GenerationFinishReason.Length, 12), (result.FinishReason, result.TokenIds.Count));
        Assert.Equal(12, result.EffectiveOptions.MaxNewTokens);
        Assert.Equal(12, (await host.RunAsync(Prompt(20), new() { IgnoreEos = true })).TokenIds.Count);
    }

    [Fact]
    public async Task GenerateAsync_MaxTime_EndsWithLength()
    {
        var time = new ManualTimeProvider();
        using var host = new EngineHost(time: time);
        host.Backend.OnForward = _ => time.Advance(TimeSpan.FromSeconds(1));
        GenerationResult result = await host.RunAsync(Prompt(5), new() { MaxTime = TimeSpan.FromSeconds(3), IgnoreEos = true, Seed = 1 });
        Assert.Equal((GenerationFinishReason.Length, 3), (result.FinishReason, result.TokenIds.Count));
    }

    [Fact]
    public async Task GenerateAsync_MaxTimeWithinThePrompt_EndsWithoutTokens()
    {
        var time = new ManualTimeProvider();
        using var host = new EngineHost(options => options.BatchTokens = 4, time: time);
        host.Backend.OnForward = _ => time.Advance(TimeSpan.FromSeconds(1));
        GenerationResult result = await host.RunAsync(Prompt(20), new() { MaxTime = TimeSpan.FromSeconds(2) });
        Assert.Equal((GenerationFinishReason.Length, 0), (result.FinishReason, result.TokenIds.Count));
        Assert.Equal(new GenerationTimings(TimeSpan.Zero, TimeSpan.FromSeconds(2), TimeSpan.Zero, TimeSpan.Zero), result.Timings);
    }

    [Fact]
    public async Task GenerateAsync_Timings_SplitTheRequest()
    {
        var time = new ManualTimeProvider();
        using var host = new EngineHost(options => (options.BatchTokens, options.MaxConcurrentSequences) = (5, 1), time: time);
        host.Backend.OnForward = _ => time.Advance(TimeSpan.FromSeconds(1));
        using var gate = new Gate(host.Backend);
        Task<GenerationResult> first = host.RunAsync(Prompt(5), Greedy(1));
        gate.WaitUntilReached();
        Task<GenerationResult> second = host.RunAsync(Prompt(10, 300), new() { MaxNewTokens = 4, IgnoreEos = true });
        gate.Open();
        await first;
        GenerationTimings timings = (await second).Timings;
        Assert.Equal(new GenerationTimings(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(3)), timings);
    }

    [Fact]
    public void GenerateAsync_PromptTooLong_ThrowsAtTheCall()
    {
        using var host = new EngineHost(config: _small);
        ContextOverflowException error = Assert.Throws<ContextOverflowException>(() => host.Engine.GenerateAsync(Prompt(32)));
        Assert.Equal((32, 32), (error.PromptTokens, error.ContextLength));
        Assert.Throws<ContextOverflowException>(() => host.Engine.GenerateAsync(Prompt(40), new() { ContextOverflow = ContextOverflow.DropOldestTurns }));
        Assert.Empty(host.Backend.Passes);
    }

    [Theory]
    [InlineData(32, null, 24)]                                    // a quarter of the context is left for the answer
    [InlineData(40, 3, 29)]
    [InlineData(100, 100, 24)]
    public async Task GenerateAsync_TruncateLeft_KeepsBeginOfTextAndTheNewestTokens(int length, int? maxNewTokens, int kept)
    {
        using var host = new EngineHost(config: _small);
        int[] prompt = Prompt(length);
        var options = new GenerationOptions { ContextOverflow = ContextOverflow.TruncateLeft, MaxNewTokens = maxNewTokens, IgnoreEos = true };
        GenerationResult result = await host.RunAsync(prompt, options);
        Assert.Equal([1, .. prompt[^(kept - 1)..]], result.PromptTokenIds);
        Assert.Equal((length - kept, kept), (result.DroppedPromptTokens, result.Usage.PromptTokens));
        Assert.Equal(32 - kept, result.TokenIds.Count);
    }

    [Fact]
    public async Task GenerateAsync_TruncateLeftWithoutBeginOfText_KeepsTheNewestTokens()
    {
        using var host = new EngineHost(config: _small);
        int[] prompt = [.. Prompt(40).Skip(1)];
        GenerationResult result = await host.RunAsync(prompt, new() { ContextOverflow = ContextOverflow.TruncateLeft });
        Assert.Equal(prompt[^24..], result.PromptTokenIds);
    }

    [Fact]
    public void GenerateAsync_ContextOfOneToken_CannotHoldAnAnswer()
    {
        using var host = new EngineHost(config: TinyModels.Config with { ContextLength = 1 });
        Assert.Throws<ContextOverflowException>(() => host.Engine.GenerateAsync([1], new() { ContextOverflow = ContextOverflow.TruncateLeft }));
    }

    [Fact]
    public void GenerateAsync_InvalidArguments_ThrowAtTheCall()
    {
        using var host = new EngineHost();
        LlamaEngine engine = host.Engine;
        Assert.Throws<ArgumentNullException>(() => engine.GenerateAsync(null!));
        Assert.Throws<ArgumentException>(() => engine.GenerateAsync([]));
        Assert.Contains("320 (number 1)", Assert.Throws<ArgumentException>(() => engine.GenerateAsync([1, 320])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => engine.GenerateAsync([-1]));
        Assert.Throws<ArgumentException>(() => engine.GenerateAsync([1], new() { TopP = 2 }));
        ArgumentException error = Assert.Throws<ArgumentException>(() => engine.GenerateAsync([1], new() { StopTokenIds = [320] }));
        Assert.Contains("StopTokenIds", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => engine.GenerateAsync([1], new() { LogitBias = new Dictionary<int, float> { [320] = 1 } }));
        Assert.Empty(host.Backend.Passes);
        Assert.Null(engine.Loop.Thread);
    }

    [Fact]
    public async Task GenerateAsync_NoTokenizer_GivesIdsAndRefusesWhatNeedsText()
    {
        using var host = new EngineHost(withTokenizer: false);
        GenerationResult result = await host.RunAsync([1], new() { IgnoreEos = true, MaxNewTokens = 4 });
        Assert.Equal((4, ""), (result.TokenIds.Count, result.Text));
        Assert.Throws<ArgumentException>(() => host.Engine.GenerateAsync([1], new() { StopSequences = ["a"] }));
        Assert.Throws<ArgumentException>(() => host.Engine.GenerateAsync([1], new() { ReturnFullText = true }));
        Assert.Throws<ArgumentException>(() => host.Engine.GenerateAsync([1], new() { BadWords = ["a"] }));
    }

    [Fact]
    public async Task GenerateAsync_CallersObjects_AreCopiedAndLeftAlone()
    {
        using var host = new EngineHost();
        List<int> prompt = [1, 260];
        List<int> stops = [300];
        var options = new GenerationOptions { StopTokenIds = stops, MaxNewTokens = 6, DoSample = false };
        GenerationOptions before = options with { };
        GenerationResult expected = await host.RunAsync(prompt, options);
        IAsyncEnumerable<GenerationUpdate> stream = host.Engine.GenerateAsync(prompt, options);
        Assert.Equal(before, options);
        prompt.Clear();
        stops.AddRange(expected.TokenIds);
        options.MaxNewTokens = 1;
        List<GenerationUpdate> updates = await CollectAsync(stream);
        Assert.Equal(expected.TokenIds, updates[^1].Result!.TokenIds);
        Assert.Equal([1, 260], updates[^1].Result!.PromptTokenIds);
    }

    [Fact]
    public async Task GenerateAsync_EffectiveOptions_AreFilledInAndRepeatTheAnswer()
    {
        using var host = new EngineHost(defaults: new() { TopK = 50, Temperature = 1.5f });
        GenerationResult first = await host.RunAsync([1], new() { TopK = 40, MaxNewTokens = 30 });
        GenerationOptions effective = first.EffectiveOptions;
        Assert.Equal((40, 1.5f, 0.9f, true), (effective.TopK, effective.Temperature, effective.TopP, effective.DoSample));
        Assert.NotNull(effective.Seed);
        Assert.Equal(first.TokenIds, (await host.RunAsync([1], effective)).TokenIds);
    }

    [Fact]
    public async Task GenerateAsync_EnumeratedTwice_RunsTwiceWithOneSeed()
    {
        using var host = new EngineHost();
        IAsyncEnumerable<GenerationUpdate> stream = host.Engine.GenerateAsync(Prompt(4), new() { MaxNewTokens = 30, Temperature = 2 });
        Assert.Null(host.Engine.Loop.Thread);                     // nothing runs before the enumeration
        GenerationResult first = (await CollectAsync(stream))[^1].Result!;
        first.EffectiveOptions.MaxNewTokens = 1;
        Assert.Equal(first.TokenIds, (await CollectAsync(stream))[^1].Result!.TokenIds);
    }

    [Fact]
    public async Task GenerateAsync_TokenOfTheEnumeration_CancelsToo()
    {
        using var host = new EngineHost();
        using var ofTheCall = new CancellationTokenSource();
        using var ofTheEnumeration = new CancellationTokenSource();
        IAsyncEnumerable<GenerationUpdate> stream = host.Engine.GenerateAsync([1], new() { IgnoreEos = true }, ofTheCall.Token);
        await ofTheEnumeration.CancelAsync();
        await using IAsyncEnumerator<GenerationUpdate> enumerator = stream.GetAsyncEnumerator(ofTheEnumeration.Token);
        await Assert.ThrowsAsync<GenerationCanceledException>(async () => await enumerator.MoveNextAsync());
    }

    [Fact]
    public async Task GenerateAsync_Decoding_AllocatesOnlyWhatIsDelivered()
    {
        using var host = new EngineHost(withTokenizer: false);
        var allocated = new long[4 * 208];                         // at most: no two requests ever share a pass
        int passes = 0;
        host.Backend.OnForward = _ => allocated[passes++] = GC.GetAllocatedBytesForCurrentThread();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => host.RunAsync(Prompt(8, i), new() { IgnoreEos = true, MaxNewTokens = 200, Seed = i })));
        double perToken = Enumerable.Range(1, 17).Min(window => (allocated[(window + 1) * 10] - allocated[window * 10]) / 40.0);     // 10 passes of 4 tokens
        Assert.InRange(perToken, 1, 256);                         // an update, its id, a place in the channel
    }

    [Fact]
    public async Task GenerateAsync_TemperatureZero_ReportsGreedy() =>
        Assert.False((await RunOnceAsync(new() { Temperature = 0, MaxNewTokens = 1 })).EffectiveOptions.DoSample);

    [Fact]
    public async Task GenerateAsync_PromptLogProbabilities_EqualScoreAsync()
    {
        using var host = new EngineHost(options => options.BatchTokens = 6);
        int[] prompt = Prompt(20);
        await host.RunAsync(prompt, Greedy(3));                   // fills the pool, which must not be used
        var options = new GenerationOptions { PromptLogProbabilities = true, LogProbabilities = 3, MaxNewTokens = 2, IgnoreEos = true };
        GenerationResult result = await host.RunAsync(prompt, options);
        IReadOnlyList<ScoredToken> scores = await host.Engine.ScoreAsync(prompt, 3);
        Assert.Equal((19, 0), (result.PromptLogProbabilities!.Count, result.Usage.CachedPromptTokens));
        Assert.Equal(prompt[1..], scores.Select(score => score.Token.TokenId));
        AssertSame(scores, result.PromptLogProbabilities);
        Assert.Null((await host.RunAsync(prompt, Greedy(1))).PromptLogProbabilities);
        IReadOnlyList<ScoredToken> all = await host.Engine.ScoreAsync([.. prompt, .. result.TokenIds], 3);
        AssertSame([.. all.Skip(19)], result.LogProbabilities!);
    }

    [Fact]
    public async Task GenerateAsync_SamplerFails_FailsThatRequestAlone()
    {
        using var host = new EngineHost();
        host.Backend.OnLogits = (history, row) => row.AsSpan().Fill(history[1] == 300 ? float.NaN : 0);
        Task<GenerationResult> good = host.RunAsync([1, 260], Greedy(20));
        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() => host.RunAsync([1, 300], Greedy(20)));
        Assert.Contains("not finite", error.Message, StringComparison.Ordinal);
        Assert.Equal(20, (await good).TokenIds.Count);
        Assert.Equal(1, host.Backend.LiveCaches);                 // what the failed one's cache held is not kept
    }

    [Fact]
    public void LlamaEngine_LimitOutOfRange_Throws()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => new EngineHost(options => options.BatchTokens = 0));
        Assert.Contains("BatchTokens", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new EngineHost(options => options.MaxConcurrentSequences = 0));
        Assert.Throws<ArgumentException>(() => new EngineHost(options => options.MaxQueuedRequests = -1));
        Assert.Throws<ArgumentException>(() => new EngineHost(options => options.PrefixCacheBytes = -1));
    }

    internal static int[] Prompt(int length, int salt = 0) => [1, .. Enumerable.Range(1, length - 1).Select(i => 3 + (salt * 31 + i * 17) % 317)];

    internal static async Task<List<GenerationUpdate>> CollectAsync(IAsyncEnumerable<GenerationUpdate> stream)
    {
        List<GenerationUpdate> updates = [];
        await foreach (GenerationUpdate update in stream)
        {
            updates.Add(update);
        }

        return updates;
    }

    private static Task<List<GenerationUpdate>> CollectAsync(EngineHost host, int[] prompt, GenerationOptions options) =>
        CollectAsync(host.Engine.GenerateAsync(prompt, options));

    private static async Task<GenerationResult> RunOnceAsync(GenerationOptions options)
    {
        using var host = new EngineHost();
        return await host.RunAsync([1], options);
    }

    /// <summary>Makes the answer to a prompt of so many tokens be these.</summary>
    private static void Force(EngineHost host, int promptLength, params int[] answer) =>
        host.Backend.OnLogits = (history, row) => row[answer[Math.Min(history.Count - promptLength, answer.Length - 1)]] = 10;

    private static void AssertSame(IReadOnlyList<ScoredToken> expected, IReadOnlyList<ScoredToken> actual)
    {
        Assert.Equal(expected.Select(score => score.Token), actual.Select(score => score.Token));
        Assert.Equal(expected.SelectMany(score => score.Top), actual.SelectMany(score => score.Top));
    }
}
