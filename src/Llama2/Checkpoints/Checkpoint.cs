namespace Llama2;

/// <summary>A Llama checkpoint on disk: its shape, its tensors under their Hugging Face names, its tokenizer.</summary>
/// <remarks>
/// Opening reads headers only; weights stay in memory-mapped files until they are asked for. Instances are thread-safe. Tensors are
/// valid until the checkpoint is disposed; a file must not be truncated while it is open.
/// </remarks>
public abstract class Checkpoint : IDisposable
{
    /// <summary>Gets the path that was opened.</summary>
    public abstract string Path { get; }

    /// <summary>Gets the layout, for people: <c>Hugging Face</c>, <c>GGUF v3</c>, <c>Meta</c>, <c>random</c>.</summary>
    public abstract string Layout { get; }

    /// <summary>Gets the validated shape.</summary>
    public abstract LlamaConfig Config { get; }

    /// <summary>Gets the settings that the checkpoint's own <c>generation_config.json</c> names; empty where there is none.</summary>
    public virtual GenerationOptions GenerationDefaults => new();

    /// <summary>Gets every tensor of the model by its Hugging Face name; shapes are checked against <see cref="Config"/>.</summary>
    public abstract IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; }

    /// <summary>Reads the tokenizer beside or inside the checkpoint.</summary>
    /// <returns>The tokenizer, or <see langword="null"/> where the checkpoint has none.</returns>
    /// <exception cref="CheckpointException">The tokenizer is damaged or does not fit the model.</exception>
    public abstract LlamaTokenizer? LoadTokenizer();

    /// <summary>Opens a checkpoint and detects what the path is.</summary>
    /// <param name="path">A Hugging Face folder, a Meta folder or a <c>.gguf</c> file.</param>
    /// <exception cref="FileNotFoundException">Nothing is there.</exception>
    /// <exception cref="CheckpointException">What is there is not a Llama checkpoint, or a damaged one.</exception>
    public static Checkpoint Open(string path) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases the files.</summary>
    /// <param name="disposing">Always <see langword="true"/>; there is no finalizer.</param>
    protected virtual void Dispose(bool disposing)
    {
    }
}
