namespace Llama2;

/// <summary>One id of a vocabulary.</summary>
/// <param name="Piece">The text, with U+2581 (<c>▁</c>) for a space; <c>&lt;0x0A&gt;</c> for a byte.</param>
/// <param name="Score">The adjacent pair whose piece scores highest merges first.</param>
/// <param name="Kind">What the id is.</param>
internal readonly record struct VocabularyEntry(string Piece, float Score, TokenKind Kind)
{
    /// <summary>The byte that a piece such as <c>&lt;0x0A&gt;</c> spells.</summary>
    public static bool TryParseByte(string piece, out byte value)
    {
        value = 0;
        return piece.Length == 6 && piece.StartsWith("<0x", StringComparison.Ordinal) && piece[5] == '>' &&
            byte.TryParse(piece.AsSpan(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out value);
    }
}

/// <summary>What an id is; the numbers are those of sentencepiece and GGUF.</summary>
internal enum TokenKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}
