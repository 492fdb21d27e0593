namespace Llama2;

/// <summary>Writes Hugging Face folders.</summary>
public static class HuggingFaceFolder
{
    /// <summary>Writes a checkpoint as a Hugging Face folder with its tokenizer, one tensor at a time; beside the target first, then renamed.</summary>
    /// <param name="checkpoint">What to write.</param>
    /// <param name="path">The folder; made if it is missing, refused if it holds anything.</param>
    /// <param name="format">The format of all tensors: F32, F16 or BF16.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellationToken">Seen between rows; nothing is left behind then.</param>
    public static void Write(Checkpoint checkpoint, string path, WeightFormat format, IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();
}
