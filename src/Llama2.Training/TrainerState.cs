using System.Text.Json.Serialization;

namespace Llama2.Training;

/// <summary>Where training stands, besides the numbers of parameters and optimiser.</summary>
internal sealed record TrainerState
{
    /// <summary>What must be the same for a resumed run to be the same run.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Steps done.</summary>
    public long Step { get; set; }

    /// <summary>The epoch in progress, from 0.</summary>
    public int Epoch { get; set; }

    /// <summary>Sequences of that epoch that were trained on.</summary>
    public long Position { get; set; }

    /// <summary>Evaluations in a row that found nothing better.</summary>
    public int Worse { get; set; }

    public bool StoppedEarly { get; set; }

    public List<TrainingStep> Steps { get; init; } = [];

    public List<TrainingEvaluation> Evaluations { get; init; } = [];

    public TrainingEvaluation? Best { get; set; }

    /// <summary>Whether the parameters of the best evaluation stand in the file too.</summary>
    public bool HasBestParameters { get; set; }
}

[JsonSerializable(typeof(TrainerState))]
internal sealed partial class TrainerStateContext : JsonSerializerContext;
