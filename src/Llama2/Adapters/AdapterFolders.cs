namespace Llama2;

/// <summary>The adapters that the options of a model name, read and checked before its weights are.</summary>
/// <param name="Weights">The checkpoint to load: the model's own, or with <see cref="LlamaModelOptions.MergedAdapter"/> in it.</param>
/// <param name="ByName">Those that stand beside the weights.</param>
internal sealed record AdapterFolders(Checkpoint Weights, IReadOnlyDictionary<string, LoraAdapter> ByName)
{
    /// <summary>Bytes of those beside the weights.</summary>
    public long ByteSize => ByName.Values.Sum(adapter => adapter.ByteSize);

    /// <param name="checkpoint">The model, which stays the caller's.</param>
    /// <param name="options">What to read.</param>
    /// <exception cref="FileNotFoundException">A folder lacks a file.</exception>
    /// <exception cref="CheckpointException">An adapter is damaged or does not fit the model.</exception>
    /// <exception cref="UnknownAdapterException">The settings name an adapter that is not among those of the options.</exception>
    public static AdapterFolders Read(Checkpoint checkpoint, LlamaModelOptions options)
    {
        if (options.Generation.Adapter is { Length: > 0 } chosen && !options.Adapters.ContainsKey(chosen))
        {
            throw new UnknownAdapterException(chosen, [.. options.Adapters.Keys.Order(StringComparer.Ordinal)]);
        }

        Checkpoint weights = string.IsNullOrEmpty(options.MergedAdapter)
            ? checkpoint
            : new MergedCheckpoint(checkpoint, PeftFolder.Read(options.MergedAdapter, checkpoint.Config));
        return new(weights, options.Adapters.ToDictionary(adapter => adapter.Key, adapter => PeftFolder.Read(adapter.Value, checkpoint.Config)));
    }
}
