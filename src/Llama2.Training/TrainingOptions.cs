namespace Llama2.Training;

/// <summary>How long, how fast and how carefully to train. The defaults are those of the Azure ML fine-tuning pipelines, whose names are given.</summary>
public sealed record TrainingOptions
{
    /// <summary>Gets how often the data is read (<c>num_train_epochs</c>), at least 1. The default is 1.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>
    /// Gets the number of steps (<c>max_steps</c>), which then counts instead of <see cref="Epochs"/>; <see langword="null"/> (the default) for those
    /// of all epochs.
    /// </summary>
    public long? MaxSteps { get; init; }

    /// <summary>Gets the sequences of one pass (<c>per_device_train_batch_size</c>), at least 1. The default is 1.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Gets the sequences of one pass of an evaluation (<c>per_device_eval_batch_size</c>), at least 1. The default is 1.</summary>
    public int EvaluationBatchSize { get; init; } = 1;

    /// <summary>
    /// Gets the passes whose gradients are added up for one step (<c>gradient_accumulation_steps</c>), at least 1. Every token counts the same,
    /// so a step equals one of a batch that much larger. The default is 1.
    /// </summary>
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Gets the full learning rate (<c>learning_rate</c>), above 0. The default is 2e-5.</summary>
    public double LearningRate { get; init; } = 2e-5;

    /// <summary>Gets how the learning rate moves after the warm-up (<c>lr_scheduler_type</c>). The default is linear.</summary>
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Linear;

    /// <summary>Gets the steps in which the learning rate rises from 0 (<c>warmup_steps</c>), at least 0. The default is 0.</summary>
    public int WarmupSteps { get; init; }

    /// <summary>Gets the share of a weight that one step at learning rate 1 takes away (<c>weight_decay</c>), at least 0. The default is 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Gets a value indicating whether norms and embeddings (a tied head with them) decay too. The default is <see langword="false"/>.</summary>
    public bool DecayNormsAndEmbeddings { get; init; }

    /// <summary>Gets β₁ (<c>adam_beta1</c>), from 0 to below 1. The default is 0.9.</summary>
    public double AdamBeta1 { get; init; } = 0.9;

    /// <summary>Gets β₂ (<c>adam_beta2</c>), from 0 to below 1. The default is 0.999.</summary>
    public double AdamBeta2 { get; init; } = 0.999;

    /// <summary>Gets ε (<c>adam_epsilon</c>), above 0. The default is 1e-8.</summary>
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Gets the length to which the gradient of a step is cut (<c>max_grad_norm</c>); 0 for no limit. The default is 1.</summary>
    public double MaxGradientNorm { get; init; } = 1;

    /// <summary>Gets the steps between two evaluations (<c>eval_steps</c>); <see langword="null"/> (the default) for one at the end of every epoch.</summary>
    public int? EvaluationSteps { get; init; }

    /// <summary>
    /// Gets what makes one model better than another (<c>metric_for_best_model</c>), called after every evaluation with the model as it is then;
    /// <see langword="null"/> (the default) for the loss on the validation data.
    /// </summary>
    public Func<TrainableModel, double>? Metric { get; init; }

    /// <summary>
    /// Gets a value indicating whether a larger <see cref="Metric"/> is better. The default is <see langword="true"/>; of losses the smaller is
    /// better in any case.
    /// </summary>
    public bool LargerMetricIsBetter { get; init; } = true;

    /// <summary>
    /// Gets after how many evaluations in a row without a better model training ends (<c>early_stopping_patience</c>);
    /// <see langword="null"/> (the default) for never.
    /// </summary>
    public int? EarlyStoppingPatience { get; init; }

    /// <summary>Gets by how much a model has to be better to count for that (<c>early_stopping_threshold</c>), at least 0. The default is 0.</summary>
    public double EarlyStoppingThreshold { get; init; }

    /// <summary>Gets a value indicating whether the model is in the end the best one that an evaluation met. The default is <see langword="true"/>.</summary>
    public bool KeepBest { get; init; } = true;

    /// <summary>Gets the steps between two reports (<c>logging_steps</c>), at least 1. The default is 10.</summary>
    public int ReportSteps { get; init; } = 10;

    /// <summary>Gets the folder of the files from which training can resume; <see langword="null"/> (the default) for none.</summary>
    public string? CheckpointFolder { get; init; }

    /// <summary>Gets the steps between two such files; <see langword="null"/> (the default) for one after every evaluation or, without, every epoch.</summary>
    public int? CheckpointSteps { get; init; }

    /// <summary>Gets how many such files are kept (<c>save_total_limit</c>), at least 1; <see langword="null"/> for all. The default is 2.</summary>
    public int? CheckpointLimit { get; init; } = 2;

    /// <summary>
    /// Gets a value indicating whether to go on from the newest file in <see cref="CheckpointFolder"/> (<c>resume_from_checkpoint</c>), where there
    /// is one. The default is <see langword="false"/>.
    /// </summary>
    public bool Resume { get; init; }

    /// <summary>Gets what dropped activations depend on (<c>seed</c>). The default is 42.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>Checks every setting.</summary>
    /// <exception cref="ArgumentException">A setting is out of its range or contradicts another.</exception>
    public void Validate()
    {
        AtLeast(Epochs, 1, nameof(Epochs));
        AtLeast(MaxSteps ?? 1, 1, nameof(MaxSteps));
        AtLeast(BatchSize, 1, nameof(BatchSize));
        AtLeast(EvaluationBatchSize, 1, nameof(EvaluationBatchSize));
        AtLeast(GradientAccumulationSteps, 1, nameof(GradientAccumulationSteps));
        AtLeast(WarmupSteps, 0, nameof(WarmupSteps));
        AtLeast(EvaluationSteps ?? 1, 1, nameof(EvaluationSteps));
        AtLeast(EarlyStoppingPatience ?? 1, 1, nameof(EarlyStoppingPatience));
        AtLeast(ReportSteps, 1, nameof(ReportSteps));
        AtLeast(CheckpointSteps ?? 1, 1, nameof(CheckpointSteps));
        AtLeast(CheckpointLimit ?? 1, 1, nameof(CheckpointLimit));
        AtLeast(WeightDecay, 0, nameof(WeightDecay));
        AtLeast(MaxGradientNorm, 0, nameof(MaxGradientNorm));
        AtLeast(EarlyStoppingThreshold, 0, nameof(EarlyStoppingThreshold));
        Require(LearningRate > 0 && double.IsFinite(LearningRate), nameof(LearningRate), $"{LearningRate} is not a number above 0");
        Require(Enum.IsDefined(Schedule), nameof(Schedule), $"{Schedule} is unknown");
        Require(AdamBeta1 is >= 0 and < 1, nameof(AdamBeta1), $"{AdamBeta1} is not from 0 to below 1");
        Require(AdamBeta2 is >= 0 and < 1, nameof(AdamBeta2), $"{AdamBeta2} is not from 0 to below 1");
        Require(AdamEpsilon > 0, nameof(AdamEpsilon), $"{AdamEpsilon} is not above 0");
        Require(!Resume || CheckpointFolder is not null, nameof(Resume), $"there is no {nameof(CheckpointFolder)} to go on from");

        static void AtLeast(double value, double least, string name) =>
            Require(value >= least && double.IsFinite(value), name, $"{value} is not at least {least}");

        static void Require(bool holds, string name, string problem)
        {
            if (!holds)
            {
                throw new ArgumentException($"{name}: {problem}.", name);
            }
        }
    }
}
