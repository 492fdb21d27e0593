namespace Llama2.Evaluation;

/// <summary>What BLEU does about an order of n-grams of which none matches.</summary>
public enum BleuSmoothing
{
    /// <summary>Nothing: such a text scores 0.</summary>
    None,

    /// <summary>The k-th such order counts as 1/2ᵏ match (Chen and Cherry 2014, method 3; the default of sacrebleu).</summary>
    Exponential,

    /// <summary>Such an order counts as <see cref="BleuOptions.SmoothingValue"/> matches.</summary>
    Floor,

    /// <summary><see cref="BleuOptions.SmoothingValue"/> is added to matches and totals of all orders but the first (Lin and Och 2004).</summary>
    AddK,

    /// <summary>1 is added to matches and totals of every order, the first too (Hugging Face's <c>evaluate</c> with <c>smooth=True</c>).</summary>
    AddOne,
}

/// <summary>Against which of several references a text counts as too short.</summary>
public enum BleuReferenceLength
{
    /// <summary>The one that is nearest in length; the shorter of two (sacrebleu).</summary>
    Closest,

    /// <summary>The shortest (Hugging Face's <c>evaluate</c>).</summary>
    Shortest,
}

/// <summary>How to compute BLEU. The defaults are those of sacrebleu.</summary>
public sealed record BleuOptions
{
    /// <summary>Gets the tokenization.</summary>
    /// <value>The default is <see cref="BleuTokenization.Mteval13a"/>.</value>
    public BleuTokenization Tokenization { get; init; } = BleuTokenization.Mteval13a;

    /// <summary>Gets the longest n-grams that count.</summary>
    /// <value>From 1 to 16. The default is 4.</value>
    public int MaxOrder { get; init; } = 4;

    /// <summary>Gets the smoothing.</summary>
    /// <value>The default is <see cref="BleuSmoothing.Exponential"/>.</value>
    public BleuSmoothing Smoothing { get; init; } = BleuSmoothing.Exponential;

    /// <summary>Gets the value of <see cref="BleuSmoothing.Floor"/> and <see cref="BleuSmoothing.AddK"/>; refused with the others.</summary>
    /// <value>0 or above. The default, <see langword="null"/>, is 0.1 for the floor and 1 for adding.</value>
    public double? SmoothingValue { get; init; }

    /// <summary>Gets a value indicating whether orders longer than the text are left out of the mean. Wanted for single sentences.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool EffectiveOrder { get; init; }

    /// <summary>Gets a value indicating whether texts are lower-cased first.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool Lowercase { get; init; }

    /// <summary>Gets the reference against which a text counts as too short.</summary>
    /// <value>The default is <see cref="BleuReferenceLength.Closest"/>.</value>
    public BleuReferenceLength ReferenceLength { get; init; } = BleuReferenceLength.Closest;

    /// <summary>The options that give the contract's <c>bleu_1</c> to <c>bleu_4</c>: those of Hugging Face's <c>evaluate</c>.</summary>
    /// <param name="maxOrder">The number in the name, from 1 to 16.</param>
    /// <param name="smooth">Whether 1 is added to matches and totals of every order.</param>
    public static BleuOptions HuggingFace(int maxOrder, bool smooth = false) => new()
    {
        MaxOrder = maxOrder,
        Smoothing = smooth ? BleuSmoothing.AddOne : BleuSmoothing.None,
        ReferenceLength = BleuReferenceLength.Shortest,
    };
}

/// <summary>A BLEU score and what it is made of.</summary>
public sealed class BleuScore
{
    /// <summary>Gets the score from 0 to 1; sacrebleu prints it times 100.</summary>
    public required double Score { get; init; }

    /// <summary>Gets the smoothed share of n-grams that match, from 0 to 1, for each order from 1.</summary>
    public required IReadOnlyList<double> Precisions { get; init; }

    /// <summary>Gets the number of n-grams that match, for each order from 1, before smoothing.</summary>
    public required IReadOnlyList<long> Matches { get; init; }

    /// <summary>Gets the number of n-grams of the predictions, for each order from 1, before smoothing.</summary>
    public required IReadOnlyList<long> Totals { get; init; }

    /// <summary>Gets the factor by which too short predictions are punished, from 0 to 1.</summary>
    public required double BrevityPenalty { get; init; }

    /// <summary>Gets the number of words of the predictions.</summary>
    public required long PredictionLength { get; init; }

    /// <summary>Gets the number of words of the references.</summary>
    public required long ReferenceLength { get; init; }
}
