using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>How an evaluator asks.</summary>
public sealed record EvaluatorOptions
{
    /// <summary>What a prompt's template says where the item's input belongs.</summary>
    public const string InputPlace = "{input}";

    /// <summary>Gets the text that is sent for each item.</summary>
    /// <value>
    /// Holds <c>{input}</c>, which the item's input replaces. The default is the input alone. In an item that is a conversation it stands in place of
    /// the last message.
    /// </value>
    public string PromptTemplate { get; init; } = InputPlace;

    /// <summary>Gets the system prompt.</summary>
    /// <value>The default, <see langword="null"/>, sends none. A conversation that has one of its own keeps that.</value>
    public string? SystemPrompt { get; init; }

    /// <summary>Gets the settings of generation. For figures that repeat, choose a temperature of 0.</summary>
    /// <value>The default, <see langword="null"/>, leaves them to the client.</value>
    public ChatOptions? ChatOptions { get; init; }

    /// <summary>Gets the number of items that are asked at a time. The order of the results does not depend on it.</summary>
    /// <value>From 1 to 1024. The default is 1.</value>
    public int Concurrency { get; init; } = 1;

    /// <summary>Gets a value indicating whether an item that fails is counted as a wrong answer instead of ending the evaluation.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool CountFailures { get; init; }

    /// <summary>Gets the number of items that the report shows, the first ones.</summary>
    /// <value>0 or above. The default is 20.</value>
    public int Examples { get; init; } = 20;

    /// <summary>Gets the names of the figures whose intervals are estimated.</summary>
    /// <value>
    /// The default, <see langword="null"/>, are all figures of generated text, and accuracy, f1_score_macro and matthews_correlation of a
    /// classification. An empty list estimates none.
    /// </value>
    public IReadOnlyList<string>? Intervals { get; init; }

    internal void Validate()
    {
        if (PromptTemplate?.Contains(InputPlace, StringComparison.Ordinal) is not true)
        {
            throw new ArgumentException($"EvaluatorOptions.PromptTemplate must hold {InputPlace}.", nameof(PromptTemplate));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(Concurrency, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Concurrency, 1024);
        ArgumentOutOfRangeException.ThrowIfNegative(Examples);
    }
}
