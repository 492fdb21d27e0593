namespace Llama2;

/// <summary>The shape of a Llama model, from <c>config.json</c>, GGUF metadata or <c>params.json</c>.</summary>
/// <remarks>Immutable. Every instance that a checkpoint hands out has passed <see cref="Validate"/>.</remarks>
public sealed record LlamaConfig
{
    /// <summary>Gets the width of the residual stream (<c>hidden_size</c>; 4096 for 7B).</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Gets the width of the feed-forward layer (<c>intermediate_size</c>; 11008 for 7B).</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Gets the number of transformer blocks (<c>num_hidden_layers</c>).</summary>
    public required int LayerCount { get; init; }

    /// <summary>Gets the number of query heads (<c>num_attention_heads</c>).</summary>
    public required int HeadCount { get; init; }

    /// <summary>Gets the number of key and value heads (<c>num_key_value_heads</c>); divides <see cref="HeadCount"/>.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Gets the width of one head (<c>head_dim</c>, by default hidden size ÷ heads); even, since the rotary embedding turns pairs.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Gets the number of tokens (<c>vocab_size</c>).</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Gets the trained context length in tokens (<c>max_position_embeddings</c>).</summary>
    public required int ContextLength { get; init; }

    /// <summary>Gets the ε inside the root of RMSNorm.</summary>
    public required float RmsNormEpsilon { get; init; }

    /// <summary>Gets the base of the rotary embedding. The format's own default is 10 000.</summary>
    public float RopeTheta { get; init; } = 10_000f;

    /// <summary>Gets how positions beyond the trained context are scaled, or <see langword="null"/> for not at all.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>Gets a value indicating whether the output head is the embedding matrix.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Gets the id that begins a sequence. The family's default is 1.</summary>
    public int BeginOfTextId { get; init; } = 1;

    /// <summary>Gets the ids that end a sequence. The family's default is 2.</summary>
    public IReadOnlyList<int> EndOfTextIds { get; init; } = [2];

    /// <summary>Gets the number of parameters; a tied head counts once.</summary>
    public long ParameterCount
    {
        get
        {
            long attention = 2L * HiddenSize * HeadCount * HeadSize + 2L * HiddenSize * KeyValueHeadCount * HeadSize;
            long feedForward = 3L * HiddenSize * IntermediateSize;
            long embeddings = (TieWordEmbeddings ? 1L : 2L) * VocabularySize * HiddenSize;
            return embeddings + HiddenSize + LayerCount * (attention + feedForward + 2L * HiddenSize);
        }
    }

    /// <summary>Checks every number against the others.</summary>
    /// <param name="source">The file that the numbers come from, for the message.</param>
    /// <exception cref="CheckpointException">A number is out of range or contradicts another.</exception>
    public void Validate(string source)
    {
        Positive(HiddenSize, "hidden_size", 1 << 20);
        Positive(IntermediateSize, "intermediate_size", 1 << 22);
        Positive(LayerCount, "num_hidden_layers", 1 << 12);
        Positive(HeadCount, "num_attention_heads", 1 << 14);
        Positive(KeyValueHeadCount, "num_key_value_heads", HeadCount);
        Positive(HeadSize, "head_dim", 1 << 14);
        Positive(VocabularySize, "vocab_size", 1 << 24);
        Positive(ContextLength, "max_position_embeddings", 1 << 26);
        Require(HeadCount % KeyValueHeadCount == 0, "num_key_value_heads", $"{KeyValueHeadCount}", $"a divisor of num_attention_heads ({HeadCount})");
        Require(HeadSize % 2 == 0, "head_dim", $"{HeadSize}", "an even number");
        Require((long)HeadCount * HeadSize <= 1 << 20, "head_dim", $"{HeadCount} heads × {HeadSize}", "at most 1,048,576 in all");
        Require(RmsNormEpsilon is >= 0 and < 1, "rms_norm_eps", $"{RmsNormEpsilon}", "a number from 0 to 1");
        Require(RopeTheta is > 0 and < 1e12f, "rope_theta", $"{RopeTheta}", "a positive number");
        Require(RopeScaling is null || RopeScaling.Factor is >= 1 and < 1e6f, "rope_scaling.factor", $"{RopeScaling?.Factor}", "a number of at least 1");
        Require(BeginOfTextId >= 0 && BeginOfTextId < VocabularySize, "bos_token_id", $"{BeginOfTextId}", $"an id below {VocabularySize}");
        Require(EndOfTextIds.All(id => id >= 0 && id < VocabularySize), "eos_token_id", string.Join(", ", EndOfTextIds), $"ids below {VocabularySize}");

        void Positive(int value, string field, int most) => Require(value >= 1 && value <= most, field, $"{value}", $"a number from 1 to {most}");

        void Require(bool holds, string field, string found, string expected)
        {
            if (!holds)
            {
                throw new CheckpointException(source, field, found, expected);
            }
        }
    }
}
