namespace Llama2;

/// <summary>The tokenizer inside a GGUF file.</summary>
internal static class GgufVocabulary
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>Reads the vocabulary, or returns null where the file has none.</summary>
    public static LlamaTokenizer? Read(GgufMetadata metadata, LlamaConfig config)
    {
        string? model = metadata.Text(Prefix + "model");
        if (model is null or "no_vocab" or "none")
        {
            return null;
        }

        if (model != "llama")
        {
            throw metadata.Fault(Prefix + "model", $"'{model}'", "'llama' (SentencePiece BPE)");
        }

        string[] pieces = metadata.RequiredTexts(Prefix + "tokens", config.VocabularySize);
        float[] scores = metadata.RequiredSingles(Prefix + "scores", config.VocabularySize);
        int[] kinds = metadata.RequiredInt32s(Prefix + "token_type", config.VocabularySize);
        var entries = new VocabularyEntry[pieces.Length];
        for (int id = 0; id < entries.Length; id++)
        {
            if (kinds[id] is < (int)TokenKind.Normal or > (int)TokenKind.Byte)
            {
                throw metadata.Fault(Prefix + "token_type", $"{kinds[id]} for id {id}", "a type from 1 to 6");
            }

            if (float.IsNaN(scores[id]))
            {
                throw metadata.Fault(Prefix + "scores", $"not a number for id {id}", "a score");
            }

            entries[id] = new(pieces[id], scores[id], (TokenKind)kinds[id]);
        }

        int unknown = metadata.Int32(Prefix + "unknown_token_id") ?? 0;
        if (unknown >= entries.Length)
        {
            throw metadata.Fault(Prefix + "unknown_token_id", $"{unknown}", $"an id below {entries.Length}");
        }

        return new(entries, config.BeginOfTextId, config.EndOfTextIds[0], unknown, metadata.Flag(Prefix + "add_space_prefix") ?? true, metadata.File);
    }

    /// <summary>The ids that end a sequence: end of text, of a turn, of a message. Without any, the family's default.</summary>
    public static int[] EndOfTextIds(GgufMetadata metadata) =>
        [.. new[] { metadata.Int32(Prefix + "eos_token_id") ?? 2, metadata.Int32(Prefix + "eot_token_id"), metadata.Int32(Prefix + "eom_token_id") }
            .OfType<int>().Distinct()];

    public static int BeginOfTextId(GgufMetadata metadata) => metadata.Int32(Prefix + "bos_token_id") ?? 1;

    /// <summary>The number of tokens; null where the file has none.</summary>
    public static int? Count(GgufMetadata metadata) => metadata.ArrayLength(Prefix + "tokens");
}
