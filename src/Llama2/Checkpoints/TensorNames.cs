namespace Llama2;

/// <summary>The Hugging Face names of a Llama model's tensors, under which every checkpoint format hands them out.</summary>
internal static class TensorNames
{
    public const string Embedding = "model.embed_tokens.weight";         // [vocabulary, hidden]
    public const string OutputNorm = "model.norm.weight";                // [hidden]
    public const string Head = "lm_head.weight";                         // [vocabulary, hidden]; absent where it is the embedding

    public static string AttentionNorm(int layer) => $"model.layers.{layer}.input_layernorm.weight";

    public static string Query(int layer) => $"model.layers.{layer}.self_attn.q_proj.weight";               // [heads · headSize, hidden]

    public static string Key(int layer) => $"model.layers.{layer}.self_attn.k_proj.weight";                 // [kvHeads · headSize, hidden]

    public static string Value(int layer) => $"model.layers.{layer}.self_attn.v_proj.weight";               // [kvHeads · headSize, hidden]

    public static string AttentionOutput(int layer) => $"model.layers.{layer}.self_attn.o_proj.weight";     // [hidden, heads · headSize]

    public static string FeedForwardNorm(int layer) => $"model.layers.{layer}.post_attention_layernorm.weight";

    public static string Gate(int layer) => $"model.layers.{layer}.mlp.gate_proj.weight";                   // [ffn, hidden]

    public static string Up(int layer) => $"model.layers.{layer}.mlp.up_proj.weight";                       // [ffn, hidden]

    public static string Down(int layer) => $"model.layers.{layer}.mlp.down_proj.weight";                   // [hidden, ffn]

    /// <summary>Every tensor that a model of this shape must have, with its rows and columns; a vector has one row.</summary>
    public static IEnumerable<(string Name, int Rows, int Columns)> Required(LlamaConfig config)
    {
        int queries = config.HeadCount * config.HeadSize, keys = config.KeyValueHeadCount * config.HeadSize;
        yield return (Embedding, config.VocabularySize, config.HiddenSize);
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            yield return (AttentionNorm(layer), 1, config.HiddenSize);
            yield return (Query(layer), queries, config.HiddenSize);
            yield return (Key(layer), keys, config.HiddenSize);
            yield return (Value(layer), keys, config.HiddenSize);
            yield return (AttentionOutput(layer), config.HiddenSize, queries);
            yield return (FeedForwardNorm(layer), 1, config.HiddenSize);
            yield return (Gate(layer), config.IntermediateSize, config.HiddenSize);
            yield return (Up(layer), config.IntermediateSize, config.HiddenSize);
            yield return (Down(layer), config.HiddenSize, config.IntermediateSize);
        }

        yield return (OutputNorm, 1, config.HiddenSize);
        if (!config.TieWordEmbeddings)
        {
            yield return (Head, config.VocabularySize, config.HiddenSize);
        }
    }
}
