namespace Llama2.Training;

/// <summary>What a parameter is, since weight decay may leave some out.</summary>
internal enum ParameterKind
{
    Matrix,
    Norm,
    Embedding,
}

/// <summary>One named parameter of a <see cref="ParameterStore"/>.</summary>
/// <param name="Name">Its Hugging Face or PEFT name.</param>
/// <param name="Rows">Rows; 1 for a vector.</param>
/// <param name="Columns">Columns.</param>
/// <param name="Offset">Where it begins in the store, in floats.</param>
/// <param name="Kind">What it is.</param>
internal sealed record Parameter(string Name, int Rows, int Columns, long Offset, ParameterKind Kind)
{
    public long Length => (long)Rows * Columns;
}

/// <summary>Everything that is trained, one parameter behind another in one array, and the gradients in another of the same layout.</summary>
/// <remarks>Parameters whose names follow each other lie one behind another without a gap, so that q, k and v are also one matrix.</remarks>
internal sealed unsafe class ParameterStore : IDisposable
{
    private readonly Dictionary<string, Parameter> _byName;
    private readonly AlignedMemory _values;
    private readonly AlignedMemory _gradients;

    public ParameterStore(IEnumerable<(string Name, int Rows, int Columns)> shapes)
    {
        var parameters = new List<Parameter>();
        foreach ((string name, int rows, int columns) in shapes)
        {
            ParameterKind kind = rows == 1 && name.EndsWith("norm.weight", StringComparison.Ordinal) ? ParameterKind.Norm
                : name == TensorNames.Embedding ? ParameterKind.Embedding : ParameterKind.Matrix;
            parameters.Add(new(name, rows, columns, Length, kind));
            Length += parameters[^1].Length;
        }

        Parameters = parameters;
        _byName = parameters.ToDictionary(parameter => parameter.Name);
        _values = new AlignedMemory(Length * sizeof(float));
        _gradients = new AlignedMemory(Length * sizeof(float));
    }

    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Floats in all.</summary>
    public long Length { get; }

    public float* Values => _values.Floats;

    public float* Gradients => _gradients.Floats;

    public Parameter this[string name] => _byName[name];

    public float* Value(string name) => Values + _byName[name].Offset;

    public float* Gradient(string name) => Gradients + _byName[name].Offset;

    public void Dispose()
    {
        _values.Dispose();
        _gradients.Dispose();
    }
}
