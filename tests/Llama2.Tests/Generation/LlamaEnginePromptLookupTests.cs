using Llama2.Testing;
using static Llama2.Testing.EngineHost;

namespace Llama2.Tests;

/// <summary>Prompt lookup changes how many passes a text takes, and nothing else.</summary>
public class LlamaEnginePromptLookupTests
{
    public static IEnumerable<object[]> Settings =>
    [
        ["greedy", new GenerationOptions { DoSample = false, MaxNewTokens = 60, IgnoreEos = true }],
        ["sampled", new GenerationOptions { DoSample = true, Temperature = 0.7f, Seed = 5, MaxNewTokens = 60, IgnoreEos = true }],
        ["penalties", new GenerationOptions { DoSample = true, Seed = 6, RepetitionPenalty = 1.1f, FrequencyPenalty = 0.2f, MaxNewTokens = 60, IgnoreEos = true }],
        ["no repeats", new GenerationOptions { DoSample = false, NoRepeatNgramSize = 6, MaxNewTokens = 60, IgnoreEos = true }],
        ["log-probabilities", new GenerationOptions { DoSample = false, LogProbabilities = 2, MaxNewTokens = 30, IgnoreEos = true }],
        ["stop token", new GenerationOptions { DoSample = false, StopTokenIds = [27], MaxNewTokens = 60 }],
        ["constraint", new GenerationOptions { DoSample = true, Seed = 3, Constraint = GenerationConstraint.Regex("([a-e] ){5,30}"), MaxNewTokens = 60 }],
    ];

    [Theory]
    [MemberData(nameof(Settings))]
    public async Task GenerateAsync_RepetitiveText_IsTheSameWithFewerPasses(string name, GenerationOptions options)
    {
        (GenerationResult with, int fewer) = await RunAsync(options, lookup: true);
        (GenerationResult without, int passes) = await RunAsync(options, lookup: false);
        Assert.Equal(without.TokenIds, with.TokenIds);
        Assert.Equal((without.Text, without.FinishReason), (with.Text, with.FinishReason));
        Assert.Equal(without.LogProbabilities?.Select(score => score.Token), with.LogProbabilities?.Select(score => score.Token));
        Assert.Equal((0, 0), (without.Timings.DraftedTokens, without.Timings.AcceptedTokens));
        Assert.InRange(with.Timings.AcceptedTokens, 0, with.Timings.DraftedTokens);
        if (name is "greedy" or "sampled" or "log-probabilities")
        {
            Assert.True(fewer < 0.8 * passes, $"{fewer} passes instead of {passes}");
            Assert.Equal(passes - fewer, with.Timings.AcceptedTokens);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(12)]
    [InlineData(25)]
    public async Task GenerateAsync_AnyLimit_EndsAtIt(int tokens)
    {
        (GenerationResult with, _) = await RunAsync(Greedy(tokens) with { IgnoreEos = true }, lookup: true);
        (GenerationResult without, _) = await RunAsync(Greedy(tokens) with { IgnoreEos = true }, lookup: false);
        Assert.Equal((tokens, GenerationFinishReason.Length), (with.TokenIds.Count, with.FinishReason));
        Assert.Equal(without.TokenIds, with.TokenIds);
    }

    [Fact]
    public async Task GenerateAsync_ToTheEndOfTheContext_NeverOverflows()
    {
        (GenerationResult with, _) = await RunAsync(Greedy(100_000) with { IgnoreEos = true }, lookup: true);
        Assert.Equal(TinyModels.Config.ContextLength, with.PromptTokenIds.Count + with.TokenIds.Count);
    }

    [Fact]
    public async Task GenerateAsync_NextTurn_GoesOnFromACacheWithoutWrongGuesses()
    {
        var answers = new List<IReadOnlyList<int>>();
        foreach (bool lookup in new[] { true, false })
        {
            using EngineHost host = Host(lookup);
            GenerationResult first = await host.RunAsync(Prompt(), Greedy(20) with { IgnoreEos = true });
            GenerationResult second = await host.RunAsync([.. Prompt(), .. first.TokenIds, 40, 41], Greedy(20) with { IgnoreEos = true });
            Assert.True(second.Usage.CachedPromptTokens >= Prompt().Length + 19);
            answers.Add([.. first.TokenIds, .. second.TokenIds]);
        }

        Assert.Equal(answers[1], answers[0]);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(16)]
    public async Task GenerateAsync_ManySequences_EqualAlone(int sequences)
    {
        using EngineHost host = Host(lookup: true);
        GenerationResult[] results = await Task.WhenAll(Enumerable.Range(0, sequences).Select(i => host.RunAsync([.. Prompt(), 50 + i], Greedy(40) with { IgnoreEos = true })));
        for (int i = 0; i < sequences; i++)
        {
            using EngineHost alone = Host(lookup: false);
            Assert.Equal((await alone.RunAsync([.. Prompt(), 50 + i], Greedy(40) with { IgnoreEos = true })).TokenIds, results[i].TokenIds);
        }
    }

    private static async Task<(GenerationResult Result, int Passes)> RunAsync(GenerationOptions options, bool lookup)
    {
        using EngineHost host = Host(lookup);
        GenerationResult result = await host.RunAsync(Prompt(), options);
        return (result, host.Backend.Passes.Count);
    }

    private static int[] Prompt() => [1, 20, 22, 26, 31, 24, 29, 21, 23, 20, 22];

    /// <summary>A model that likes to go round in a circle of eleven tokens, and now and then does not.</summary>
    private static EngineHost Host(bool lookup)
    {
        var host = new EngineHost(options => options.PromptLookup = lookup);
        host.Backend.OnLogits = (history, row) =>
        {
            row[20 + 2 * (history[^1] % 20) % 11] += history.Count % 23 == 0 ? 0 : 10;
        };
        return host;
    }
}
