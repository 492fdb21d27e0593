using System.Numerics.Tensors;

namespace Llama2.Training;

/// <summary>A Llama model whose parameters, or whose adapters' parameters, can be trained.</summary>
/// <remarks>
/// Everything is single precision on the CPU. The same model, data and seed give the same bits with any number of threads. Instances are
/// not thread-safe: one pass at a time.
/// </remarks>
public sealed unsafe class TrainableModel : IDisposable
{
    private readonly LlamaWeights _weights;
    private readonly WorkerGroup _workers;
    private readonly MatrixProduct _product;
    private readonly BlockSteps _steps;
    private Activations? _activations;

    private TrainableModel(LlamaConfig config, TrainableModelOptions options, Checkpoint? source)
    {
        config.Validate(nameof(TrainableModel));
        (Config, Options, Source) = (config, options, source);
        _weights = options.Lora is null
            ? LlamaWeights.CreateTrained(config)
            : LlamaWeights.CreateAdapted(source!, options.BaseFormat, options.Lora, options.Seed);
        _workers = new WorkerGroup(options.Threads ?? Environment.ProcessorCount);
        _product = new MatrixProduct(_workers);
        _steps = new BlockSteps(new Attention(config, _workers), new RotaryAngles(config));
    }

    /// <summary>Gets the shape.</summary>
    public LlamaConfig Config { get; }

    /// <summary>Gets how the model is held.</summary>
    public TrainableModelOptions Options { get; }

    /// <summary>Gets the number of parameters that are trained.</summary>
    public long TrainedParameterCount => Parameters.Length;

    /// <summary>Gets the adapter with the model's present numbers, or <see langword="null"/> where every parameter is trained.</summary>
    public LoraAdapter? Adapter => Options.Lora is { } lora
        ? new LoraAdapter(Config, lora, Source!.Path, Parameters.Parameters.Select(parameter => new ParameterTensor(this, parameter)))
        : null;

    /// <summary>What is trained: every parameter, or those of the adapters.</summary>
    internal ParameterStore Parameters => _weights.Trained;

    internal Checkpoint? Source { get; }

    internal WorkerGroup Workers => _workers;

    /// <summary>Copies a checkpoint's weights, to train them or adapters beside them.</summary>
    /// <param name="checkpoint">The model; it has to stay open as long as this model or a checkpoint made of it is used.</param>
    /// <param name="options">How to hold it; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="CheckpointException">The checkpoint is damaged.</exception>
    public static TrainableModel Load(Checkpoint checkpoint, TrainableModelOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        options ??= new();
        options.Validate();
        var model = new TrainableModel(checkpoint.Config, options, checkpoint);
        if (options.Lora is null)
        {
            foreach (Parameter parameter in model.Parameters.Parameters)
            {
                model.ReadRows(checkpoint.Tensors[parameter.Name], parameter);
            }
        }

        return model;
    }

    /// <summary>
    /// Makes a new model: norms 1, everything else normal with a deviation of 0.02, divided by √(2 · layers) where a projection adds to the
    /// residual stream (Radford et al. 2019).
    /// </summary>
    /// <param name="config">The shape.</param>
    /// <param name="options">How to hold it, and the seed; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or asks for adapters, which need a model below them.</exception>
    /// <exception cref="CheckpointException">The shape contradicts itself.</exception>
    public static TrainableModel Create(LlamaConfig config, TrainableModelOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        options ??= new();
        options.Validate();
        if (options.Lora is not null)
        {
            throw new ArgumentException("Adapters need a trained model below them; load one.", nameof(options));
        }

        var model = new TrainableModel(config, options, source: null);
        RandomWeights.Fill(model.Parameters, config, options.Seed);
        return model;
    }

    /// <summary>Copies an adapter's numbers into this model's adapter, to train it further.</summary>
    /// <param name="adapter">The adapter; rank and targets have to be those of this model's.</param>
    /// <exception cref="ArgumentException">This model has no adapter, or one of another rank or other targets.</exception>
    public void LoadAdapter(LoraAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        Dictionary<string, CheckpointTensor> tensors = adapter.Tensors.ToDictionary(tensor => tensor.Name);
        bool fits = Options.Lora is not null && tensors.Count == Parameters.Parameters.Count && Parameters.Parameters.All(parameter =>
            tensors.TryGetValue(parameter.Name, out CheckpointTensor? tensor) && tensor.Rows == parameter.Rows && tensor.Columns == parameter.Columns);
        if (!fits)
        {
            throw new ArgumentException("The adapter's rank and targets are not those of this model.", nameof(adapter));
        }

        foreach (Parameter parameter in Parameters.Parameters)
        {
            ReadRows(tensors[parameter.Name], parameter);
        }
    }

    /// <summary>Shows the present weights as a checkpoint, adapters merged, to write with <see cref="HuggingFaceFolder"/> or to load.</summary>
    /// <param name="tokenizer">The tokenizer that belongs to it; <see langword="null"/> for the one of the checkpoint that was loaded, if any.</param>
    /// <returns>
    /// A view that changes with the model, except for merged adapters, whose numbers are those of the call; valid while the model is. Disposing
    /// it frees nothing.
    /// </returns>
    public Checkpoint AsCheckpoint(LlamaTokenizer? tokenizer = null) =>
        Adapter is { } adapter ? new MergedCheckpoint(Source!, adapter) : new ModelCheckpoint(this, tokenizer);

    /// <summary>Adds up the losses of sequences without touching a gradient.</summary>
    /// <param name="sequences">The sequences.</param>
    /// <returns>The sum of −log p over the tokens that count, and their number.</returns>
    /// <exception cref="ArgumentException">A token is outside the vocabulary, or a sequence is longer than the context.</exception>
    public (double Loss, long Tokens) Evaluate(IReadOnlyList<TrainingSequence> sequences)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        TrainingBatch batch = TrainingBatch.Create(sequences, Config);
        return (Run(batch, scale: 0, dropoutKey: null), batch.Targets.Length);
    }

    /// <summary>Adds scale · ∂(sum of losses) to the gradients, and returns the sum of losses.</summary>
    /// <param name="batch">The sequences.</param>
    /// <param name="scale">What the loss of one token counts; 0 computes the loss alone.</param>
    /// <param name="dropoutKey">What the dropped activations depend on, or <see langword="null"/> for none.</param>
    internal double Run(TrainingBatch batch, float scale, ulong? dropoutKey)
    {
        if (batch.Tokens.Length == 0)
        {
            return 0;
        }

        var pass = new PassContext(_product, dropoutKey);
        Activations activations = Reserve(batch);
        Forward(pass, batch, activations);
        double loss = Head(pass, batch, activations, scale);
        if (scale != 0)
        {
            Backward(pass, batch, activations);
        }

        return loss;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _activations?.Dispose();
        _steps.Dispose();
        _product.Dispose();
        _workers.Dispose();
        _weights.Dispose();
    }

    private void ReadRows(CheckpointTensor tensor, Parameter parameter)
    {
        for (int row = 0; row < parameter.Rows; row++)
        {
            tensor.ReadRow(row, new Span<float>(Parameters.Values + parameter.Offset + (long)row * parameter.Columns, parameter.Columns));
        }
    }

    private void Forward(PassContext pass, TrainingBatch batch, Activations activations)
    {
        float* stream = activations.Residual(0);
        pass.Workers.ForRows(batch.Tokens.Length, 64, (first, count) =>
        {
            for (int token = first; token < first + count; token++)
            {
                _weights.ReadEmbedding(batch.Tokens[token], new Span<float>(stream + (nint)token * Config.HiddenSize, Config.HiddenSize));
            }
        });

        for (int layer = 0; layer < Config.LayerCount; layer++)
        {
            _weights.Blocks[layer].Forward(
                pass, batch, _steps, activations.Residual(layer), activations.Block(layer), activations.Residual(layer + 1));
        }
    }

    private void Backward(PassContext pass, TrainingBatch batch, Activations activations)
    {
        for (int layer = Config.LayerCount - 1; layer >= 0; layer--)
        {
            if (Options.ActivationCheckpointing)
            {
                _weights.Blocks[layer].Forward(
                    pass, batch, _steps, activations.Residual(layer), activations.Block(layer), activations.Residual(layer + 1));
            }

            _weights.Blocks[layer].Backward(
                pass, batch, _steps, activations.Residual(layer), activations.Block(layer), activations.Gradients);
        }

        if (_weights.EmbeddingGradient is not null)
        {
            AddEmbeddingGradients(pass, batch, activations.Gradients.Residual);
        }
    }

    /// <summary>The last norm, the head and the loss, both ways, for the rows alone behind which a prediction counts.</summary>
    private double Head(PassContext pass, TrainingBatch batch, Activations activations, float scale)
    {
        (int count, int hidden, HeadActivations kept) = (batch.Targets.Length, Config.HiddenSize, activations.Targets);
        float* stream = activations.Residual(Config.LayerCount), streamGradient = activations.Gradients.Residual;
        for (int i = 0; i < count; i++)
        {
            new ReadOnlySpan<float>(stream + (nint)batch.TargetRows[i] * hidden, hidden).CopyTo(new Span<float>(kept.Residual + (nint)i * hidden, hidden));
        }

        RmsNorm.Forward(pass.Workers, count, hidden, Config.RmsNormEpsilon, kept.Residual, _weights.OutputNorm.Value, kept.Normed, kept.NormScales);

        // A few rows at a time: logits = normed · Wᵀ, their loss, and at once the gradients of both factors.
        double[] losses = new double[count];
        int most = HeadActivations.LogitRows(Config);
        for (int row = 0; row < count; row += most)
        {
            int rows = Math.Min(most, count - row);
            float* normed = kept.Normed + (nint)row * hidden;
            _weights.Head.Forward(pass, rows, normed, kept.Logits);
            CrossEntropy.ForwardBackward(
                pass.Workers, rows, Config.VocabularySize, kept.Logits, batch.Targets.AsMemory(row, rows), scale, losses.AsMemory(row, rows));
            if (scale != 0)
            {
                _weights.Head.Backward(pass, rows, normed, kept.Logits, kept.NormedGradient + (nint)row * hidden);
            }
        }

        if (scale != 0)
        {
            Clear(kept.ResidualGradient, count);
            Clear(streamGradient, batch.Tokens.Length);
            RmsNorm.Backward(
                pass.Workers, count, hidden, kept.Residual, _weights.OutputNorm.Value, kept.NormScales,
                kept.NormedGradient, kept.ResidualGradient, _weights.OutputNorm.Gradient);
            for (int i = 0; i < count; i++)
            {
                new ReadOnlySpan<float>(kept.ResidualGradient + (nint)i * hidden, hidden)
                    .CopyTo(new Span<float>(streamGradient + (nint)batch.TargetRows[i] * hidden, hidden));
            }
        }

        double sum = 0;
        Array.ForEach(losses, loss => sum += loss);
        return sum;
    }

    /// <summary>dE[token] += dx, by columns, so that tokens of the same id are added in their order.</summary>
    private void AddEmbeddingGradients(PassContext pass, TrainingBatch batch, float* gradient)
    {
        int hidden = Config.HiddenSize;
        pass.Workers.ForRows(hidden, 32, (first, count) =>
        {
            for (int token = 0; token < batch.Tokens.Length; token++)
            {
                var sum = new Span<float>(_weights.EmbeddingGradient + (nint)batch.Tokens[token] * hidden + first, count);
                TensorPrimitives.Add(sum, new ReadOnlySpan<float>(gradient + (nint)token * hidden + first, count), sum);
            }
        });
    }

    private void Clear(float* rows, int count) => _workers.ForRows(count, 256, (first, number) =>
        new Span<float>(rows + (nint)first * Config.HiddenSize, number * Config.HiddenSize).Clear());

    private Activations Reserve(TrainingBatch batch)
    {
        _steps.Angles.Reserve(batch.LongestSegment);
        if (_activations is null || _activations.Tokens < batch.Tokens.Length)
        {
            _activations?.Dispose();
            _activations = new Activations(Config, batch.Tokens.Length, keepAll: !Options.ActivationCheckpointing);
        }

        return _activations;
    }
}
