using System.Globalization;

namespace Llama2.Training;

/// <summary>The order of ids that Llama-2 has: unknown, begin, end, 256 bytes, merged pieces in the order of their merges, single characters.</summary>
internal static class PieceVocabulary
{
    public const int UnknownId = 0;
    public const int BeginOfTextId = 1;
    public const int EndOfTextId = 2;
    public const int ReservedCount = 3 + 256;

    private static readonly string[] _special = ["<unk>", "<s>", "</s>"];

    /// <summary>Whether a piece would be spelt like a special token or a byte, which other readers would confuse.</summary>
    public static bool IsReserved(string piece) => _special.Contains(piece) || VocabularyEntry.TryParseByte(piece, out _);

    /// <summary>Makes the tokenizer. A score is minus the place: earlier merges go first.</summary>
    public static LlamaTokenizer Build(IEnumerable<string> merges, IEnumerable<string> characters)
    {
        var entries = new List<VocabularyEntry>();
        entries.Add(new(_special[UnknownId], 0, TokenKind.Unknown));
        entries.Add(new(_special[BeginOfTextId], 0, TokenKind.Control));
        entries.Add(new(_special[EndOfTextId], 0, TokenKind.Control));
        for (int value = 0; value < 256; value++)
        {
            entries.Add(new(string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>"), 0, TokenKind.Byte));
        }

        foreach (string piece in merges.Concat(characters))
        {
            entries.Add(new(piece, ReservedCount - entries.Count, TokenKind.Normal));
        }

        return new LlamaTokenizer(entries, BeginOfTextId, EndOfTextId, UnknownId);
    }
}
