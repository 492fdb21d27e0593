namespace Llama2.Training;

/// <summary>The sequences of one forward pass laid one behind another, without padding: [tokens], with where each begins.</summary>
internal sealed class TrainingBatch
{
    private TrainingBatch(int[] tokens, int[] positions, (int Start, int Length)[] segments, int[] targetRows, int[] targets) =>
        (Tokens, Positions, Segments, TargetRows, Targets) = (tokens, positions, segments, targetRows, targets);

    /// <summary>[tokens].</summary>
    public int[] Tokens { get; }

    /// <summary>[tokens]: from 0 in every segment.</summary>
    public int[] Positions { get; }

    /// <summary>The parts that attention does not leave.</summary>
    public (int Start, int Length)[] Segments { get; }

    /// <summary>The tokens behind which a prediction counts.</summary>
    public int[] TargetRows { get; }

    /// <summary>What is to be predicted there; as long as <see cref="TargetRows"/>.</summary>
    public int[] Targets { get; }

    public int LongestSegment => Segments.Max(segment => segment.Length);

    /// <exception cref="ArgumentException">A token or a length is beyond what the model has.</exception>
    public static TrainingBatch Create(IReadOnlyList<TrainingSequence> sequences, LlamaConfig config)
    {
        int length = checked((int)sequences.Sum(sequence => (long)sequence.Tokens.Length));
        int[] tokens = new int[length], positions = new int[length];
        var segments = new List<(int, int)>();
        List<int> targetRows = [], targets = [];
        int start = 0;
        foreach (TrainingSequence sequence in sequences)
        {
            ReadOnlySpan<int> ids = sequence.Tokens.Span;
            ReadOnlySpan<bool> inLoss = sequence.InLoss.Span;
            foreach (int count in sequence.SegmentLengths.Span)
            {
                if (count > config.ContextLength)
                {
                    throw new ArgumentException($"A sequence has {count:N0} tokens; the model's context is {config.ContextLength:N0}.", nameof(sequences));
                }

                for (int i = 0; i < count; i++)
                {
                    tokens[start + i] = ids[i] >= 0 && ids[i] < config.VocabularySize ? ids[i]
                        : throw new ArgumentException($"Token {ids[i]} is outside the vocabulary of {config.VocabularySize:N0}.", nameof(sequences));
                    positions[start + i] = i;
                    if (i > 0 && inLoss[i])
                    {
                        targetRows.Add(start + i - 1);
                        targets.Add(ids[i]);
                    }
                }

                segments.Add((start, count));
                start += count;
                ids = ids[count..];
                inLoss = inLoss[count..];
            }
        }

        return new(tokens, positions, [.. segments], [.. targetRows], [.. targets]);
    }
}
