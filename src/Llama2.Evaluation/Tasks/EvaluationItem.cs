using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>Something to ask a model, and what it should answer.</summary>
/// <param name="Input">What the model is given; of a conversation, the last message.</param>
/// <param name="Reference">What it should answer: a text, or the name of a class.</param>
public sealed record EvaluationItem(string Input, string Reference)
{
    /// <summary>Gets the messages of a conversation, the last one the user's.</summary>
    /// <value>The default, <see langword="null"/>, is one message with the input.</value>
    public IReadOnlyList<ChatMessage>? Conversation { get; init; }

    /// <summary>Gets the functions that the model may call, for <see cref="ToolCallingEvaluator"/>.</summary>
    /// <value>The default, <see langword="null"/>, offers none.</value>
    public IReadOnlyList<AIFunctionDeclaration>? Tools { get; init; }

    /// <summary>Gets the call that the model should make.</summary>
    /// <value>The default, <see langword="null"/>, means that it should answer in words.</value>
    public ToolCall? ExpectedCall { get; init; }
}

/// <summary>How far an evaluation is.</summary>
/// <param name="Done">The number of items that were answered or failed.</param>
/// <param name="Failed">The number of items that failed.</param>
public readonly record struct EvaluationProgress(int Done, int Failed);

/// <summary>An item with its answer.</summary>
/// <param name="Item">The item.</param>
/// <param name="Answer">The answer, or <see langword="null"/> where asking failed.</param>
/// <param name="Error">Why it failed, or <see langword="null"/>.</param>
public sealed record EvaluatedItem(EvaluationItem Item, string? Answer, string? Error)
{
    /// <summary>Gets the probability of each class, in the order of the classes; <see langword="null"/> where they were not asked for.</summary>
    public IReadOnlyList<double>? Probabilities { get; init; }

    /// <summary>Gets how surprised the model is by the reference; <see langword="null"/> where that was not asked for.</summary>
    public TextLikelihood? Likelihood { get; init; }

    /// <summary>Gets the calls of functions that the answer is; none where it is words.</summary>
    public IReadOnlyList<ToolCall> Calls { get; init; } = [];

    /// <summary>Gets the tokens that it took, as the client tells them; <see langword="null"/> where it does not.</summary>
    public UsageDetails? Usage { get; init; }
}
