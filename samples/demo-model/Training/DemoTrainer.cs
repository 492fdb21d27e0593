using System.Globalization;
using Llama2.Evaluation;
using Llama2.Training;

namespace Llama2.DemoModel;

/// <summary>Makes the demo model: text, tokenizer, weights, and a report of how the training went.</summary>
/// <param name="recipe">What to make.</param>
/// <param name="workFolder">Where text, tokenizer and states of the training are kept; what is there already is taken up again.</param>
/// <param name="log">Told how it is going.</param>
internal sealed class DemoTrainer(DemoRecipe recipe, string workFolder, TextWriter log)
{
    private const int StateSteps = 250;
    private const int ReportSteps = 25;

    /// <summary>Runs the whole recipe and writes <c>model/</c> and <c>training/</c> into a folder.</summary>
    /// <exception cref="IOException">There is a model already, or a file cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the state is in the work folder.</exception>
    public async Task RunAsync(string folder, CancellationToken cancellationToken)
    {
        string modelFolder = Path.Combine(folder, "model");
        if (Directory.Exists(modelFolder))
        {
            throw new IOException($"'{modelFolder}' is there already; name a folder without a model.");
        }

        var corpus = new CorpusOptions { Rows = recipe.Rows, Seed = (ulong)recipe.Seed };
        LlamaTokenizer tokenizer = TrainTokenizer(TextOf(recipe.Phases[0]).Text, cancellationToken);
        using TrainableModel model = TrainableModel.Create(recipe.Config(tokenizer.VocabularySize), new() { Seed = recipe.Seed });
        log.WriteLine(Invariant($"{model.TrainedParameterCount:N0} parameters"));
        List<TrainingResult> results = [];
        foreach (DemoPhase phase in recipe.Phases)
        {
            results.Add(Train(model, phase, Open(TextOf(phase).Rows, phase.LossOn), Open(ValidationOf(phase), LossScope.Completions), cancellationToken));
        }

        HuggingFaceFolder.Write(model.AsCheckpoint(tokenizer), modelFolder, WeightFormat.F16, cancellationToken: cancellationToken);
        await WriteReportAsync(Path.Combine(folder, "training"), model, results, cancellationToken).ConfigureAwait(false);

        (string Rows, string Text) TextOf(DemoPhase phase) => WriteOnce(
            corpus with { EmotionShare = phase.EmotionShare, Seed = (ulong)(phase.TextSeed ?? recipe.Seed) }, cancellationToken);

        // Held out, of the phase's own mixture, and read for nothing but the choice of the best weights.
        string ValidationOf(DemoPhase phase) => WriteOnce(
            corpus with { EmotionShare = phase.EmotionShare, Split = CorpusSplit.Test, Rows = recipe.ValidationRows }, cancellationToken).Rows;

        FileTrainingData Open(string path, LossScope lossOn) => FileTrainingData.Open(
            path,
            tokenizer,
            new() { MaximumLength = recipe.ContextLength, Pack = true, LossOn = lossOn, ShuffleSeed = recipe.Seed },
            cancellationToken);
    }

    private TrainingResult Train(TrainableModel model, DemoPhase phase, FileTrainingData data, FileTrainingData validation, CancellationToken cancellationToken)
    {
        log.WriteLine(Invariant($"{phase.Name}: {phase.Steps:N0} steps on {data.TokenCount:N0} tokens in {data.Count:N0} sequences"));
        using Trainer trainer = new(model, new()
        {
            MaxSteps = phase.Steps,
            BatchSize = recipe.BatchSize,
            EvaluationBatchSize = recipe.BatchSize,
            LearningRate = phase.LearningRate,
            Schedule = phase.Schedule,
            WarmupSteps = phase.WarmupSteps,
            WeightDecay = recipe.WeightDecay,
            AdamBeta2 = recipe.AdamBeta2,
            EvaluationSteps = StateSteps,
            KeepBest = true,
            ReportSteps = ReportSteps,
            CheckpointFolder = Path.Combine(workFolder, phase.Name),
            CheckpointSteps = StateSteps,
            Resume = true,
            Seed = recipe.Seed,
        });
        return trainer.Train(data, validation, new LogProgress(phase.Name, log), cancellationToken);
    }

    private (string Rows, string Text) WriteOnce(CorpusOptions corpus, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(workFolder, Invariant($"seed-{corpus.Seed}-emotions-{corpus.EmotionShare}"));
        (string rows, string text) = CorpusWriter.Paths(folder, corpus.Split);
        return File.Exists(rows) && File.Exists(text) ? (rows, text) : CorpusWriter.Write(folder, corpus, cancellationToken);
    }

    private LlamaTokenizer TrainTokenizer(string text, CancellationToken cancellationToken)
    {
        string path = Path.Combine(workFolder, "tokenizer.model");
        if (!File.Exists(path))
        {
            var options = new TokenizerTrainerOptions { VocabularySize = recipe.VocabularySize };
            Llama2TokenizerTrainer.Save(Llama2TokenizerTrainer.Train(File.ReadLines(text), options, cancellationToken), path);
        }

        return LlamaTokenizer.Load(path);
    }

    private async Task WriteReportAsync(string folder, TrainableModel model, List<TrainingResult> results, CancellationToken cancellationToken)
    {
        List<ReportSeries> losses = [];
        List<ReportPoint> validation = [];
        long before = 0;
        foreach ((DemoPhase phase, TrainingResult result) in recipe.Phases.Zip(results))
        {
            IEnumerable<ReportPoint> points = result.Steps.Chunk(ReportSteps)
                .Select(steps => new ReportPoint(before + steps[^1].Step, steps.Average(step => step.Loss)));
            losses.Add(new($"{phase.Name}: {(phase.LossOn == LossScope.All ? "every token" : "answers")} of the training text", [.. points]));
            validation.AddRange(result.Evaluations.Select(evaluation => new ReportPoint(before + evaluation.Step, evaluation.Loss ?? double.NaN)));
            before += result.Steps.Count;
        }

        var curve = new ReportCurve("Loss", "steps", "nats per token", [.. losses, new("answers of held-out text", validation)]);
        var report = new EvaluationReport
        {
            Title = "Training of the demo model",
            Metrics = [new("validation_loss", validation[^1].Y) { Description = "Nats per token of the answers to held-out requests, after the last step." }],
            Curves = [curve],
            Settings = new Dictionary<string, string>
            {
                ["parameters"] = Invariant($"{model.TrainedParameterCount:N0}"),
                ["steps"] = Invariant($"{before:N0}"),
                ["tokens per step, at most"] = Invariant($"{recipe.BatchSize * recipe.ContextLength:N0}"),
            },
        };
        await report.SaveAsync(folder, cancellationToken).ConfigureAwait(false);
        await File.WriteAllTextAsync(Path.Combine(folder, "loss-curve.svg"), curve.ToSvg(), cancellationToken).ConfigureAwait(false);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed class LogProgress(string phase, TextWriter log) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            string evaluation = value.Evaluation is { } found ? Invariant($", held-out answers {found.Loss:F4}") : "";
            log.WriteLine(Invariant(
                $"{phase} {value.Step:N0}/{value.TotalSteps:N0}: loss {value.Loss:F4}{evaluation}, {value.TokensPerSecond:N0} tokens/s, {value.TimeLeft:h\\:mm\\:ss} left"));
        }
    }
}
