namespace Llama2.Training;

/// <summary>What the rows of a file are called and what becomes of them. The keys and their defaults are those of the Azure ML fine-tuning pipelines.</summary>
public sealed record TrainingDataOptions
{
    /// <summary>Gets the number of tokens of the longest sequence (<c>max_seq_length</c>), special tokens included; at most the model's context.</summary>
    /// <value>2 or more; it has no default.</value>
    public required int MaximumLength { get; init; }

    /// <summary>Gets the key of the prompt (<c>text_key</c>).</summary>
    /// <value>The default is <c>text</c>.</value>
    public string TextKey { get; init; } = "text";

    /// <summary>Gets the key of the answer (<c>ground_truth_key</c>); <see langword="null"/> for rows that are one text each, which need <see cref="RowRendering.Raw"/>.</summary>
    /// <value>The default is <c>ground_truth</c>.</value>
    public string? GroundTruthKey { get; init; } = "ground_truth";

    /// <summary>Gets the key of a conversation, a list of <c>{"role", "content"}</c>. A row that has it is a conversation, whatever else it holds.</summary>
    /// <value>The default is <c>messages</c>. In a CSV file the column holds JSON.</value>
    public string MessagesKey { get; init; } = "messages";

    /// <summary>Gets how a prompt and its answer become one sequence. Conversations go through the chat template either way.</summary>
    /// <value>The default is <see cref="RowRendering.Chat"/>.</value>
    public RowRendering Rendering { get; init; }

    /// <summary>Gets the template that chat uses.</summary>
    /// <value>The default is a <see cref="Llama2ChatTemplate"/>.</value>
    public IChatTemplate ChatTemplate { get; init; } = new Llama2ChatTemplate();

    /// <summary>Gets a system message for rows that have none; it has no effect on <see cref="RowRendering.Raw"/> rows.</summary>
    /// <value>The default is <see langword="null"/>, none.</value>
    public string? SystemPrompt { get; init; }

    /// <summary>Gets which tokens count in the loss.</summary>
    /// <value>The default is <see cref="LossScope.Completions"/>.</value>
    public LossScope LossOn { get; init; }

    /// <summary>Gets what becomes of a row that is longer than <see cref="MaximumLength"/>.</summary>
    /// <value>The default is <see cref="Truncation.CutEnd"/>.</value>
    public Truncation Truncation { get; init; }

    /// <summary>Gets a value indicating whether short rows share a sequence. They do not see each other, and their positions all start at 0.</summary>
    /// <value>The default is <see langword="false"/>. A batch counts sequences, so packed batches hold more rows.</value>
    public bool Pack { get; init; }

    /// <summary>Gets what becomes of a row that cannot be used.</summary>
    /// <value>The default is <see cref="BadRowPolicy.Fail"/>.</value>
    public BadRowPolicy BadRows { get; init; }

    /// <summary>Gets the seed of the order of every epoch (<c>seed</c>); <see langword="null"/> for the order of the files.</summary>
    /// <value>The default is 42.</value>
    public int? ShuffleSeed { get; init; } = 42;

    /// <summary>Checks every setting.</summary>
    /// <exception cref="ArgumentException">A setting is out of its range or contradicts another.</exception>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaximumLength, 2);
        ArgumentException.ThrowIfNullOrEmpty(TextKey);
        ArgumentException.ThrowIfNullOrEmpty(MessagesKey);
        ArgumentNullException.ThrowIfNull(ChatTemplate);
        Require(GroundTruthKey != "", nameof(GroundTruthKey), "is empty; null stands for none");
        Require(Enum.IsDefined(Rendering), nameof(Rendering), "is unknown");
        Require(Enum.IsDefined(LossOn), nameof(LossOn), "is unknown");
        Require(Enum.IsDefined(Truncation), nameof(Truncation), "is unknown");
        Require(Enum.IsDefined(BadRows), nameof(BadRows), "is unknown");

        static void Require(bool holds, string name, string problem)
        {
            if (!holds)
            {
                throw new ArgumentException($"{name} {problem}.", name);
            }
        }
    }
}

/// <summary>How a prompt and its answer become one sequence.</summary>
public enum RowRendering
{
    /// <summary>As a user's message and the assistant's answer, through the chat template.</summary>
    Chat,

    /// <summary>One after the other, between begin and end of text, as text generation reads a prompt.</summary>
    Raw,
}

/// <summary>Which tokens count in the loss.</summary>
public enum LossScope
{
    /// <summary>The answers, each with the token that ends it; the whole text where a row has no prompt.</summary>
    Completions,

    /// <summary>All tokens.</summary>
    All,
}

/// <summary>What becomes of a row that is too long.</summary>
public enum Truncation
{
    /// <summary>It loses its end. If no token is left that counts in the loss, the row is bad.</summary>
    CutEnd,

    /// <summary>It loses what follows its first token, so the last answer stays.</summary>
    CutBeginning,

    /// <summary>It is left out and counted.</summary>
    LeaveOut,

    /// <summary>It is a bad row.</summary>
    Refuse,
}

/// <summary>What becomes of a row that cannot be used.</summary>
public enum BadRowPolicy
{
    /// <summary>The data does not open; the exception names file and line.</summary>
    Fail,

    /// <summary>It is left out, counted and reported.</summary>
    Skip,
}
