using System.Buffers;

namespace Llama2.Evaluation;

/// <summary>The words of a text as ROUGE sees them: lower-cased runs of ASCII letters and digits, everything else parts them.</summary>
internal static class RougeTokenizer
{
    private const int LongestUnstemmed = 3;

    /// <summary>Appends the numbers of the words.</summary>
    public static void Tokenize(ReadOnlySpan<char> text, bool stem, TokenNumbers numbers, List<int> words)
    {
        char[] buffer = ArrayPool<char>.Shared.Rent(text.Length);
        int length = 0;
        foreach (char c in text)
        {
            char lower = Lower(c);
            if (lower != '\0')
            {
                buffer[length++] = lower;
            }

            // U+0130 is an i and a combining dot in lower case, and the dot parts words.
            if (lower == '\0' || c == '\u0130')
            {
                EndWord();
            }
        }

        EndWord();
        ArrayPool<char>.Shared.Return(buffer);

        void EndWord()
        {
            if (length > 0)
            {
                int kept = stem && length > LongestUnstemmed ? PorterStemmer.Stem(buffer.AsSpan(0, length)) : length;
                words.Add(numbers.Of(buffer.AsSpan(0, kept)));
                length = 0;
            }
        }
    }

    // These two are the only characters beyond ASCII whose lower case is in ASCII. '\0' stands for everything that is no letter or digit.
    private static char Lower(char c) => c switch
    {
        >= 'a' and <= 'z' or >= '0' and <= '9' => c,
        >= 'A' and <= 'Z' => (char)(c | 0x20),
        '\u0130' => 'i',
        '\u212a' => 'k',
        _ => '\0',
    };
}
