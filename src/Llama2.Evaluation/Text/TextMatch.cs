using System.Text;

namespace Llama2.Evaluation;

/// <summary>Whether a short answer is the expected one, by the rules of SQuAD.</summary>
/// <remarks>
/// Both texts are lower-cased and lose ASCII punctuation, the words a, an and the, and surplus white space before they are compared.
/// Source: P. Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", 2016. Thread-safe.
/// </remarks>
public static class TextMatch
{
    /// <summary>Tells whether the texts are the same but for case, punctuation, articles and white space.</summary>
    /// <param name="reference">What it should say.</param>
    /// <param name="prediction">What it says.</param>
    public static bool IsExact(string reference, string prediction) =>
        string.Equals(Normalize(reference), Normalize(prediction), StringComparison.Ordinal);

    /// <summary>Gets the F1 of the words in common: the contract's <c>f1</c> of answers. Two empty texts match.</summary>
    /// <param name="reference">What it should say.</param>
    /// <param name="prediction">What it says.</param>
    /// <returns>From 0 to 1.</returns>
    public static double TokenF1(string reference, string prediction)
    {
        string[] expected = Words(reference), actual = Words(prediction);
        if (expected.Length == 0 || actual.Length == 0)
        {
            return expected.Length == actual.Length ? 1 : 0;
        }

        Dictionary<string, int> left = expected.CountBy(word => word, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        int hits = actual.Count(word => left.TryGetValue(word, out int count) && (left[word] = count - 1) >= 0);
        return 2.0 * hits / (expected.Length + actual.Length);
    }

    /// <summary>Lower-cases a text and takes away punctuation, articles and surplus white space.</summary>
    /// <param name="text">Any text.</param>
    public static string Normalize(string text) => string.Join(' ', Words(text));

    private static string[] Words(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var kept = new StringBuilder(text.Length);
        foreach (char c in Unicode.ToLower(text))
        {
            if (!char.IsAscii(c) || !(char.IsPunctuation(c) || char.IsSymbol(c)))
            {
                kept.Append(Unicode.IsWhiteSpace(c) ? ' ' : c);
            }
        }

        return [.. kept.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(word => word is not ("a" or "an" or "the"))];
    }
}
