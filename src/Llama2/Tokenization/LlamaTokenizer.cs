namespace Llama2;

/// <summary>The SentencePiece BPE tokenizer of a Llama model. Immutable and thread-safe.</summary>
public sealed class LlamaTokenizer
{
    internal LlamaTokenizer(IReadOnlyList<VocabularyEntry> vocabulary, int beginOfTextId, int endOfTextId, int unknownId, bool addDummyPrefix = true) =>
        (Vocabulary, BeginOfTextId, EndOfTextId, UnknownId, AddDummyPrefix) = (vocabulary, beginOfTextId, endOfTextId, unknownId, addDummyPrefix);

    /// <summary>Gets the number of ids.</summary>
    public int VocabularySize => Vocabulary.Count;

    /// <summary>Gets the id that begins a sequence (<c>&lt;s&gt;</c>).</summary>
    public int BeginOfTextId { get; }

    /// <summary>Gets the id that ends a sequence (<c>&lt;/s&gt;</c>).</summary>
    public int EndOfTextId { get; }

    /// <summary>Gets the id of what cannot be encoded.</summary>
    public int UnknownId { get; }

    internal bool AddDummyPrefix { get; }

    internal IReadOnlyList<VocabularyEntry> Vocabulary { get; }

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="path">A <c>tokenizer.model</c>, <c>tokenizer.json</c> or <c>.gguf</c> file, or a folder that holds one of the first two.</param>
    /// <exception cref="FileNotFoundException">Nothing is there.</exception>
    /// <exception cref="CheckpointException">What is there is damaged or no Llama tokenizer.</exception>
    public static LlamaTokenizer Load(string path) => throw new NotImplementedException();

    /// <summary>Encodes a text as sentencepiece does: a dummy prefix, no control tokens, never beginning or end of text.</summary>
    /// <param name="text">Any text; a lone surrogate counts as U+FFFD.</param>
    public int[] Encode(ReadOnlySpan<char> text) => throw new NotImplementedException();

    /// <summary>Encodes UTF-8 bytes; invalid sequences count as U+FFFD, the way sentencepiece counts them.</summary>
    /// <param name="utf8">Any bytes.</param>
    public int[] EncodeUtf8(ReadOnlySpan<byte> utf8) => throw new NotImplementedException();

    /// <summary>Counts the ids that <see cref="Encode"/> would return.</summary>
    /// <param name="text">Any text.</param>
    public int CountTokens(ReadOnlySpan<char> text) => throw new NotImplementedException();

    /// <summary>Decodes a whole sequence as sentencepiece does: control tokens vanish and one leading space is dropped.</summary>
    /// <param name="ids">Ids below <see cref="VocabularySize"/>.</param>
    public string Decode(ReadOnlySpan<int> ids) => throw new NotImplementedException();

    /// <summary>Gets the bytes that an id adds to a text, before any leading space is dropped; empty for control tokens.</summary>
    /// <param name="id">An id below <see cref="VocabularySize"/>.</param>
    public ReadOnlySpan<byte> GetBytes(int id) => throw new NotImplementedException();

    /// <summary>Gets the piece as the vocabulary spells it, such as <c>▁Hello</c> or <c>&lt;0x0A&gt;</c>.</summary>
    /// <param name="id">An id below <see cref="VocabularySize"/>.</param>
    public string GetPiece(int id) => Vocabulary[id].Piece;

    /// <summary>Starts decoding a stream of ids.</summary>
    /// <param name="dropLeadingSpace">Whether the first piece loses its leading space, as at the beginning of a text.</param>
    public StreamingDecoder CreateDecoder(bool dropLeadingSpace = true) => throw new NotImplementedException();
}
