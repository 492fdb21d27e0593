namespace Llama2.Evaluation;

/// <summary>Something to ask a model, and what it should answer.</summary>
/// <param name="Input">What the model is given.</param>
/// <param name="Reference">What it should answer: a text, or the name of a class.</param>
public sealed record EvaluationItem(string Input, string Reference);

/// <summary>How far an evaluation is.</summary>
/// <param name="Done">The number of items that were answered or failed.</param>
/// <param name="Failed">The number of items that failed.</param>
public readonly record struct EvaluationProgress(int Done, int Failed);

/// <summary>An item with its answer.</summary>
/// <param name="Item">The item.</param>
/// <param name="Answer">The answer, or <see langword="null"/> where asking failed.</param>
/// <param name="Error">Why it failed, or <see langword="null"/>.</param>
public sealed record EvaluatedItem(EvaluationItem Item, string? Answer, string? Error);
