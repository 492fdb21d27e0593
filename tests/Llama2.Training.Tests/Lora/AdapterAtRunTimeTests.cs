using Llama2.Testing;

namespace Llama2.Training.Tests;

/// <summary>What was trained here does the same in the engine.</summary>
public sealed class AdapterAtRunTimeTests
{
    private static readonly LoraOptions _lora = new() { Rank = 4, Alpha = 6, TargetModules = LoraOptions.AllModules };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LlamaModel_TrainedAdapter_GivesTheTrainersLogProbabilities(bool rankStabilized)
    {
        using var folder = new TemporaryFolder();
        using var source = new RandomCheckpoint(SmallModels.Odd, seed: 5);
        using var trained = TrainableModel.Load(source, new() { Lora = _lora with { RankStabilized = rankStabilized }, Threads = 2 });
        var data = new InMemoryTrainingData(SmallModels.Sequences(SmallModels.Odd));
        using (var trainer = new Trainer(trained, new() { MaxSteps = 20, LearningRate = 1e-2, BatchSize = 4 }))
        {
            trainer.Train(data);
        }

        PeftFolder.Write(trained.Adapter!, folder["adapter"]);
        var options = new LlamaModelOptions { Adapters = new Dictionary<string, string> { ["path"] = folder["adapter"] } };
        using var model = LlamaModel.Load(new RandomCheckpoint(SmallModels.Odd, seed: 5), options);
        using var merged = LlamaModel.Load(new RandomCheckpoint(SmallModels.Odd, seed: 5), new LlamaModelOptions { MergedAdapter = folder["adapter"] });
        model.LoadAdapter("memory", trained.Adapter!);
        int[] tokens = SmallModels.Sequences(SmallModels.Odd, seed: 2)[3].Tokens.ToArray();
        IReadOnlyList<ScoredToken> beside = await model.Engine.ScoreAsync(tokens, adapter: "path"), bare = await model.Engine.ScoreAsync(tokens);
        IReadOnlyList<ScoredToken> summed = await merged.Engine.ScoreAsync(tokens);
        Assert.Equal(beside.Select(score => score.Token), (await model.Engine.ScoreAsync(tokens, adapter: "memory")).Select(score => score.Token));
        for (int i = 1; i < tokens.Length; i++)
        {
            double expected = -trained.Evaluate([new TrainingSequence(tokens, tokens.Select((_, at) => at == i).ToArray())]).Loss;
            Assert.Equal(expected, beside[i - 1].Token.LogProbability, 1e-4);
            Assert.Equal(expected, summed[i - 1].Token.LogProbability, 1e-4);
        }

        Assert.Contains(Enumerable.Range(0, beside.Count), i => Math.Abs(beside[i].Token.LogProbability - bare[i].Token.LogProbability) > 0.1);
    }
}
