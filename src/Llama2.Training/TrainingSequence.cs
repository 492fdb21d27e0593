namespace Llama2.Training;

/// <summary>One row of training data: token ids, and which of them the model is to learn to predict.</summary>
/// <remarks>Immutable as long as the arrays behind it are left alone; thread-safe.</remarks>
public sealed class TrainingSequence
{
    /// <summary>Initializes a new instance of the <see cref="TrainingSequence"/> class.</summary>
    /// <param name="tokens">The ids, special tokens included; at least one.</param>
    /// <param name="inLoss">
    /// For every token, whether predicting it from those before it counts in the loss; as long as <paramref name="tokens"/>. The first
    /// token of a segment never counts, whatever stands here: nothing is before it.
    /// </param>
    /// <param name="segmentLengths">
    /// The lengths of the parts that a packed row consists of, in order, together as long as <paramref name="tokens"/>; empty (the default)
    /// for one part. Positions restart with every part, and no part sees another.
    /// </param>
    /// <exception cref="ArgumentException">The lengths contradict each other, or there is no token.</exception>
    public TrainingSequence(ReadOnlyMemory<int> tokens, ReadOnlyMemory<bool> inLoss, ReadOnlyMemory<int> segmentLengths = default)
    {
        if (tokens.IsEmpty)
        {
            throw new ArgumentException("A training sequence has at least one token.", nameof(tokens));
        }

        if (inLoss.Length != tokens.Length)
        {
            throw new ArgumentException($"{inLoss.Length} flags for {tokens.Length} tokens.", nameof(inLoss));
        }

        Tokens = tokens;
        InLoss = inLoss;
        SegmentLengths = segmentLengths.IsEmpty ? new[] { tokens.Length } : segmentLengths;
        long sum = 0;
        foreach (int length in SegmentLengths.Span)
        {
            sum += length >= 1 ? length : throw new ArgumentException("A segment has at least one token.", nameof(segmentLengths));
        }

        if (sum != tokens.Length)
        {
            throw new ArgumentException($"Segments of {sum} tokens in all for {tokens.Length}.", nameof(segmentLengths));
        }
    }

    /// <summary>Gets the token ids.</summary>
    public ReadOnlyMemory<int> Tokens { get; }

    /// <summary>Gets, for every token, whether predicting it counts in the loss.</summary>
    public ReadOnlyMemory<bool> InLoss { get; }

    /// <summary>Gets the lengths of the parts that do not see each other; one part of all tokens unless the row is packed.</summary>
    public ReadOnlyMemory<int> SegmentLengths { get; }
}
