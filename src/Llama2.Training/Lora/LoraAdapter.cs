namespace Llama2.Training;

/// <summary>The numbers of an adapter: for every projection that it stands beside, A of [rank, inputs] and B of [outputs, rank].</summary>
/// <remarks>An adapter of a model that is being trained shows the model's present numbers. Reading is thread-safe between training steps.</remarks>
public sealed class LoraAdapter
{
    private readonly Dictionary<string, CheckpointTensor> _tensors;

    internal LoraAdapter(LlamaConfig config, LoraOptions options, string baseModel, IEnumerable<CheckpointTensor> tensors)
    {
        (Config, Options, BaseModel) = (config, options, baseModel);
        _tensors = tensors.ToDictionary(tensor => tensor.Name);
    }

    /// <summary>Gets rank, scale and targets.</summary>
    public LoraOptions Options { get; }

    /// <summary>Gets the name or path of the model that the adapter was trained on; may be empty.</summary>
    public string BaseModel { get; }

    /// <summary>Gets the number of parameters.</summary>
    public long ParameterCount => _tensors.Values.Sum(tensor => (long)tensor.Rows * tensor.Columns);

    /// <summary>The shape that it fits.</summary>
    internal LlamaConfig Config { get; }

    /// <summary>A and B of every target, in the order of the model's tensors, under PEFT's names.</summary>
    internal IReadOnlyList<CheckpointTensor> Tensors => [.. LoraNames.Shapes(Config, Options).Select(shape => _tensors[shape.Name])];

    /// <summary>A and B beside a weight, as [rank, inputs] and [outputs, rank] floats; nothing where the weight has no adapter.</summary>
    internal (float[] A, float[] B)? Read(string weight) =>
        !_tensors.TryGetValue(LoraNames.A(weight), out CheckpointTensor? a) ? null : (ReadAll(a), ReadAll(_tensors[LoraNames.B(weight)]));

    private static float[] ReadAll(CheckpointTensor tensor)
    {
        float[] values = new float[checked(tensor.Rows * tensor.Columns)];
        for (int row = 0; row < tensor.Rows; row++)
        {
            tensor.ReadRow(row, values.AsSpan(row * tensor.Columns, tensor.Columns));
        }

        return values;
    }
}
