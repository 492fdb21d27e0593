using Llama2.Testing;

namespace Llama2.Training.Tests;

public sealed unsafe class TrainerTests
{
    private static readonly LlamaConfig _config = SmallModels.Blocks with { VocabularySize = 16, LayerCount = 2, TieWordEmbeddings = true };

    private static readonly TrainingOptions _quick = new()
    {
        BatchSize = 16,
        LearningRate = 1e-2,
        Schedule = LearningRateSchedule.Cosine,
        WarmupSteps = 10,
        WeightDecay = 0.01,
        MaxSteps = 150,
        ReportSteps = 25,
    };

    [Fact]
    public void Train_CopyTask_IsLearnt()
    {
        using var model = TrainableModel.Create(_config);
        using var trainer = new Trainer(model, _quick);
        TrainingResult result = trainer.Train(Copies(640, seed: 1), Copies(40, seed: 2));
        Assert.Equal(150, result.Steps.Count);
        Assert.InRange(result.Steps[0].Loss, 2.5, 3.1);                     // nothing is known: ln 16 = 2.77
        Assert.InRange(result.Best!.Loss!.Value, 0, 0.1);
    }

    [Fact]
    public void Train_AdapterOverAFrozenBase_LearnsAnotherTask()
    {
        using var model = TrainableModel.Create(_config, new() { Threads = 1 });
        using (var trainer = new Trainer(model, _quick))
        {
            trainer.Train(Copies(640, seed: 1));
        }

        using Checkpoint trained = model.AsCheckpoint();
        var lora = new LoraOptions { Rank = 4, Alpha = 8, TargetModules = LoraOptions.AllModules };
        using var adapted = TrainableModel.Load(trained, new() { Lora = lora, BaseFormat = WeightFormat.Q8_0, Threads = 1 });
        using var second = new Trainer(adapted, _quick);
        TrainingResult result = second.Train(Copies(640, seed: 3, shift: 1), Copies(40, seed: 4, shift: 1));
        Assert.InRange(result.Steps[0].Loss, 2, 30);
        Assert.InRange(result.Best!.Loss!.Value, 0, 0.5);
    }

    [Fact]
    public void Train_SameSeed_SameLossesToTheBitWithAnyThreads()
    {
        TrainingOptions options = _quick with { MaxSteps = 12, BatchSize = 3, GradientAccumulationSteps = 2 };
        double[] expected = Losses(1);
        Assert.Equal(expected, Losses(1));
        Assert.Equal(expected, Losses(3));

        double[] Losses(int threads)
        {
            using var model = TrainableModel.Create(_config, new() { Threads = threads });
            using var trainer = new Trainer(model, options);
            return [.. trainer.Train(Copies(64, seed: 1)).Steps.Select(step => step.Loss)];
        }
    }

    [Fact]
    public void Train_AccumulatedGradients_EqualTheLargeBatch()
    {
        TrainingResult large = Run(batch: 12, accumulation: 1), small = Run(batch: 3, accumulation: 4);
        foreach ((TrainingStep expected, TrainingStep actual) in large.Steps.Zip(small.Steps))
        {
            Assert.Equal(expected.Loss, actual.Loss, 1e-4);
            Assert.Equal(expected.GradientNorm, actual.GradientNorm, 1e-3);
        }

        static TrainingResult Run(int batch, int accumulation)
        {
            using var model = TrainableModel.Create(_config);
            using var trainer = new Trainer(model, new() { BatchSize = batch, GradientAccumulationSteps = accumulation, LearningRate = 1e-3, MaxSteps = 5 });
            return trainer.Train(Copies(60, seed: 1, uneven: true));
        }
    }

    [Fact]
    public void Train_CancelledAndResumed_SameRunToTheBit()
    {
        using var folder = new TemporaryFolder();
        TrainingOptions options = _quick with { MaxSteps = 30, BatchSize = 3, ReportSteps = 1, EvaluationSteps = 7, CheckpointFolder = folder["state"] };
        (float[] expected, TrainingResult whole) = Run(options with { CheckpointFolder = null }, stopAfter: null);
        Assert.Throws<OperationCanceledException>(() => Run(options, stopAfter: 11));
        Assert.Throws<OperationCanceledException>(() => Run(options with { Resume = true }, stopAfter: 22));
        (float[] actual, TrainingResult resumed) = Run(options with { Resume = true }, stopAfter: null);
        Assert.Equal(expected, actual);
        Assert.Equal(whole.Steps, resumed.Steps);
        Assert.Equal(whole.Evaluations, resumed.Evaluations);
        Assert.Equal(whole.Best, resumed.Best);
        Assert.Equal(2, Directory.EnumerateFiles(folder["state"]).Count());

        static (float[], TrainingResult) Run(TrainingOptions options, long? stopAfter)
        {
            var lora = new LoraOptions { Dropout = 0.2f, Alpha = 16 };
            using var checkpoint = new RandomCheckpoint(_config, seed: 2);
            using var model = TrainableModel.Load(checkpoint, new() { Lora = lora });
            using var trainer = new Trainer(model, options);
            using var cancellation = new CancellationTokenSource();
            TrainingResult result = trainer.Train(
                new InMemoryTrainingData(Sequences(20, seed: 1), shuffleSeed: 6), Copies(5, seed: 2),
                new Progress(report => { if (report.Step == stopAfter) { cancellation.Cancel(); } }), cancellation.Token);
            return (new Span<float>(model.Parameters.Values, (int)model.Parameters.Length).ToArray(), result);
        }
    }

    [Fact]
    public void Train_StateOfAnotherRunOrDamaged_NamesTheFile()
    {
        using var folder = new TemporaryFolder();
        TrainingOptions options = _quick with { MaxSteps = 2, CheckpointFolder = folder.Path, Resume = true };
        Train(options);
        string file = Directory.EnumerateFiles(folder.Path).Single();
        Assert.Equal(file, Assert.Throws<CheckpointException>(() => Train(options with { LearningRate = 1 })).File);

        byte[] bytes = File.ReadAllBytes(file);
        foreach ((byte[] damaged, string field) in new (byte[], string)[]
        {
            (bytes[..^4], "numbers"), (bytes[..9], "first bytes"), ([.. bytes[..8], 255, 255, 255, 127, .. bytes[12..]], "length of the state"),
            ([.. bytes[..12], 0, .. bytes[13..]], "state"), ([.. bytes, 0], "numbers"),
        })
        {
            File.WriteAllBytes(file, damaged);
            Assert.Equal(field, Assert.Throws<CheckpointException>(() => Train(options)).Field);
        }

        static void Train(TrainingOptions options)
        {
            using var model = TrainableModel.Create(_config);
            using var trainer = new Trainer(model, options);
            trainer.Train(Copies(40, seed: 1));
        }
    }

    [Fact]
    public void Train_MetricGetsWorse_StopsEarlyWithTheBestModel()
    {
        double[] metrics = [0.5, 0.7, 0.6, 0.65, 0.9];
        int calls = 0;
        float[]? best = null;
        using var model = TrainableModel.Create(_config);
        using var trainer = new Trainer(model, _quick with
        {
            EvaluationSteps = 3,
            EarlyStoppingPatience = 2,
            Metric = seen =>
            {
                if (calls == 1)
                {
                    best = Values(seen);
                }

                return metrics[calls++];
            },
        });
        TrainingResult result = trainer.Train(Copies(640, seed: 1));
        Assert.True(result.StoppedEarly);
        Assert.Equal((12, 4), (result.Steps.Count, result.Evaluations.Count));
        Assert.Equal(new TrainingEvaluation(6, null, 0.7, IsBest: true), result.Best);
        Assert.Equal(best, Values(model));
    }

    [Fact]
    public void Train_Reports_TellEveryNumber()
    {
        var reports = new List<TrainingProgress>();
        using var model = TrainableModel.Create(_config);
        using var trainer = new Trainer(model, new() { BatchSize = 5, Epochs = 2, ReportSteps = 2, LearningRate = 1e-3, WarmupSteps = 4 });
        TrainingResult result = trainer.Train(Copies(20, seed: 1), Copies(5, seed: 2), new Progress(reports.Add));
        Assert.Equal([2L, 4L, 6L, 8L], reports.Select(report => report.Step));
        Assert.All(reports, report => Assert.True(report.TokensPerSecond > 0 && report.GradientNorm > 0 && report.TotalSteps == 8));
        Assert.Equal([0.5, 1, 1.5, 2], reports.Select(report => report.Epoch));
        Assert.Equal(TimeSpan.Zero, reports[^1].TimeLeft);
        Assert.Equal(2.5e-4, reports[0].LearningRate, 1e-9);
        Assert.Equal((result.Steps[0].Loss + result.Steps[1].Loss) / 2, reports[0].Loss, 1e-9);
        Assert.Equal([null, 4L, null, 8L], reports.Select(report => report.Evaluation?.Step));
    }

    [Fact]
    public void Train_NothingToTrainOnOrToGoBy_IsRefused()
    {
        using var model = TrainableModel.Create(_config);
        using var trainer = new Trainer(model, _quick with { EarlyStoppingPatience = 1 });
        Assert.Equal("validation", Assert.Throws<ArgumentException>(() => trainer.Train(Copies(4, seed: 1))).ParamName);
        Assert.Equal("data", Assert.Throws<ArgumentException>(() => trainer.Train(new InMemoryTrainingData([]), Copies(4, seed: 1))).ParamName);
        var beyond = new TrainingSequence(new[] { 1, 16 }, new[] { true, true });
        Assert.Throws<ArgumentException>(() => trainer.Train(new InMemoryTrainingData([beyond]), Copies(4, seed: 1)));
    }

    [Fact]
    public void Train_LearningRateTooHigh_SaysSo()
    {
        using var model = TrainableModel.Create(_config);
        using var trainer = new Trainer(model, new() { LearningRate = 1e30, MaxGradientNorm = 0, MaxSteps = 50 });
        Assert.Throws<ArithmeticException>(() => trainer.Train(Copies(64, seed: 1)));
    }

    [Fact]
    public void Validate_SettingOutOfRange_NamesIt()
    {
        (string Name, TrainingOptions Options)[] wrong =
        [
            ("Epochs", new() { Epochs = 0 }), ("MaxSteps", new() { MaxSteps = 0 }), ("BatchSize", new() { BatchSize = 0 }),
            ("EvaluationBatchSize", new() { EvaluationBatchSize = 0 }), ("GradientAccumulationSteps", new() { GradientAccumulationSteps = 0 }),
            ("LearningRate", new() { LearningRate = 0 }), ("LearningRate", new() { LearningRate = double.NaN }), ("WarmupSteps", new() { WarmupSteps = -1 }),
            ("WeightDecay", new() { WeightDecay = -1 }), ("AdamBeta1", new() { AdamBeta1 = 1 }), ("AdamBeta2", new() { AdamBeta2 = -0.1 }),
            ("AdamEpsilon", new() { AdamEpsilon = 0 }), ("MaxGradientNorm", new() { MaxGradientNorm = double.PositiveInfinity }),
            ("EvaluationSteps", new() { EvaluationSteps = 0 }), ("EarlyStoppingPatience", new() { EarlyStoppingPatience = 0 }),
            ("EarlyStoppingThreshold", new() { EarlyStoppingThreshold = -1 }), ("ReportSteps", new() { ReportSteps = 0 }),
            ("CheckpointSteps", new() { CheckpointSteps = 0 }), ("CheckpointLimit", new() { CheckpointLimit = 0 }), ("Resume", new() { Resume = true }),
            ("Schedule", new() { Schedule = (LearningRateSchedule)9 }),
        ];
        Assert.All(wrong, entry => Assert.Equal(entry.Name, Assert.Throws<ArgumentException>(entry.Options.Validate).ParamName));
    }

    /// <summary>A text of six letters, a mark, and (each letter moved on by the shift) the text again, which alone counts in the loss.</summary>
    private static InMemoryTrainingData Copies(int count, int seed, int shift = 0, bool uneven = false) => new(Sequences(count, seed, shift, uneven));

    private static TrainingSequence[] Sequences(int count, int seed, int shift = 0, bool uneven = false)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(number =>
        {
            int length = uneven ? 1 + number % 6 : 6;
            int[] text = [.. Enumerable.Range(0, length).Select(_ => random.Next(2, 16))];
            int[] tokens = [1, .. text, 0, .. text.Select(letter => (letter - 2 + shift) % 14 + 2)];
            return new TrainingSequence(tokens, tokens.Select((_, i) => i > length + 1).ToArray());
        })];
    }

    private static float[] Values(TrainableModel model) => new Span<float>(model.Parameters.Values, (int)model.Parameters.Length).ToArray();

    private sealed class Progress(Action<TrainingProgress> report) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => report(value);
    }
}
