namespace Llama2.Evaluation;

/// <summary>How a model is asked for a class.</summary>
public enum ClassificationMethod
{
    /// <summary>It answers freely, and the class is read from what it says. There are no probabilities.</summary>
    ReadAnswer,

    /// <summary>The classes are scored as answers, and the likeliest one counts: see <see cref="LlamaChatExtensions.ClassifyAsync"/>.</summary>
    ScoreLabels,
}
