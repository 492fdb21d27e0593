using Llama2.Training;

namespace Llama2.Cli;

/// <summary>Settings of <c>finetune</c> about the steps: how many, how large, what happens between them.</summary>
internal sealed class TrainingArguments
{
    private readonly Setting<int> _epochs = Setting.Whole("num_train_epochs", "How often the rows are read", 1, nameof(TrainingOptions.Epochs));

    private readonly Setting<int> _maximumSteps = Setting.Whole(
        "max_steps", "Steps in all, whatever the epochs; -1 leaves it to them", -1, nameof(TrainingOptions.MaxSteps));

    private readonly Setting<int> _batch = Setting.Whole("per_device_train_batch_size", "Sequences of one pass", 1, nameof(TrainingOptions.BatchSize));
    private readonly Setting<int> _evaluationBatch = Setting.Whole(
        "per_device_eval_batch_size", "The same of an evaluation", 1, nameof(TrainingOptions.EvaluationBatchSize));

    private readonly Setting<int> _accumulation = Setting.Whole(
        "gradient_accumulation_steps", "Passes of one step", 1, nameof(TrainingOptions.GradientAccumulationSteps));

    private readonly Setting<double> _rate = Setting.Number("learning_rate", "Learning rate", 2e-5, nameof(TrainingOptions.LearningRate));
    private readonly Setting<Schedule> _schedule = Setting.Choice(
        "lr_scheduler_type", "How it falls", Schedule.Linear,
        [("linear", Schedule.Linear), ("cosine", Schedule.Cosine), ("constant", Schedule.Constant), ("constant_with_warmup", Schedule.ConstantWithWarmup)],
        ("cosine_with_restarts", "with the one cycle that the pipelines use it is the same as cosine"),
        ("polynomial", "with the power of 1 that the pipelines use it is the same as linear"));

    private readonly Setting<int> _warmup = Setting.Whole("warmup_steps", "Steps in which it rises from 0", 0, nameof(TrainingOptions.WarmupSteps));
    private readonly Setting<double> _decay = Setting.Number("weight_decay", "Weight decay", 0, nameof(TrainingOptions.WeightDecay));
    private readonly Setting<double> _beta1 = Setting.Number("adam_beta1", "Adam's decay of means", 0.9, nameof(TrainingOptions.AdamBeta1));
    private readonly Setting<double> _beta2 = Setting.Number("adam_beta2", "Adam's decay of squares", 0.999, nameof(TrainingOptions.AdamBeta2));
    private readonly Setting<double> _epsilon = Setting.Number("adam_epsilon", "Adam's smallest divisor", 1e-8, nameof(TrainingOptions.AdamEpsilon));

    private readonly Setting<double> _norm = Setting.Number(
        "max_grad_norm", "Length to which a gradient is cut; 0 is no limit", 1, nameof(TrainingOptions.MaxGradientNorm));

    private readonly Setting<int> _seed = Setting.Whole("seed", "Seed of everything random", 42);

    private readonly Setting<EvaluationStrategy> _strategy = Setting.Choice(
        "evaluation_strategy", "When to evaluate", EvaluationStrategy.Epoch,
        [("epoch", EvaluationStrategy.Epoch), ("steps", EvaluationStrategy.Steps), ("disable", EvaluationStrategy.Disable)]);

    private readonly Setting<int> _evaluationSteps = Setting.Whole("eval_steps", "Steps between evaluations", 500, nameof(TrainingOptions.EvaluationSteps));

    private readonly Setting<double> _evaluationInterval = Setting.Number(
        "evaluation_steps_interval", "The same as a part of an epoch, which then counts; 0 is not set", 0);

    private readonly Setting<BestModelMetric> _metric = Setting.Choice(
        "metric_for_best_model", "What the best model is chosen by: the validation loss, or answers to the validation rows", BestModelMetric.Loss,
        AnswerMetric.Names, ("f1", "how the pipelines compute it is not known; f1_macro is for labels, rougeL for texts"));

    private readonly Setting<bool> _stopsEarly = Setting.Flag("apply_early_stopping", "End when evaluations get no better", false);

    private readonly Setting<int> _patience = Setting.Whole(
        "early_stopping_patience", "After how many of them", 1, nameof(TrainingOptions.EarlyStoppingPatience));

    private readonly Setting<double> _threshold = Setting.Number(
        "early_stopping_threshold", "By how much one has to be better", 0, nameof(TrainingOptions.EarlyStoppingThreshold));

    private readonly Setting<LoggingStrategy> _logging = Setting.Choice(
        "logging_strategy", "When to write a line of progress", LoggingStrategy.Steps, [("steps", LoggingStrategy.Steps), ("epoch", LoggingStrategy.Epoch)]);

    private readonly Setting<int> _loggingSteps = Setting.Whole("logging_steps", "Steps between lines", 10, nameof(TrainingOptions.ReportSteps));
    private readonly Setting<int> _saveSteps = Setting.Whole(
        "save_steps", "Steps between states to resume from; -1 is after evaluations and epochs", -1, nameof(TrainingOptions.CheckpointSteps));

    private readonly Setting<int> _saveLimit = Setting.Whole(
        "save_total_limit", "How many of them are kept; -1 is all", -1, nameof(TrainingOptions.CheckpointLimit));

    private readonly Setting<bool> _resume = Setting.Flag(
        "resume_from_checkpoint", "Go on from the newest state in OUT, if there is one", false, nameof(TrainingOptions.Resume));

    public IEnumerable<Setting> Settings =>
    [
        _epochs, _maximumSteps, _batch, _evaluationBatch, _accumulation, _rate, _schedule, _warmup, _decay, _beta1, _beta2, _epsilon, _norm, _seed,
        _strategy, _evaluationSteps, _evaluationInterval, _metric, _stopsEarly, _patience, _threshold, _logging, _loggingSteps, _saveSteps, _saveLimit, _resume,
    ];

    public int Seed(SettingSource source) => _seed.Get(source);

    /// <summary>Whether the model is evaluated while it is trained.</summary>
    public bool Evaluates(SettingSource source) => _strategy.Get(source) != EvaluationStrategy.Disable;

    /// <summary>The part of an epoch between two evaluations; null where steps or epochs count.</summary>
    public double? EvaluationInterval(SettingSource source) => _evaluationInterval.Get(source) switch
    {
        0 => null,
        > 0 and <= 1 and double share => share,
        _ => throw new UsageException($"{source.NameOf(_evaluationInterval)}: a part of an epoch is above 0 and at most 1."),
    };

    /// <summary>What the best model is chosen by.</summary>
    /// <param name="source">Where settings come from.</param>
    /// <param name="data">How rows are read: answers can be measured only where they are told from their prompts.</param>
    public BestModelMetric Metric(SettingSource source, TrainingDataOptions data) =>
        _metric.Get(source) is var metric && (metric == BestModelMetric.Loss || data is { LossOn: LossScope.Completions, GroundTruthKey: not null })
            ? metric
            : throw new UsageException($"{source.NameOf(_metric)}: {AnswerMetric.NameOf(metric)} needs rows with an answer, and --loss-on completions.");

    /// <summary>The steps between two lines of progress; null for a line each epoch.</summary>
    public int? LoggingSteps(SettingSource source) => _logging.Get(source) == LoggingStrategy.Steps ? _loggingSteps.Get(source) : null;

    public TrainingOptions Bind(SettingSource source, string checkpointFolder)
    {
        Check(source);
        return new()
        {
            Epochs = _epochs.Get(source),
            MaxSteps = Setting.Optional(_maximumSteps, source),
            BatchSize = _batch.Get(source),
            EvaluationBatchSize = _evaluationBatch.Get(source),
            GradientAccumulationSteps = _accumulation.Get(source),
            LearningRate = _rate.Get(source),
            Schedule = ScheduleOf(source),
            WarmupSteps = _warmup.Get(source),
            WeightDecay = _decay.Get(source),
            AdamBeta1 = _beta1.Get(source),
            AdamBeta2 = _beta2.Get(source),
            AdamEpsilon = _epsilon.Get(source),
            MaxGradientNorm = _norm.Get(source),
            EvaluationSteps = _strategy.Get(source) == EvaluationStrategy.Steps ? _evaluationSteps.Get(source) : null,
            EarlyStoppingPatience = _stopsEarly.Get(source) ? _patience.Get(source) : null,
            EarlyStoppingThreshold = _threshold.Get(source),
            ReportSteps = _loggingSteps.Get(source),
            CheckpointFolder = checkpointFolder,
            CheckpointSteps = Setting.Optional(_saveSteps, source),
            CheckpointLimit = Setting.Optional(_saveLimit, source),
            Resume = _resume.Get(source),
            Seed = Seed(source),
        };
    }

    private LearningRateSchedule ScheduleOf(SettingSource source) => _schedule.Get(source) switch
    {
        Schedule.Linear => LearningRateSchedule.Linear,
        Schedule.Cosine => LearningRateSchedule.Cosine,
        Schedule.Constant when _warmup.IsChanged(source) =>
            throw new UsageException($"{source.NameOf(_schedule)}: constant has no warm-up; {_warmup.Option.Name} goes with constant_with_warmup."),
        _ => LearningRateSchedule.Constant,
    };

    private void Check(SettingSource source)
    {
        if (_strategy.Get(source) != EvaluationStrategy.Steps)
        {
            Setting.RequireUnchanged($"{_strategy.Option.Name} steps", source, _evaluationSteps, _evaluationInterval);
        }

        if (!Evaluates(source))
        {
            Setting.RequireUnchanged($"an {_strategy.Option.Name} of epoch or steps", source, _stopsEarly, _metric);
        }

        if (!_stopsEarly.Get(source))
        {
            Setting.RequireUnchanged(_stopsEarly.Option.Name, source, _patience, _threshold);
        }

        if (_logging.Get(source) == LoggingStrategy.Epoch)
        {
            Setting.RequireUnchanged($"{_logging.Option.Name} steps", source, _loggingSteps);
        }
    }

    private enum Schedule
    {
        Linear,
        Cosine,
        Constant,
        ConstantWithWarmup,
    }

    private enum EvaluationStrategy
    {
        Epoch,
        Steps,
        Disable,
    }

    private enum LoggingStrategy
    {
        Steps,
        Epoch,
    }
}
