namespace Llama2;

/// <summary>Writes GGUF files.</summary>
public static class GgufFile
{
    /// <summary>Writes a checkpoint as a GGUF v3 file with its vocabulary, one tensor at a time; beside the target first, then renamed.</summary>
    /// <param name="checkpoint">What to write.</param>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <param name="format">The format of the matrices: F32, F16, BF16, Q8_0 or Q4_0. Norms stay F32.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellationToken">Seen between rows; nothing is left behind then.</param>
    public static void Write(Checkpoint checkpoint, string path, WeightFormat format, IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();
}
