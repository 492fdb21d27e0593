using System.Runtime.InteropServices;

namespace Llama2.Training;

/// <summary>A checkpoint with an adapter added to its weights: W + alpha ÷ r · B · A, in single precision, row by row as they are read.</summary>
/// <remarks>
/// Write it with <see cref="HuggingFaceFolder"/> or as GGUF, or load it. Valid while the checkpoint below is open, which stays the caller's.
/// The adapter's numbers are those at the time of construction. Thread-safe.
/// </remarks>
public sealed class MergedCheckpoint : Checkpoint
{
    private readonly Checkpoint _source;
    private readonly Dictionary<string, CheckpointTensor> _tensors;

    /// <summary>Initializes a new instance of the <see cref="MergedCheckpoint"/> class.</summary>
    /// <param name="source">The model below.</param>
    /// <param name="adapter">What is added.</param>
    /// <exception cref="CheckpointException">The adapter is of another shape.</exception>
    public MergedCheckpoint(Checkpoint source, LoraAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(adapter);
        _source = source;
        foreach ((string name, int rows, int columns) in LoraNames.Targets(adapter.Config, adapter.Options))
        {
            if (!source.Tensors.TryGetValue(name, out CheckpointTensor? tensor) || tensor.Rows != rows || tensor.Columns != columns)
            {
                throw new CheckpointException(
                    source.Path, name, tensor is null ? "no such tensor" : $"[{tensor.Rows}, {tensor.Columns}]", $"the adapter's [{rows}, {columns}]");
            }
        }

        _tensors = source.Tensors.Values.ToDictionary(
            tensor => tensor.Name,
            tensor => adapter.Read(tensor.Name) is (float[] a, float[] b) ? new MergedTensor(tensor, a, b, adapter.Options) : tensor);
    }

    /// <inheritdoc/>
    public override string Path => _source.Path;

    /// <inheritdoc/>
    public override string Layout => $"{_source.Layout} with an adapter";

    /// <inheritdoc/>
    public override LlamaConfig Config => _source.Config;

    /// <inheritdoc/>
    public override GenerationOptions GenerationDefaults => _source.GenerationDefaults;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <inheritdoc/>
    public override LlamaTokenizer? LoadTokenizer() => _source.LoadTokenizer();

    private sealed class MergedTensor(CheckpointTensor source, float[] a, float[] b, LoraOptions options)
        : CheckpointTensor(source.Name, WeightFormat.F32, source.Rows, source.Columns)
    {
        public override unsafe void ReadRow(int row, Span<byte> destination)
        {
            Span<float> weights = MemoryMarshal.Cast<byte, float>(destination[..RowBytes]);
            source.ReadRow(row, weights);
            fixed (float* sum = weights, rows = a)
            {
                for (int i = 0; i < options.Rank; i++)
                {
                    ElementKernels.AddScaled(options.Scale * b[row * options.Rank + i], rows + (nint)i * Columns, sum, Columns);
                }
            }
        }
    }
}
