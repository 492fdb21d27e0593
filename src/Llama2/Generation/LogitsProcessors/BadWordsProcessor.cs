namespace Llama2;

/// <summary><c>bad_words</c>: forbids the token that would complete a word. Time is linear in the words' tokens.</summary>
internal sealed class BadWordsProcessor(IReadOnlyList<int[]> words) : ILogitsProcessor
{
    /// <summary>Encodes each word the two ways transformers advises: at the beginning of a word, and as the continuation of one.</summary>
    public static BadWordsProcessor Create(IReadOnlyList<string> words, LlamaTokenizer tokenizer, int vocabularySize)
    {
        // A line break merges with nothing, so what follows it is encoded without the space that sentencepiece puts before a text.
        int[] lineBreak = tokenizer.Encode("\n");
        var encoded = new List<int[]>();
        foreach (string word in words)
        {
            Add(tokenizer.Encode(word));
            int[] line = tokenizer.Encode("\n" + word);
            if (line.AsSpan().StartsWith(lineBreak))
            {
                Add(line[lineBreak.Length..]);
            }
        }

        return new BadWordsProcessor(encoded);

        void Add(int[] word)
        {
            if (word.Length > 0 && word.All(id => id < vocabularySize))    // others cannot come
            {
                encoded.Add(word);
            }
        }
    }

    public void Process(Span<float> logits, TokenHistory history)
    {
        foreach (int[] word in words)
        {
            if (history.Tokens.EndsWith(word.AsSpan(..^1)))
            {
                logits[word[^1]] = float.NegativeInfinity;
            }
        }
    }
}
