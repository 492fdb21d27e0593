using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Llama2;

/// <summary>A checkpoint with an adapter added to its weights: W + scale · B · A, in single precision, row by row as they are read.</summary>
/// <remarks>
/// Write it with <see cref="HuggingFaceFolder"/> or as GGUF, or load it. A model that is loaded from it without another
/// <see cref="LlamaModelOptions.WeightFormat"/> holds the merged matrices in the format of those below, K-quants as <c>Q8_0</c>. Valid while the
/// checkpoint below is open, which stays the caller's. The adapter's numbers are those at the time of construction. Thread-safe.
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
        if (adapter.FindMisfit(source.Config) is { } misfit)
        {
            throw new CheckpointException(source.Path, misfit.Weight, misfit.Model, $"{misfit.Adapter}, as the adapter has it");
        }

        _source = source;
        _tensors = source.Tensors.Values.ToDictionary(tensor => tensor.Name);
        foreach (LoraFactors factors in adapter.Factors)
        {
            _tensors[factors.Weight] = new MergedTensor(_tensors[factors.Weight], factors.A.ReadAll(), factors.B.ReadAll(), adapter.Options);
        }
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
        internal override WeightFormat HeldFormat => source.HeldFormat is WeightFormat.Q4_K or WeightFormat.Q5_K or WeightFormat.Q6_K
            ? WeightFormat.Q8_0                                          // K-quants are read only; nothing is lost in the wider format
            : source.HeldFormat;

        public override void ReadRow(int row, Span<byte> destination)
        {
            Span<float> weights = MemoryMarshal.Cast<byte, float>(destination[..RowBytes]);
            source.ReadRow(row, weights);
            for (int i = 0; i < options.Rank; i++)
            {
                TensorPrimitives.FusedMultiplyAdd(a.AsSpan(i * Columns, Columns), options.Scale * b[row * options.Rank + i], weights, weights);
            }
        }
    }
}
