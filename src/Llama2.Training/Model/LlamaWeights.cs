namespace Llama2.Training;

/// <summary>The weights of a model as its steps use them: all trained, or frozen with adapters beside them.</summary>
internal sealed unsafe class LlamaWeights : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private FrozenMatrix? _frozenEmbedding;
    private float* _embedding;
    private int _hidden;

    private LlamaWeights(ParameterStore trained)
    {
        Trained = trained;
        _owned.Add(trained);
    }

    public ParameterStore Trained { get; }

    public IReadOnlyList<Block> Blocks { get; private init; } = [];

    public NormWeight OutputNorm { get; private set; }

    public Linear Head { get; private set; } = null!;

    /// <summary>[vocabulary, hidden], or null where the embedding is frozen.</summary>
    public float* EmbeddingGradient { get; private set; }

    public static LlamaWeights CreateTrained(LlamaConfig config)
    {
        var store = new ParameterStore(TensorNames.Required(config));
        int hidden = config.HiddenSize, ffn = config.IntermediateSize, queries = config.HeadCount * config.HeadSize;
        int keys = config.KeyValueHeadCount * config.HeadSize;
        string head = config.TieWordEmbeddings ? TensorNames.Embedding : TensorNames.Head;
        return new LlamaWeights(store)
        {
            _embedding = store.Value(TensorNames.Embedding),
            _hidden = hidden,
            EmbeddingGradient = store.Gradient(TensorNames.Embedding),
            OutputNorm = Norm(TensorNames.OutputNorm),
            Head = Matrix(head, hidden, config.VocabularySize),
            Blocks = [.. Enumerable.Range(0, config.LayerCount).Select(layer => new Block(
                config,
                Norm(TensorNames.AttentionNorm(layer)),
                Matrix(TensorNames.Query(layer), hidden, queries + 2 * keys),         // keys and values follow in the store
                Matrix(TensorNames.AttentionOutput(layer), queries, hidden),
                Norm(TensorNames.FeedForwardNorm(layer)),
                Matrix(TensorNames.Gate(layer), hidden, 2 * ffn),                     // up follows
                Matrix(TensorNames.Down(layer), ffn, hidden)))],
        };

        NormWeight Norm(string name) => new(store.Value(name), store.Gradient(name));

        TrainedLinear Matrix(string first, int inputs, int outputs) => new(inputs, outputs, store.Value(first), store.Gradient(first));
    }

    public static LlamaWeights CreateAdapted(Checkpoint source, WeightFormat format, LoraOptions lora, int seed)
    {
        LlamaConfig config = source.Config;
        RequireBlocks(config, format);
        var store = new ParameterStore(LoraNames.Shapes(config, lora));
        LoraInitialization.Fill(store, seed);
        var scratch = new ScratchMemory();
        var loraScratch = new LoraScratch();
        var owned = new List<IDisposable> { scratch, loraScratch };
        FrozenMatrix embedding = Frozen(TensorNames.Embedding);
        var weights = new LlamaWeights(store)
        {
            _frozenEmbedding = embedding,
            OutputNorm = Norm(TensorNames.OutputNorm),
            Head = new FrozenLinear(config.TieWordEmbeddings ? embedding : Frozen(TensorNames.Head)),
            Blocks = [.. Enumerable.Range(0, config.LayerCount).Select(layer => new Block(
                config,
                Norm(TensorNames.AttentionNorm(layer)),
                Adapted(TensorNames.Query(layer), TensorNames.Key(layer), TensorNames.Value(layer)),
                Adapted(TensorNames.AttentionOutput(layer)),
                Norm(TensorNames.FeedForwardNorm(layer)),
                Adapted(TensorNames.Gate(layer), TensorNames.Up(layer)),
                Adapted(TensorNames.Down(layer))))],
        };
        weights._owned.AddRange(owned);
        return weights;

        NormWeight Norm(string name)
        {
            var memory = new AlignedMemory((long)config.HiddenSize * sizeof(float));
            owned.Add(memory);
            source.Tensors[name].ReadRow(0, new Span<float>(memory.Floats, config.HiddenSize));
            return new(memory.Floats, null);
        }

        FrozenMatrix Frozen(params string[] names)
        {
            var matrix = new FrozenMatrix([.. names.Select(name => source.Tensors[name])], format, scratch);
            owned.Add(matrix);
            return matrix;
        }

        Linear Adapted(params string[] names)
        {
            var inner = new FrozenLinear(Frozen(names));
            var pairs = new List<LoraPair>();
            int column = 0;
            foreach (string name in names)
            {
                int outputs = source.Tensors[name].Rows;
                if (lora.TargetModules.Contains(LoraNames.Module(name)))
                {
                    Parameter a = store[LoraNames.A(name)], b = store[LoraNames.B(name)];
                    pairs.Add(new(Key: (ulong)a.Offset + 1, column, outputs, a, b));
                }

                column += outputs;
            }

            return pairs.Count == 0 ? inner : new LoraLinear(inner, lora, pairs, store, loraScratch);
        }
    }

    public void ReadEmbedding(int token, Span<float> destination)
    {
        if (_frozenEmbedding is { } frozen)
        {
            frozen.ReadRow(token, destination);
        }
        else
        {
            new ReadOnlySpan<float>(_embedding + (nint)token * _hidden, _hidden).CopyTo(destination);
        }
    }

    public void Dispose() => _owned.ForEach(owned => owned.Dispose());

    private static void RequireBlocks(LlamaConfig config, WeightFormat format)
    {
        int[] widths = [config.HiddenSize, config.IntermediateSize, config.HeadCount * config.HeadSize];
        if (widths.Any(width => width % format.BlockLength() != 0))
        {
            throw new ArgumentException($"Rows of {string.Join(", ", widths)} are no whole number of {format} blocks of {format.BlockLength()}.", nameof(format));
        }
    }
}
