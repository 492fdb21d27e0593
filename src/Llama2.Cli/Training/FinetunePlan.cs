using Llama2.Training;

namespace Llama2.Cli;

/// <summary>What a fine-tuning run is to do, as its settings say.</summary>
internal sealed record FinetunePlan
{
    public required string ModelPath { get; init; }

    public required FinetuneFolder Folder { get; init; }

    public required string[] TrainFiles { get; init; }

    public required string[] ValidationFiles { get; init; }

    public required string[] TestFiles { get; init; }

    /// <summary>How rows are read; the length is a limit that the model's context may lower.</summary>
    public required TrainingDataOptions Data { get; init; }

    /// <summary>The length that was asked for.</summary>
    public required int? MaximumLength { get; init; }

    public required TrainableModelOptions Model { get; init; }

    /// <summary>How to train; steps that are shares of an epoch are filled in when the rows are counted.</summary>
    public required TrainingOptions Training { get; init; }

    /// <summary>Whether the model is evaluated while it is trained.</summary>
    public required bool Evaluates { get; init; }

    /// <summary>What the best model is chosen by.</summary>
    public required BestModelMetric Metric { get; init; }

    /// <summary>The part of an epoch between two evaluations; null where steps or epochs count.</summary>
    public required double? EvaluationInterval { get; init; }

    /// <summary>The steps between two lines of progress; null for a line each epoch.</summary>
    public required int? LoggingSteps { get; init; }

    /// <summary>Whether adapters, where there are any, are also merged into a model of its own.</summary>
    public required bool Merge { get; init; }

    /// <summary>Whether there is a model to write: the trained one, or the one that adapters are merged into.</summary>
    public bool WritesModel => Model.Lora is null || Merge;

    /// <summary>The format of the model that is written.</summary>
    public required WeightFormat Format { get; init; }

    /// <summary>Every setting by its name in a file, for the report.</summary>
    public required IReadOnlyDictionary<string, string> Settings { get; init; }

    /// <summary>What the settings imply and the user should know.</summary>
    public required IReadOnlyList<string> Notes { get; init; }
}
