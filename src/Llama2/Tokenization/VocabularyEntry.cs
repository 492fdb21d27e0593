namespace Llama2;

/// <summary>One id of a vocabulary.</summary>
internal readonly record struct VocabularyEntry(string Piece, float Score, TokenKind Kind);

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
