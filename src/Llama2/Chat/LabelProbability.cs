namespace Llama2;

/// <summary>How likely a model answers with a label.</summary>
/// <param name="Label">The label.</param>
/// <param name="Probability">From 0 to 1: its share among the given labels, whose probabilities add up to 1.</param>
/// <param name="LogProbability">
/// ln P(the whole answer is this label), at most 0, before the division by the sum over the labels. Where even the largest one is far below 0,
/// the model would rather say something else, and <paramref name="Probability"/> says little.
/// </param>
public readonly record struct LabelProbability(string Label, double Probability, double LogProbability);
