using System.Globalization;

namespace Llama2;

/// <summary>Says in GGUF's keys what a checkpoint is: shape, rotary embedding, vocabulary.</summary>
internal static class GgufMetadataWriter
{
    /// <summary>The keys of ids that end a text: of a sequence, a turn, a message. llama.cpp ends at each of them.</summary>
    private static readonly string[] _endKeys = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

    /// <summary>Adds every key.</summary>
    /// <exception cref="NotSupportedException">The model has what the keys cannot say.</exception>
    /// <exception cref="CheckpointException">The tokenizer has more ids than the model.</exception>
    public static void Write(GgufHeaderWriter header, Checkpoint checkpoint, WeightFormat format)
    {
        LlamaConfig config = checkpoint.Config;
        header.Add("general.architecture", "llama");
        header.Add("general.name", Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(checkpoint.Path)));
        header.Add("general.file_type", GgufNames.FileType(format));
        if (format.BlockLength() > 1)
        {
            header.Add("general.quantization_version", 2);                                 // the layout of today's blocks
        }

        header.Add("llama.vocab_size", config.VocabularySize);
        header.Add("llama.context_length", config.ContextLength);
        header.Add("llama.embedding_length", config.HiddenSize);
        header.Add("llama.block_count", config.LayerCount);
        header.Add("llama.feed_forward_length", config.IntermediateSize);
        header.Add("llama.attention.head_count", config.HeadCount);
        header.Add("llama.attention.head_count_kv", config.KeyValueHeadCount);
        header.Add("llama.attention.key_length", config.HeadSize);
        header.Add("llama.attention.value_length", config.HeadSize);
        header.Add("llama.attention.layer_norm_rms_epsilon", config.RmsNormEpsilon);
        header.Add("llama.rope.dimension_count", config.HeadSize);
        header.Add("llama.rope.freq_base", config.RopeTheta);
        switch (config.RopeScaling)
        {
            case null:
                break;
            case { Kind: RopeScalingKind.Linear, Factor: float factor }:
                header.Add("llama.rope.scaling.type", "linear");
                header.Add("llama.rope.scaling.factor", factor);
                break;
            default:
                throw new NotSupportedException($"GGUF has no key for {config.RopeScaling.Kind} rope scaling of a Llama model; use another layout.");
        }

        WriteVocabulary(header, checkpoint);
    }

    private static void WriteVocabulary(GgufHeaderWriter header, Checkpoint checkpoint)
    {
        LlamaConfig config = checkpoint.Config;
        LlamaTokenizer? tokenizer = checkpoint.LoadTokenizer();
        if (tokenizer is null)
        {
            header.Add("tokenizer.ggml.model", "no_vocab");
        }
        else
        {
            IReadOnlyList<VocabularyEntry> entries = Pad(tokenizer.Vocabulary, checkpoint);
            header.Add("tokenizer.ggml.model", "llama");
            header.Add("tokenizer.ggml.pre", "default");
            header.Add("tokenizer.ggml.tokens", entries.Select(entry => entry.Piece).ToArray());
            header.Add("tokenizer.ggml.scores", entries.Select(entry => entry.Score).ToArray());
            header.Add("tokenizer.ggml.token_type", entries.Select(entry => (int)entry.Kind).ToArray());
            header.Add("tokenizer.ggml.unknown_token_id", tokenizer.UnknownId);
            header.Add("tokenizer.ggml.add_bos_token", true);
            header.Add("tokenizer.ggml.add_eos_token", false);
            header.Add("tokenizer.ggml.add_space_prefix", tokenizer.AddDummyPrefix);
        }

        header.Add("tokenizer.ggml.bos_token_id", config.BeginOfTextId);
        if (config.EndOfTextIds.Count is < 1 or > 3)
        {
            throw new NotSupportedException($"The model has {config.EndOfTextIds.Count} ids that end a text; GGUF has keys for one to three.");
        }

        foreach ((string key, int id) in _endKeys.Zip(config.EndOfTextIds))
        {
            header.Add(key, id);
        }
    }

    /// <summary>Gives every row of the embedding a piece, as llama.cpp wants it.</summary>
    private static IReadOnlyList<VocabularyEntry> Pad(IReadOnlyList<VocabularyEntry> entries, Checkpoint checkpoint)
    {
        int size = checkpoint.Config.VocabularySize;
        if (entries.Count > size)
        {
            throw new CheckpointException(checkpoint.Path, "tokenizer", $"{entries.Count} ids", $"at most the model's {size}");
        }

        return [.. entries, .. Enumerable.Range(entries.Count, size - entries.Count).Select(id =>
            new VocabularyEntry(string.Create(CultureInfo.InvariantCulture, $"[PAD{id}]"), 0, TokenKind.Unused))];
    }
}
