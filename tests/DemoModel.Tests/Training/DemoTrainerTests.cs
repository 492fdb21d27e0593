using System.Text.Json;

namespace Llama2.DemoModel.Tests;

public sealed class DemoTrainerTests : IDisposable
{
    private const string TinyRecipe = """
        {
          "rows": 60, "validation_rows": 10, "vocabulary_size": 420, "hidden_size": 16, "intermediate_size": 32, "layer_count": 1, "head_count": 2,
          "context_length": 512, "batch_size": 2, "weight_decay": 0.1, "adam_beta2": 0.95, "seed": 3,
          "phases": [
            { "name": "reading", "loss_on": "all", "steps": 12, "warmup_steps": 2, "learning_rate": 0.01, "schedule": "constant" },
            { "name": "answering", "loss_on": "completions", "steps": 6, "warmup_steps": 2, "learning_rate": 0.01, "schedule": "cosine", "emotion_share": 0.8 }
          ]
        }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("demo").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Place(string name) => Path.Combine(_folder, name);

    private async Task<string> Train(string name, CancellationToken cancellationToken = default)
    {
        using StringWriter log = new();
        await new DemoTrainer(DemoRecipe.Parse(TinyRecipe), Place($"{name}-work"), log).RunAsync(Place(name), cancellationToken);
        return log.ToString();
    }

    [Fact]
    public async Task Run_Twice_MakesTheSameModelAndAReport()
    {
        string log = await Train("first");
        await Train("second");

        byte[] weights = await File.ReadAllBytesAsync(Path.Combine(Place("first"), "model", "model.safetensors"));
        Assert.Equal(weights, await File.ReadAllBytesAsync(Path.Combine(Place("second"), "model", "model.safetensors")));
        Assert.Contains("answering 6/6", log, StringComparison.Ordinal);
        Assert.Equal(
            ["loss-curve.svg", "report.html", "report.json", "report.md"],
            Directory.GetFiles(Path.Combine(Place("first"), "training")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        using LlamaModel model = LlamaModel.Load(Path.Combine(Place("first"), "model"));
        Assert.Equal((16, 420, 512), (model.Config.HiddenSize, model.Config.VocabularySize, model.Config.ContextLength));
    }

    [Fact]
    public async Task Run_Cancelled_LeavesNoModelAndGoesOn()
    {
        using CancellationTokenSource stop = new();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Train("stopped", stop.Token));
        Assert.False(Directory.Exists(Place("stopped")));

        await Train("stopped");
        Assert.True(File.Exists(Path.Combine(Place("stopped"), "model", "config.json")));
        await Assert.ThrowsAsync<IOException>(() => Train("stopped"));
    }

    [Fact]
    public void Recipe_Embedded_FitsTheModelIntoEightMegabytes()
    {
        DemoRecipe recipe = DemoRecipe.Embedded;

        Assert.InRange(2 * recipe.Config(recipe.VocabularySize).ParameterCount, 1, 8_000_000);
        Assert.Equal(["reading", "answering", "naming", "practice"], recipe.Phases.Select(phase => phase.Name));
    }

    [Fact]
    public void Recipe_Embedded_ReadsEveryTextOnceAndStaysWithinAnHour()
    {
        DemoRecipe recipe = DemoRecipe.Embedded;

        Assert.InRange(recipe.Phases.Sum(phase => (long)phase.Steps) * recipe.BatchSize * recipe.ContextLength, 1, 34_000_000);
        Assert.Equal(recipe.Phases.Count, recipe.Phases.Select(phase => phase.TextSeed ?? recipe.Seed).Distinct().Count());
        // A row has 50 tokens or more, a dialogue twice as many; the rows of a part must not run out.
        Assert.All(recipe.Phases, phase => Assert.True(
            (long)phase.Steps * recipe.BatchSize * recipe.ContextLength <= recipe.Rows * (long)(50 + (70 * (1 - phase.EmotionShare))), phase.Name));
    }

    [Theory]
    [InlineData("\"seed\": 3", "\"seed\": 3, \"colour\": 1")]
    [InlineData("\"seed\": 3,", "")]
    [InlineData("\"constant\"", "\"wavy\"")]
    [InlineData("\"steps\": 12,", "")]
    public void Recipe_BadSetting_Throws(string old, string replacement) =>
        Assert.Throws<JsonException>(() => DemoRecipe.Parse(TinyRecipe.Replace(old, replacement, StringComparison.Ordinal)));
}
