namespace Llama2;

/// <summary>The numbers of an adapter: for every projection that it stands beside, A of [rank, inputs] and B of [outputs, rank].</summary>
/// <remarks>An adapter of a model that is being trained shows the model's present numbers. Reading is thread-safe between training steps.</remarks>
public sealed class LoraAdapter
{
    internal LoraAdapter(LlamaConfig config, LoraOptions options, string baseModel, IEnumerable<CheckpointTensor> tensors)
    {
        Dictionary<string, CheckpointTensor> byName = tensors.ToDictionary(tensor => tensor.Name);
        (Config, Options, BaseModel) = (config, options, baseModel);
        Factors = [.. LoraNames.Targets(config, options).Select(target =>
            new LoraFactors(target.Name, byName[LoraNames.A(target.Name)], byName[LoraNames.B(target.Name)]))];
    }

    /// <summary>Gets rank, scale and targets.</summary>
    public LoraOptions Options { get; }

    /// <summary>Gets the name or path of the model that the adapter was trained on; may be empty.</summary>
    public string BaseModel { get; }

    /// <summary>Gets A and B of every target, in the order of the model's tensors.</summary>
    public IReadOnlyList<LoraFactors> Factors { get; }

    /// <summary>Gets the number of parameters.</summary>
    public long ParameterCount => Tensors.Sum(tensor => (long)tensor.Rows * tensor.Columns);

    /// <summary>The shape that it fits.</summary>
    internal LlamaConfig Config { get; }

    /// <summary>Bytes of all numbers in single precision.</summary>
    internal long ByteSize => sizeof(float) * ParameterCount;

    /// <summary>Every tensor, A before B, under PEFT's names.</summary>
    internal IEnumerable<CheckpointTensor> Tensors => Factors.SelectMany(factors => new[] { factors.A, factors.B });

    /// <summary>Refuses an adapter that does not fit a model of this shape.</summary>
    internal void ThrowIfMisfit(LlamaConfig config)
    {
        if (FindMisfit(config) is { } misfit)
        {
            throw new ArgumentException($"The adapter is of another shape: {misfit.Weight} is {misfit.Adapter} in it and {misfit.Model} here.");
        }
    }

    /// <summary>The first target that a model of this shape lacks or has in another shape, or that it has alone; <see langword="null"/> if the adapter fits.</summary>
    internal (string Weight, string Model, string Adapter)? FindMisfit(LlamaConfig config)
    {
        Dictionary<string, string> model = Shapes(config), own = Shapes(Config);
        return model.Keys.Union(own.Keys)
            .Select(name => ((string Weight, string Model, string Adapter)?)(name, model.GetValueOrDefault(name, "no such matrix"), own.GetValueOrDefault(name, "no such matrix")))
            .FirstOrDefault(shapes => shapes!.Value.Model != shapes.Value.Adapter);

        Dictionary<string, string> Shapes(LlamaConfig shape) =>
            LoraNames.Targets(shape, Options).ToDictionary(target => target.Name, target => $"[{target.Rows}, {target.Columns}]");
    }
}

/// <summary>What stands beside one weight matrix: scale · B · A, as <see cref="LoraOptions.Scale"/> has it.</summary>
/// <param name="Weight">The name of the matrix, such as <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
/// <param name="A">[rank, inputs].</param>
/// <param name="B">[outputs, rank].</param>
public sealed record LoraFactors(string Weight, CheckpointTensor A, CheckpointTensor B);
