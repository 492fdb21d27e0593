namespace Llama2.Evaluation;

/// <summary>How well one class was told from the others.</summary>
/// <param name="Name">The class.</param>
/// <param name="Support">The number of items that have it.</param>
/// <param name="Predicted">The number of items that were taken for it.</param>
/// <param name="Correct">The number of items that both is true of.</param>
public sealed record ClassMetrics(string Name, long Support, long Predicted, long Correct)
{
    /// <summary>Gets correct / predicted, 0 where nothing was taken for the class.</summary>
    public double Precision => Predicted > 0 ? (double)Correct / Predicted : 0;

    /// <summary>Gets correct / support, 0 where nothing has the class.</summary>
    public double Recall => Support > 0 ? (double)Correct / Support : 0;

    /// <summary>Gets the harmonic mean of precision and recall: 2 · correct / (support + predicted).</summary>
    public double F1 => Support + Predicted > 0 ? 2.0 * Correct / (Support + Predicted) : 0;
}

/// <summary>Precision, recall and F1 over all classes.</summary>
/// <param name="Precision">From 0 to 1.</param>
/// <param name="Recall">From 0 to 1.</param>
/// <param name="F1">From 0 to 1. The macro and weighted means are means of the classes' F1, not the harmonic mean of the two others.</param>
public readonly record struct AveragedMetrics(double Precision, double Recall, double F1);

/// <summary>A metric of ranked probabilities, over the classes in several ways.</summary>
/// <param name="Macro">The mean over the classes.</param>
/// <param name="Micro">All pairs of item and class together.</param>
/// <param name="Weighted">The mean over the classes, weighted by how many items have them.</param>
/// <param name="Binary">Of the positive class, where there are two classes.</param>
/// <remarks>A value is not a number where it is not defined: a class counts if some items have it and some have not.</remarks>
public readonly record struct RankedMetrics(double Macro, double Micro, double Weighted, double Binary);
