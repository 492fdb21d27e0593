using System.Text;

namespace Llama2.Training;

/// <summary>Learns a tokenizer of Llama-2's kind from texts: byte-pair encoding with byte fallback, compatible with sentencepiece. Thread-safe.</summary>
public static class Llama2TokenizerTrainer
{
    /// <summary>Learns a tokenizer. The same texts give the same one, whatever their order.</summary>
    /// <param name="texts">The texts, read once; their different words are kept in memory, the texts are not.</param>
    /// <param name="options">What to learn; the defaults where it is <see langword="null"/>.</param>
    /// <param name="cancellationToken">Seen between texts and between merges.</param>
    /// <exception cref="ArgumentException">The vocabulary is too small for the characters that it is to cover.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    /// <exception cref="OperationCanceledException">Training was called off.</exception>
    public static LlamaTokenizer Train(IEnumerable<string> texts, TokenizerTrainerOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        options ??= new();
        options.Check();
        var units = new MergeUnits(options);
        foreach (string text in texts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            units.Add(text);
        }

        IReadOnlyList<Rune> characters = units.CoveredCharacters();
        int merges = options.VocabularySize - PieceVocabulary.ReservedCount - characters.Count;
        if (merges < 0)
        {
            throw new ArgumentException(
                $"{PieceVocabulary.ReservedCount} reserved ids and {characters.Count} characters do not fit in a vocabulary of {options.VocabularySize}; " +
                $"{nameof(options.CharacterCoverage)} decides how many characters there are.", nameof(options));
        }

        var merger = new PairMerger(units.Units(characters.ToHashSet()), characters, options);
        return PieceVocabulary.Build(merger.Run(merges, cancellationToken), characters.Select(character => character.ToString()));
    }

    /// <summary>Writes a tokenizer as a <c>tokenizer.model</c>, which sentencepiece opens. An existing file is replaced in one step.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(LlamaTokenizer tokenizer, string path)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentException.ThrowIfNullOrEmpty(path);
        SentencePieceModelWriter.Write(tokenizer, path);
    }
}
