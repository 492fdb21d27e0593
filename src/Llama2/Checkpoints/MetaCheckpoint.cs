using System.Globalization;

namespace Llama2;

/// <summary>A folder as Meta hands it out: <c>params.json</c>, <c>consolidated.00.pth</c> and its further parts, <c>tokenizer.model</c>.</summary>
/// <remarks>
/// A model of several parts has its matrices cut by rows or by columns, one piece in each part; which of the two the shapes tell.
/// Query and key rows stand in interleaved rotary order and are read in Hugging Face's.
/// </remarks>
internal sealed class MetaCheckpoint : Checkpoint
{
    public const string ParametersName = "params.json";
    private const int ContextLength = 4096;                     // params.json does not name it; this is Llama 2's
    private const int MaxParameterBytes = 1 << 16;
    private const int MaxParts = 64;

    private readonly Dictionary<string, CheckpointTensor> _tensors = [];
    private readonly List<MappedFile> _files = [];

    public MetaCheckpoint(string folder)
    {
        Path = folder;
        string parameters = System.IO.Path.Combine(folder, ParametersName);
        try
        {
            TorchArchive[] parts = [.. FindParts(folder).Select(OpenPart)];
            Config = ConfigFields.ReadFile(parameters, MaxParameterBytes, fields => ReadConfig(fields, parts));
            Config.Validate(parameters);
            RequireAll(_files[0].Path, TensorNames.Required(Config), name => parts[0].Contains(MetaName(name)));
            foreach ((string name, int rows, int columns) in TensorNames.Required(Config))
            {
                _tensors.Add(name, OpenTensor(parts, name, rows, columns));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public override string Path { get; }

    public override string Layout => "Meta";

    public override LlamaConfig Config { get; }

    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <summary>Meta's download keeps one tokenizer beside the folders of its models.</summary>
    public override LlamaTokenizer? LoadTokenizer()
    {
        string? parent = System.IO.Path.GetDirectoryName(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(Path)));
        return LoadTokenizer(Path) ?? (parent is null ? null : LoadTokenizer(parent));
    }

    protected override void Dispose(bool disposing)
    {
        _files.ForEach(file => file.Dispose());
        base.Dispose(disposing);
    }

    /// <summary>The name that Meta gives a tensor.</summary>
    internal static string MetaName(string name)
    {
        if (!name.StartsWith("model.layers.", StringComparison.Ordinal))
        {
            return name switch
            {
                TensorNames.Embedding => "tok_embeddings.weight",
                TensorNames.OutputNorm => "norm.weight",
                _ => "output.weight",
            };
        }

        string[] segments = name.Split('.', 4);                  // model, layers, the number, the rest
        string rest = segments[3] switch
        {
            "input_layernorm.weight" => "attention_norm.weight",
            "self_attn.q_proj.weight" => "attention.wq.weight",
            "self_attn.k_proj.weight" => "attention.wk.weight",
            "self_attn.v_proj.weight" => "attention.wv.weight",
            "self_attn.o_proj.weight" => "attention.wo.weight",
            "post_attention_layernorm.weight" => "ffn_norm.weight",
            "mlp.gate_proj.weight" => "feed_forward.w1.weight",
            "mlp.up_proj.weight" => "feed_forward.w3.weight",
            _ => "feed_forward.w2.weight",
        };
        return $"layers.{segments[2]}.{rest}";
    }

    private static string[] FindParts(string folder)
    {
        string[] parts = [.. Directory.EnumerateFiles(folder, "consolidated.*.pth").Order(StringComparer.Ordinal).Take(MaxParts + 1)];
        for (int i = 0; i < parts.Length; i++)
        {
            string expected = string.Create(CultureInfo.InvariantCulture, $"consolidated.{i:00}.pth");
            if (System.IO.Path.GetFileName(parts[i]) != expected || i == MaxParts)
            {
                throw new CheckpointException(folder, "parts", $"'{System.IO.Path.GetFileName(parts[i])}'", $"'{expected}', and at most {MaxParts} in all");
            }
        }

        return parts.Length > 0 ? parts : throw new CheckpointException(folder, "weights", "none", "consolidated.00.pth");
    }

    private TorchArchive OpenPart(string path)
    {
        var file = new MappedFile(path);
        _files.Add(file);
        return new TorchArchive(file);
    }

    /// <summary>
    /// Takes the feed-forward width, and the vocabulary where the file says −1, from the tensors themselves; <c>multiple_of</c> and
    /// <c>ffn_dim_multiplier</c> only say how that width once came about.
    /// </summary>
    private static LlamaConfig ReadConfig(ConfigFields fields, TorchArchive[] parts)
    {
        int hidden = fields.RequiredInt32("dim"), heads = fields.RequiredInt32("n_heads"), vocabulary = fields.Int32("vocab_size") ?? -1;
        if (heads < 1 || hidden % heads != 0)
        {
            throw fields.Error("n_heads", $"{heads}", $"a divisor of dim ({hidden})");
        }

        if (fields.Boolean("use_scaled_rope") == true)
        {
            throw fields.Error("use_scaled_rope", "true", "false: that scaling is not Llama 2's");
        }

        MappedTensor embedding = parts[0].Open(MetaName(TensorNames.Embedding), TensorNames.Embedding);
        MappedTensor gate = parts[0].Open(MetaName(TensorNames.Gate(0)), TensorNames.Gate(0));
        long embeddingRows = embedding.Columns == hidden ? (long)embedding.Rows * parts.Length : embedding.Rows;
        return new LlamaConfig
        {
            HiddenSize = hidden,
            IntermediateSize = (int)Math.Min(int.MaxValue, (long)gate.Rows * parts.Length),
            LayerCount = fields.RequiredInt32("n_layers"),
            HeadCount = heads,
            KeyValueHeadCount = fields.Int32("n_kv_heads") ?? heads,
            HeadSize = hidden / heads,
            VocabularySize = vocabulary == -1 ? (int)Math.Min(int.MaxValue, embeddingRows) : vocabulary,
            ContextLength = ContextLength,
            RmsNormEpsilon = fields.Single("norm_eps") ?? throw fields.Error("norm_eps", "nothing", "a number"),
            RopeTheta = fields.Single("rope_theta") ?? 10_000f,
        };
    }

    private CheckpointTensor OpenTensor(TorchArchive[] parts, string name, int rows, int columns)
    {
        bool turned = name.EndsWith("q_proj.weight", StringComparison.Ordinal) || name.EndsWith("k_proj.weight", StringComparison.Ordinal);
        int headSize = turned ? Config.HeadSize : 0;
        MappedTensor first = parts[0].Open(MetaName(name), name, headSize);
        if ((first.Rows, first.Columns) == (rows, columns))
        {
            return first;                                        // a single part, or a norm, which every part repeats
        }

        bool byRows = (long)first.Rows * parts.Length == rows && first.Columns == columns;
        if (!byRows && !(first.Rows == rows && (long)first.Columns * parts.Length == columns))
        {
            throw new CheckpointException(
                _files[0].Path, $"tensor '{MetaName(name)}'", $"shape [{first.Rows}, {first.Columns}]",
                $"[{rows}, {columns}], or one of {parts.Length} equal pieces of it");
        }

        MappedTensor[] pieces = Array.ConvertAll(parts, part => part.Open(MetaName(name), name));
        for (int i = 0; i < pieces.Length; i++)
        {
            if ((pieces[i].Format, pieces[i].Rows, pieces[i].Columns) != (first.Format, first.Rows, first.Columns))
            {
                throw new CheckpointException(
                    _files[i].Path, $"tensor '{MetaName(name)}'", $"{pieces[i].Format} [{pieces[i].Rows}, {pieces[i].Columns}]",
                    $"{first.Format} [{first.Rows}, {first.Columns}], as in the first part");
            }
        }

        return new AssembledTensor(name, rows, columns, pieces, byRows, headSize);
    }

    /// <summary>A matrix of equal pieces, one below the other or side by side.</summary>
    private sealed class AssembledTensor(string name, int rows, int columns, MappedTensor[] pieces, bool byRows, int interleavedHeadSize)
        : CheckpointTensor(name, pieces[0].Format, rows, columns)
    {
        public override void ReadRow(int row, Span<byte> destination)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(row);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
            int stored = RotaryOrder.StoredRow(row, interleavedHeadSize);
            if (byRows)
            {
                (int piece, int pieceRow) = Math.DivRem(stored, pieces[0].Rows);
                pieces[piece].ReadRow(pieceRow, destination);
                return;
            }

            for (int piece = 0; piece < pieces.Length; piece++)
            {
                pieces[piece].ReadRow(stored, destination[(piece * pieces[0].RowBytes)..]);
            }
        }
    }
}
