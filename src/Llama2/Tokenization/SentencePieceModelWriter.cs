using System.Buffers.Binary;
using System.Text;

namespace Llama2;

/// <summary>Writes a <c>tokenizer.model</c> that sentencepiece opens.</summary>
internal static class SentencePieceModelWriter
{
    private const int Varint = 0;
    private const int LengthDelimited = 2;
    private const int Fixed32 = 5;

    /// <summary>Writes beside the file, then renames.</summary>
    public static void Write(LlamaTokenizer tokenizer, string path)
    {
        string beside = path + ".partial";
        try
        {
            using (FileStream stream = File.Create(beside))
            {
                Write(tokenizer, stream);
            }

            File.Move(beside, path, overwrite: true);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }

    /// <summary>Writes the whole model to a stream, which stays open.</summary>
    public static void Write(LlamaTokenizer tokenizer, Stream output)
    {
        foreach ((VocabularyEntry entry, int id) in tokenizer.Vocabulary.Select((entry, id) => (entry, id)))
        {
            WriteMessage(output, 1, piece =>
            {
                WriteText(piece, 1, entry.Piece);
                WriteSingle(piece, 2, entry.Score);
                WriteNumber(piece, 3, (int)KindOf(tokenizer, entry, id));
            });
        }

        WriteMessage(output, 2, trainer =>
        {
            WriteNumber(trainer, 3, 2);                                            // model_type = BPE
            WriteNumber(trainer, 4, tokenizer.VocabularySize);
            WriteNumber(trainer, 24, 0);                                           // treat_whitespace_as_suffix
            WriteNumber(trainer, 35, tokenizer.Vocabulary.Any(entry => entry.Kind == TokenKind.Byte) ? 1 : 0);
            WriteNumber(trainer, 40, tokenizer.UnknownId);
            WriteNumber(trainer, 41, tokenizer.BeginOfTextId);
            WriteNumber(trainer, 42, tokenizer.EndOfTextId);
            WriteNumber(trainer, 43, -1);                                          // no padding
            WriteText(trainer, 44, tokenizer.UnknownText);
            WriteText(trainer, 45, tokenizer.GetPiece(tokenizer.UnknownId));       // sentencepiece finds the three by these names
            WriteText(trainer, 46, tokenizer.GetPiece(tokenizer.BeginOfTextId));
            WriteText(trainer, 47, tokenizer.GetPiece(tokenizer.EndOfTextId));
        });
        WriteMessage(output, 3, normalizer =>
        {
            WriteText(normalizer, 1, "identity");
            WriteNumber(normalizer, 3, tokenizer.AddDummyPrefix ? 1 : 0);
            WriteNumber(normalizer, 4, 0);                                         // remove_extra_whitespaces
            WriteNumber(normalizer, 5, 1);                                         // escape_whitespaces
        });
    }

    /// <summary>sentencepiece wants one unknown piece, and control pieces to begin and end with; GGUF vocabularies may say otherwise.</summary>
    private static TokenKind KindOf(LlamaTokenizer tokenizer, VocabularyEntry entry, int id) =>
        id == tokenizer.UnknownId ? TokenKind.Unknown :
        id == tokenizer.BeginOfTextId || id == tokenizer.EndOfTextId ? TokenKind.Control :
        entry.Kind == TokenKind.Unknown ? TokenKind.Control : entry.Kind;

    private static void WriteMessage(Stream output, int field, Action<MemoryStream> write)
    {
        using var message = new MemoryStream();
        write(message);
        WriteTag(output, field, LengthDelimited);
        WriteVarint(output, (ulong)message.Length);
        message.WriteTo(output);
    }

    private static void WriteText(Stream output, int field, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        WriteTag(output, field, LengthDelimited);
        WriteVarint(output, (ulong)utf8.Length);
        output.Write(utf8);
    }

    private static void WriteNumber(Stream output, int field, int value)
    {
        WriteTag(output, field, Varint);
        WriteVarint(output, unchecked((ulong)(long)value));                        // sign-extended, as protobuf wants an int32
    }

    private static void WriteSingle(Stream output, int field, float value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        WriteTag(output, field, Fixed32);
        output.Write(bytes);
    }

    private static void WriteTag(Stream output, int field, int wireType) => WriteVarint(output, (ulong)(field << 3 | wireType));

    private static void WriteVarint(Stream output, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            output.WriteByte((byte)(value | 0x80));
        }

        output.WriteByte((byte)value);
    }
}
