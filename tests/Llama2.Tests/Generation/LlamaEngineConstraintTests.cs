using System.Text.Json;
using Json.Schema;
using Llama2.Testing;
using static Llama2.Testing.EngineHost;

namespace Llama2.Tests;

/// <summary>Constraints on their way through the engine: random weights push everywhere, and the text holds all the same.</summary>
public class LlamaEngineConstraintTests
{
    private const string Bounded =
        """
        {"type":"object","properties":{"kind":{"enum":["first","second"]},"count":{"type":"integer","minimum":-3,"maximum":300},
        "name":{"type":"string","maxLength":4},"list":{"type":"array","items":{"type":"boolean"},"maxItems":3},"next":{"anyOf":[{"type":"null"},{"$ref":"#"}]}},
        "required":["kind","count"],"additionalProperties":false}
        """;

    private static readonly int[] _prompt = [1, 300, 301, 302];
    private static readonly LlamaConfig _roomy = TinyModels.Config with { ContextLength = 512 };

    [Fact]
    public async Task GenerateAsync_RandomSchemasAndSettings_ValidJsonOrLength()
    {
        var random = new Random(11);
        using var host = new EngineHost(config: _roomy);
        int stopped = 0;
        for (int i = 0; i < 300; i++)
        {
            string schema = i % 3 == 0 ? Bounded : new RandomSchemas(random).Create().ToJsonString();
            GenerationOptions options = RandomOptions(random);
            try
            {
                options.Constraint = GenerationConstraint.JsonSchema(schema);
            }
            catch (GenerationConstraintException exception) when (exception.Location is null)
            {
                continue;
            }

            stopped += Check(schema, await host.RunAsync([1, 260 + (i % 50)], options)) ? 1 : 0;
        }

        Assert.True(stopped > 120, $"{stopped} texts are whole");
    }

    [Fact]
    public async Task GenerateAsync_RealForwardPass_ValidJsonOrLength()
    {
        using LlamaModel model = LlamaModel.Load(TinyModels.Create(seed: 5));
        var random = new Random(12);
        GenerationConstraint constraint = GenerationConstraint.JsonSchema(Bounded);
        int stopped = 0;
        for (int i = 0; i < 25; i++)
        {
            GenerationOptions options = RandomOptions(random);
            options.Constraint = constraint;
            stopped += Check(Bounded, await RunAsync(model.Engine, [1, 260 + i], options)) ? 1 : 0;
        }

        Assert.True(stopped > 5, $"{stopped} texts are whole");
    }

    [Fact]
    public async Task GenerateAsync_Constraint_SameTextAloneBatchedCachedAndWithScores()
    {
        GenerationConstraint constraint = GenerationConstraint.JsonSchema(Bounded);
        GenerationOptions Options(int seed) => new() { Constraint = constraint, Seed = seed, Temperature = 1, TopP = 1, MaxNewTokens = 300 };
        using LlamaModel model = LlamaModel.Load(TinyModels.Create(seed: 5, config: _roomy), new() { BatchTokens = 7, MaxConcurrentSequences = 6 });
        GenerationResult[] together = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => RunAsync(model.Engine, _prompt, Options(i))));
        for (int i = 0; i < together.Length; i++)
        {
            GenerationResult alone = await RunAsync(model.Engine, _prompt, Options(i));
            GenerationResult scored = await RunAsync(model.Engine, _prompt, Options(i) with { LogProbabilities = 0 });
            Assert.Equal(together[i].TokenIds, alone.TokenIds);
            Assert.Equal(together[i].Text, alone.Text);
            Assert.Equal(together[i].TokenIds, scored.TokenIds);       // with scores, every token has a pass of its own
            Assert.Equal(scored.TokenIds, scored.LogProbabilities!.Select(score => score.Token.TokenId));
        }

        Assert.True(together.Select(result => result.Text).Distinct().Count() > 6);
    }

    [Fact]
    public async Task GenerateAsync_ForcedTokens_ShareAPass()
    {
        using var host = new EngineHost(config: _roomy);
        string text = $"{{\"{new string('-', 100)}\":";
        GenerationResult result = await host.RunAsync(_prompt, new() { Constraint = GenerationConstraint.Choice([text + "1}", text + "2}"]), Seed = 1 });
        Assert.Equal((106, GenerationFinishReason.Stop), (result.Text.Length, result.FinishReason));
        Assert.Equal(result.TokenIds.Count, result.Usage.CompletionTokens);
        Assert.True(host.Backend.Passes.Count < 10, $"{host.Backend.Passes.Count} passes");

        // However long a chunk is, no other sequence waits for it.
        using var small = new EngineHost(options => (options.BatchTokens, options.MaxConcurrentSequences) = (4, 4), _roomy);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => small.RunAsync([1, 300 + i], i == 0
            ? new() { Constraint = GenerationConstraint.Choice([text + "1}", text + "2}"]), Seed = 1 }
            : new() { MaxNewTokens = 60, IgnoreEos = true, Seed = i })));
        Assert.All(small.Backend.Passes, pass => Assert.InRange(pass.Tokens, 1, 4));
    }

    [Fact]
    public async Task GenerateAsync_Limits_EndWithLength()
    {
        using var host = new EngineHost();
        host.Backend.OnLogits = (_, row) => row[259] = -100;           // the space that may come first and is not part of the text
        var options = new GenerationOptions { Constraint = GenerationConstraint.Regex("[a-z]{30}"), MaxNewTokens = 5, Seed = 1 };
        GenerationResult result = await host.RunAsync(_prompt, options);
        Assert.Equal((GenerationFinishReason.Length, 5), (result.FinishReason, result.TokenIds.Count));
        Assert.Matches("^[a-z]+$", result.Text);

        // Forced tokens do not go past the limit either.
        options.Constraint = GenerationConstraint.Choice(["-----------"]);
        result = await host.RunAsync(_prompt, options);
        Assert.Equal((GenerationFinishReason.Length, "-----"), (result.FinishReason, result.Text));
        options.MaxNewTokens = 11;
        result = await host.RunAsync(_prompt, options);
        Assert.Equal((GenerationFinishReason.Stop, "-----------"), (result.FinishReason, result.Text));
    }

    [Fact]
    public async Task GenerateAsync_OpenEnd_EndsByTheModelOrAStopToken()
    {
        // 2 is the end of text; 3 + '.' ends it by request.
        using var host = new EngineHost();
        host.Backend.OnLogits = (history, row) => (row[2], row[3 + '.']) = history.Count < 9 ? (50, 50) : (50, 60);
        var options = new GenerationOptions { Constraint = GenerationConstraint.Regex("[a-z]{3,}"), Seed = 1, MaxNewTokens = 50 };
        GenerationResult result = await host.RunAsync(_prompt, options);
        Assert.Equal((GenerationFinishReason.Stop, 2), (result.FinishReason, result.TokenIds[^1]));
        Assert.Matches("^[a-z]{3,}$", result.Text);
        Assert.True(result.Text.Length < 50);

        options.Constraint = GenerationConstraint.Regex("(?:\\d\\d ?){3,}");
        options.StopTokenIds = [3 + '.'];
        result = await host.RunAsync(_prompt, options);
        Assert.Equal(GenerationFinishReason.Stop, result.FinishReason);
        Assert.Matches("^(?:\\d\\d ?){3,}$", result.Text);
    }

    [Fact]
    public async Task GenerateAsync_LeadingSpace_IsTheTokenizersUnlessTheTextHasItsOwn()
    {
        using var host = new EngineHost();
        int space = host.Tokenizer!.Encode("a")[0];
        Assert.Equal("▁", host.Tokenizer.GetPiece(space));
        host.Backend.OnLogits = (_, row) => row[space] = 100;
        GenerationResult result = await host.RunAsync(_prompt, new() { Constraint = GenerationConstraint.Choice(["xy", " z"]), Seed = 1 });
        Assert.Equal(space, result.TokenIds[0]);
        Assert.Equal(" z", result.Text);                               // "▁▁z": the first space is dropped
        result = await host.RunAsync(_prompt, new() { Constraint = GenerationConstraint.Choice(["xy"]), Seed = 1, ReturnFullText = true });
        Assert.Equal(host.Tokenizer.Decode(_prompt) + "xy", result.Text);
    }

    [Fact]
    public async Task GenerateAsync_BiasAndBadWords_ActWithinTheConstraint()
    {
        using var host = new EngineHost();
        var options = new GenerationOptions
        {
            Constraint = GenerationConstraint.Choice(["1", "2", "3"]),
            Seed = 1,
            LogitBias = new Dictionary<int, float> { [3 + '1'] = float.NegativeInfinity, [3 + '3'] = float.NegativeInfinity },
        };
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal("2", (await host.RunAsync([1, 300 + i], options)).Text);
        }

        // Nothing is left: an error, not a text that is none.
        options.Constraint = GenerationConstraint.Choice(["-1", "-3"]);
        InvalidOperationException exception = await Assert.ThrowsAsync<InvalidOperationException>(() => host.RunAsync(_prompt, options));
        Assert.Contains("constraint", exception.Message, StringComparison.Ordinal);
        options = new() { Constraint = GenerationConstraint.Choice(["--"]), LogitBias = new Dictionary<int, float> { [3 + '-'] = float.NegativeInfinity } };
        await Assert.ThrowsAsync<InvalidOperationException>(() => host.RunAsync(_prompt, options));
        Assert.Equal(3, (await host.RunAsync(_prompt, Greedy(3) with { IgnoreEos = true })).TokenIds.Count);
    }

    [Fact]
    public async Task GenerateAsync_WhatContradicts_IsRefusedByTheCall()
    {
        using var host = new EngineHost();
        GenerationConstraint json = GenerationConstraint.Json;
        GenerationOptions[] contradictions =
        [
            new() { Constraint = json, StopSequences = ["}"] }, new() { Constraint = json, IgnoreEos = true }, new() { Constraint = json, MinNewTokens = 2 },
            new() { Constraint = json, NoRepeatNgramSize = 2 },
        ];
        Assert.All(contradictions, options => Assert.Throws<ArgumentException>(() => host.Engine.GenerateAsync(_prompt, options)));
        using var noText = new EngineHost(withTokenizer: false);
        Assert.Throws<ArgumentException>(() => noText.Engine.GenerateAsync(_prompt, new() { Constraint = json }));
        using var defaults = new EngineHost(defaults: new() { StopSequences = ["x"] });
        Assert.Throws<ArgumentException>(() => defaults.Engine.GenerateAsync(_prompt, new() { Constraint = json }));
        await defaults.RunAsync(_prompt, new() { Constraint = json, StopSequences = [], MaxNewTokens = 3 });
    }

    private static GenerationOptions RandomOptions(Random random) => new()
    {
        Seed = random.Next(),
        DoSample = random.Next(4) > 0,
        Temperature = (float)random.NextDouble() * 2,
        TopP = random.Next(2) == 0 ? 1 : 0.9f,
        TopK = random.Next(3) == 0 ? 5 : 0,
        MinP = random.Next(3) == 0 ? 0.1f : 0,
        TypicalP = random.Next(3) == 0 ? 0.9f : 1,
        RepetitionPenalty = random.Next(3) == 0 ? 1.3f : 1,
        FrequencyPenalty = random.Next(3) == 0 ? 0.5f : 0,
        LogitBias = random.Next(3) == 0 ? new Dictionary<int, float> { [3 + '"'] = 3, [2] = 5 } : null,
        MaxNewTokens = random.Next(2) == 0 ? 40 : 400,
    };

    /// <summary>Whether the text is whole; if so it validates, if not the reason is the length.</summary>
    private static bool Check(string schema, GenerationResult result)
    {
        if (result.FinishReason == GenerationFinishReason.Length)
        {
            return false;
        }

        Assert.Equal(GenerationFinishReason.Stop, result.FinishReason);
        using JsonDocument document = JsonDocument.Parse(result.Text);
        Assert.True(JsonSchema.FromText(schema).Evaluate(document.RootElement, new() { RequireFormatValidation = true }).IsValid, $"{result.Text} against {schema}");
        return true;
    }
}
