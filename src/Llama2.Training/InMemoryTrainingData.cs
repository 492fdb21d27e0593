namespace Llama2.Training;

/// <summary>Sequences that are in memory already, in their order or shuffled anew for every epoch.</summary>
/// <param name="sequences">The sequences.</param>
/// <param name="shuffleSeed">The seed of the orders, or <see langword="null"/> (the default) for the order given.</param>
/// <remarks>Thread-safe.</remarks>
public sealed class InMemoryTrainingData(IReadOnlyList<TrainingSequence> sequences, int? shuffleSeed = null) : ITrainingData
{
    /// <inheritdoc/>
    public long? Count => sequences.Count;

    /// <inheritdoc/>
    public IEnumerable<TrainingSequence> Read(int epoch, long skip = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(skip);
        int[] order = [.. Enumerable.Range(0, sequences.Count)];
        if (shuffleSeed is int seed)
        {
            var random = new SplitMix64(RandomWeights.Key(seed, epoch));
            for (int i = order.Length - 1; i > 0; i--)                        // Fisher and Yates
            {
                int other = (int)random.Below((ulong)i + 1);
                (order[i], order[other]) = (order[other], order[i]);
            }
        }

        return order.Skip((int)Math.Min(skip, order.Length)).Select(index => sequences[index]);
    }
}
