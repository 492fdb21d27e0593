namespace Llama2.Training;

/// <summary>Where training and evaluation get their sequences from.</summary>
/// <remarks>
/// Rows have no padding: the trainer works on the tokens that are there, whatever the lengths. An implementation repeats itself: the same
/// epoch gives the same sequences in the same order in every call and in every process, which resuming and determinism depend on.
/// </remarks>
public interface ITrainingData
{
    /// <summary>Gets how many sequences every epoch has, or <see langword="null"/> where nobody has counted them.</summary>
    long? Count { get; }

    /// <summary>Reads the sequences of one epoch, in the order in which they are to be trained on.</summary>
    /// <param name="epoch">The epoch, from 0; shuffled data has another order in each.</param>
    /// <param name="skip">How many sequences to leave out at the beginning of that order, when training resumes in the middle; from 0.</param>
    IEnumerable<TrainingSequence> Read(int epoch, long skip = 0);
}
