using System.Text;

namespace Llama2;

/// <summary>The SentencePiece BPE tokenizer of a Llama model. Immutable and thread-safe.</summary>
public sealed class LlamaTokenizer
{
    internal const char Space = '\u2581';                  // ▁, which pieces spell a space with
    internal const string DefaultUnknownText = " ⁇ ";
    internal const int MaximumVocabularySize = 1 << 22;

    private readonly BytePairEncoder _encoder;
    private readonly byte[] _bytes;                        // what every id adds to a text, one after the other
    private readonly int[] _offsets;                       // [VocabularySize + 1], into _bytes
    private readonly string?[] _texts;                     // made when first decoded; a race makes an equal string twice

    /// <summary>Initializes a new instance of the <see cref="LlamaTokenizer"/> class.</summary>
    /// <param name="vocabulary">The entries, by id.</param>
    /// <param name="beginOfTextId">The id that begins a sequence.</param>
    /// <param name="endOfTextId">The id that ends a sequence.</param>
    /// <param name="unknownId">The id of what cannot be encoded.</param>
    /// <param name="addDummyPrefix">Whether a text is encoded as if a space stood before it.</param>
    /// <param name="file">The file that the vocabulary came from, for error messages.</param>
    /// <exception cref="CheckpointException">The vocabulary contradicts itself.</exception>
    internal LlamaTokenizer(
        IReadOnlyList<VocabularyEntry> vocabulary, int beginOfTextId, int endOfTextId, int unknownId, bool addDummyPrefix = true, string file = "vocabulary")
    {
        if (vocabulary.Count is 0 or > MaximumVocabularySize)
        {
            throw new CheckpointException(file, "vocabulary", $"{vocabulary.Count} pieces", $"1 to {MaximumVocabularySize} pieces");
        }

        CheckId(beginOfTextId, "begin-of-text id");
        CheckId(endOfTextId, "end-of-text id");
        CheckId(unknownId, "unknown id");
        (Vocabulary, BeginOfTextId, EndOfTextId, UnknownId, AddDummyPrefix) = (vocabulary, beginOfTextId, endOfTextId, unknownId, addDummyPrefix);
        _encoder = new BytePairEncoder(vocabulary, unknownId, file);
        (_bytes, _offsets) = SpellOut(vocabulary);
        _texts = new string?[vocabulary.Count];

        void CheckId(int id, string field)
        {
            if ((uint)id >= (uint)vocabulary.Count)
            {
                throw new CheckpointException(file, field, $"{id}", $"an id from 0 to {vocabulary.Count - 1}");
            }
        }
    }

    /// <summary>Gets the number of ids.</summary>
    public int VocabularySize => Vocabulary.Count;

    /// <summary>Gets the id that begins a sequence (<c>&lt;s&gt;</c>).</summary>
    public int BeginOfTextId { get; }

    /// <summary>Gets the id that ends a sequence (<c>&lt;/s&gt;</c>).</summary>
    public int EndOfTextId { get; }

    /// <summary>Gets the id of what cannot be encoded.</summary>
    public int UnknownId { get; }

    internal bool AddDummyPrefix { get; }

    /// <summary>What <see cref="Decode"/> writes for <see cref="UnknownId"/>.</summary>
    internal string UnknownText { get; init; } = DefaultUnknownText;

    internal IReadOnlyList<VocabularyEntry> Vocabulary { get; }

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="path">A <c>tokenizer.model</c>, <c>tokenizer.json</c> or <c>.gguf</c> file, or a folder that holds one of the first two.</param>
    /// <remarks>In a folder that holds both, <c>tokenizer.model</c> is read; <c>tokenizer_config.json</c> may name other begin and end tokens.</remarks>
    /// <exception cref="FileNotFoundException">Nothing is there.</exception>
    /// <exception cref="CheckpointException">What is there is damaged or no Llama tokenizer.</exception>
    public static LlamaTokenizer Load(string path) => TokenizerFile.Load(path);

    /// <summary>Encodes a text as sentencepiece does: a dummy prefix, no control tokens, never beginning or end of text.</summary>
    /// <param name="text">Any text; a lone surrogate counts as U+FFFD.</param>
    /// <returns>The ids; none for an empty text.</returns>
    public int[] Encode(ReadOnlySpan<char> text)
    {
        using var normalized = NormalizedText.From(text, AddDummyPrefix);
        return _encoder.Encode(normalized.Characters);
    }

    /// <summary>Encodes UTF-8 bytes; invalid sequences count as U+FFFD, the way sentencepiece counts them: one for each byte.</summary>
    /// <param name="utf8">Any bytes.</param>
    /// <returns>The ids; none for no bytes.</returns>
    public int[] EncodeUtf8(ReadOnlySpan<byte> utf8)
    {
        using var normalized = NormalizedText.FromUtf8(utf8, AddDummyPrefix);
        return _encoder.Encode(normalized.Characters);
    }

    /// <summary>Counts the ids that <see cref="Encode"/> would return.</summary>
    /// <param name="text">Any text.</param>
    public int CountTokens(ReadOnlySpan<char> text)
    {
        using var normalized = NormalizedText.From(text, AddDummyPrefix);
        return _encoder.Count(normalized.Characters);
    }

    /// <summary>Decodes a whole sequence as sentencepiece does: control tokens vanish and one leading space is dropped.</summary>
    /// <param name="ids">Ids below <see cref="VocabularySize"/>.</param>
    /// <returns>The text; U+FFFD for each byte that is part of no character.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids)
    {
        StreamingDecoder decoder = CreateDecoder();
        var text = new StringBuilder();
        foreach (int id in ids)
        {
            decoder.Append(id, text);
        }

        decoder.Flush(text);
        return text.ToString();
    }

    /// <summary>Gets the bytes that an id adds to a text, before any leading space is dropped; empty for control tokens and the unknown id.</summary>
    /// <param name="id">An id below <see cref="VocabularySize"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id is outside the vocabulary.</exception>
    public ReadOnlySpan<byte> GetBytes(int id)
    {
        Check(id);
        return _bytes.AsSpan(_offsets[id].._offsets[id + 1]);
    }

    /// <summary>Gets the piece as the vocabulary spells it, such as <c>▁Hello</c> or <c>&lt;0x0A&gt;</c>.</summary>
    /// <param name="id">An id below <see cref="VocabularySize"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id is outside the vocabulary.</exception>
    public string GetPiece(int id)
    {
        Check(id);
        return Vocabulary[id].Piece;
    }

    /// <summary>Starts decoding a stream of ids.</summary>
    /// <param name="dropLeadingSpace">Whether the text loses one leading space, as at the beginning of a sequence.</param>
    public StreamingDecoder CreateDecoder(bool dropLeadingSpace = true) => new(this, dropLeadingSpace && AddDummyPrefix);

    /// <summary>The text of an id that is no byte: empty for a control token.</summary>
    internal string GetText(int id) =>
        _texts[id] ??= Vocabulary[id].Kind == TokenKind.Unknown ? UnknownText : Encoding.UTF8.GetString(GetBytes(id));

    internal TokenKind GetKind(int id)
    {
        Check(id);
        return Vocabulary[id].Kind;
    }

    private static (byte[] Bytes, int[] Offsets) SpellOut(IReadOnlyList<VocabularyEntry> vocabulary)
    {
        var bytes = new MemoryStream();
        int[] offsets = new int[vocabulary.Count + 1];
        for (int id = 0; id < vocabulary.Count; id++)
        {
            VocabularyEntry entry = vocabulary[id];
            if (entry.Kind == TokenKind.Byte && VocabularyEntry.TryParseByte(entry.Piece, out byte value))
            {
                bytes.WriteByte(value);
            }
            else if (entry.Kind is not (TokenKind.Control or TokenKind.Unknown))
            {
                bytes.Write(Encoding.UTF8.GetBytes(entry.Piece.Replace(Space, ' ')));
            }

            offsets[id + 1] = checked((int)bytes.Length);
        }

        return (bytes.ToArray(), offsets);
    }

    private void Check(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, VocabularySize);
    }
}
