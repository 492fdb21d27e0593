namespace Llama2;

/// <summary>A GGUF file of architecture <c>llama</c>, version 2 or 3, little endian.</summary>
internal sealed class GgufCheckpoint : Checkpoint
{
    private readonly MappedFile _file;
    private readonly GgufHeader _header;
    private readonly Dictionary<string, CheckpointTensor> _tensors;

    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">The file is damaged, of another architecture, or holds what we cannot run.</exception>
    public GgufCheckpoint(string path)
    {
        _file = new MappedFile(path);
        try
        {
            _header = new GgufHeader(_file);
            Config = ReadConfig(_header, path);
            _tensors = ReadTensors();
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public override string Path => _file.Path;

    public override string Layout => $"GGUF v{_header.Version}";

    public override LlamaConfig Config { get; }

    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    public override LlamaTokenizer? LoadTokenizer() => GgufVocabulary.Read(_header.Metadata, Config);

    protected override void Dispose(bool disposing)
    {
        _file.Dispose();
        base.Dispose(disposing);
    }

    private static LlamaConfig ReadConfig(GgufHeader header, string path)
    {
        GgufMetadata metadata = header.Metadata;
        string architecture = metadata.Text("general.architecture") ?? "nothing";
        if (architecture != "llama")
        {
            throw metadata.Fault("general.architecture", $"'{architecture}'", "'llama'");
        }

        if (metadata.Int32("llama.expert_count") > 0)
        {
            throw metadata.Fault("llama.expert_count", $"{metadata.Int32("llama.expert_count")}", "a model without a mixture of experts");
        }

        int layers = metadata.RequiredInt32("llama.block_count");
        int hidden = metadata.RequiredInt32("llama.embedding_length");
        int heads = metadata.Uniform("llama.attention.head_count", layers) ?? throw metadata.Fault("llama.attention.head_count", "nothing", "the key");
        int headSize = metadata.Int32("llama.attention.key_length") ?? (heads > 0 && hidden % heads == 0
            ? hidden / heads
            : throw metadata.Fault("llama.attention.head_count", $"{heads}", $"a divisor of llama.embedding_length ({hidden})"));
        RequireHeadSize("llama.attention.value_length");
        RequireHeadSize("llama.rope.dimension_count");
        var config = new LlamaConfig
        {
            HiddenSize = hidden,
            IntermediateSize = metadata.Uniform("llama.feed_forward_length", layers) ?? metadata.RequiredInt32("llama.feed_forward_length"),
            LayerCount = layers,
            HeadCount = heads,
            KeyValueHeadCount = metadata.Uniform("llama.attention.head_count_kv", layers) ?? heads,
            HeadSize = headSize,
            VocabularySize = VocabularySize(header),
            ContextLength = metadata.RequiredInt32("llama.context_length"),
            RmsNormEpsilon = metadata.RequiredSingle("llama.attention.layer_norm_rms_epsilon"),
            RopeTheta = metadata.Single("llama.rope.freq_base") ?? 10_000f,
            RopeScaling = ReadRopeScaling(metadata),
            TieWordEmbeddings = !header.Tensors.ContainsKey(GgufNames.ToGguf(TensorNames.Head)),
            BeginOfTextId = GgufVocabulary.BeginOfTextId(metadata),
            EndOfTextIds = GgufVocabulary.EndOfTextIds(metadata),
        };
        config.Validate(path);
        return config;

        void RequireHeadSize(string key)
        {
            if ((metadata.Int32(key) ?? headSize) != headSize)
            {
                throw metadata.Fault(key, $"{metadata.Int32(key)}", $"the size of a head, {headSize}");
            }
        }
    }

    /// <summary>The number that the file names, else its tokens, else the rows of its embedding.</summary>
    private static int VocabularySize(GgufHeader header) =>
        header.Metadata.Int32("llama.vocab_size")
        ?? GgufVocabulary.Count(header.Metadata)
        ?? (header.Tensors.TryGetValue(GgufNames.ToGguf(TensorNames.Embedding), out GgufTensorInfo embedding) ? embedding.Rows : 0);

    private static RopeScaling? ReadRopeScaling(GgufMetadata metadata)
    {
        string type = metadata.Text("llama.rope.scaling.type") ?? "linear";                // the format's own default
        float factor = metadata.Single("llama.rope.scaling.factor") ?? metadata.Single("llama.rope.scale_linear") ?? 0;
        return type switch
        {
            "none" => null,
            "linear" => factor == 0 ? null : new(RopeScalingKind.Linear, factor),          // 0 stands for "not scaled"
            _ => throw metadata.Fault("llama.rope.scaling.type", $"'{type}'", "'none' or 'linear'"),
        };
    }

    private Dictionary<string, CheckpointTensor> ReadTensors()
    {
        var tensors = new Dictionary<string, CheckpointTensor>();
        var known = new HashSet<string>();
        foreach ((string name, int rows, int columns) in TensorNames.Required(Config))
        {
            string stored = GgufNames.ToGguf(name);
            if (!_header.Tensors.TryGetValue(stored, out GgufTensorInfo info))
            {
                throw new CheckpointException(Path, $"tensor '{stored}'", "nothing", $"{rows} × {columns}");
            }

            if (info.Rows != rows || info.Columns != columns)
            {
                throw new CheckpointException(Path, $"tensor '{stored}'", $"{info.Rows} × {info.Columns}", $"{rows} × {columns} (rows × columns)");
            }

            known.Add(stored);
            tensors.Add(name, new MappedTensor(name, info.Format, rows, columns, _file, info.Offset, GgufNames.IsRotary(stored) ? Config.HeadSize : 0));
        }

        foreach (GgufTensorInfo info in _header.Tensors.Values.Where(info => !known.Contains(info.Name) && !GgufNames.IsObsolete(info.Name)))
        {
            CheckExtra(info);
        }

        return tensors;
    }

    /// <summary>A tensor beyond a Llama model's changes what the model computes, so it is refused; factors of the rotary embedding may be 1.</summary>
    private void CheckExtra(GgufTensorInfo info)
    {
        if (info.Name != GgufNames.RotaryFrequencies)
        {
            throw new CheckpointException(Path, $"tensor '{info.Name}'", "a tensor that a Llama-2 model does not have", "only those that it has");
        }

        if (info.Rows != 1 || info.Columns != Config.HeadSize / 2)
        {
            throw new CheckpointException(Path, $"tensor '{info.Name}'", $"{info.Rows} × {info.Columns}", $"1 × {Config.HeadSize / 2} (rows × columns)");
        }

        float[] factors = new float[info.Columns];
        new MappedTensor(info.Name, info.Format, info.Rows, info.Columns, _file, info.Offset).ReadRow(0, factors);
        if (Array.Exists(factors, factor => factor != 1))
        {
            throw new CheckpointException(Path, $"tensor '{info.Name}'", "rotary frequencies that are scaled one by one", "factors of 1");
        }
    }
}
