namespace Llama2.Training;

/// <summary>What <see cref="Llama2TokenizerTrainer"/> is to learn. The defaults are how the Llama-2 tokenizer was made, but for the size.</summary>
public sealed record TokenizerTrainerOptions
{
    /// <summary>Gets the number of ids of the vocabulary: 3 special ones, 256 bytes, the pieces and the single characters.</summary>
    /// <value>
    /// From 260 to 1 048 576; the default is 4 096. A text with too few pairs that repeat gives a smaller vocabulary.
    /// </value>
    public int VocabularySize { get; init; } = 4096;

    /// <summary>Gets the share of all characters that get an id of their own, the frequent ones first; the others are spelt in bytes.</summary>
    /// <value>Above 0, at most 1; the default is 0.9995.</value>
    public double CharacterCoverage { get; init; } = 0.9995;

    /// <summary>Gets the length of the longest piece, in characters (code points), the mark of a space included.</summary>
    /// <value>From 1 to 64; the default is 16.</value>
    public int MaximumPieceLength { get; init; } = 16;

    /// <summary>Gets how often a pair must occur to become a piece.</summary>
    /// <value>1 or more; the default is 2.</value>
    public int MinimumPairCount { get; init; } = 2;

    /// <summary>Gets whether every digit is a piece of its own, so that numbers are spelt alike wherever they stand.</summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool SplitDigits { get; init; } = true;

    /// <summary>Gets whether letters share no piece with other characters, so that punctuation stays apart from words.</summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool SplitLettersFromOthers { get; init; } = true;

    /// <summary>Gets whether runs of spaces become pieces, as indented text wants; single spaces belong to the word after them either way.</summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool AllowSpaceRuns { get; init; } = true;

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range.</exception>
    internal void Check()
    {
        Require(VocabularySize is > PieceVocabulary.ReservedCount and <= 1 << 20, VocabularySize, nameof(VocabularySize), "from 260 to 1048576");
        Require(CharacterCoverage is > 0 and <= 1, CharacterCoverage, nameof(CharacterCoverage), "above 0 and at most 1");
        Require(MaximumPieceLength is >= 1 and <= 64, MaximumPieceLength, nameof(MaximumPieceLength), "from 1 to 64");
        Require(MinimumPairCount >= 1, MinimumPairCount, nameof(MinimumPairCount), "1 or more");

        static void Require(bool holds, object value, string name, string range)
        {
            if (!holds)
            {
                throw new ArgumentOutOfRangeException(name, value, $"{name} must be {range}.");
            }
        }
    }
}
