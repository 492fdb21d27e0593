namespace Llama2.DemoModel;

/// <summary>Which part of the combinations a corpus may use.</summary>
internal enum CorpusSplit
{
    /// <summary>Everything that is not held out.</summary>
    Train,

    /// <summary>Only what is held out.</summary>
    Test,
}

/// <summary>Decides by a hash, so that no list of held-out combinations is kept and any two runs agree.</summary>
internal static class HeldOut
{
    /// <summary>One in so many combinations is held out.</summary>
    public const int OneIn = 10;

    public static bool Belongs(string key, CorpusSplit split) => (Hash(key) % OneIn == 0) == (split == CorpusSplit.Test);

    /// <summary>The key of a sentence: what is left without case, punctuation and spacing.</summary>
    public static string SentenceKey(string sentence) => string.Concat(sentence.Where(char.IsLetterOrDigit)).ToLowerInvariant();

    /// <summary>The key of a pair of names, in either order.</summary>
    public static string PairKey(string first, string second) =>
        string.CompareOrdinal(first, second) < 0 ? $"{first}|{second}" : $"{second}|{first}";

    /// <summary>FNV-1a over UTF-16 code units, finished so that the low bits depend on every character.</summary>
    public static ulong Hash(ReadOnlySpan<char> text)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in text)
        {
            hash = (hash ^ c) * 1099511628211;
        }

        return RandomSource.Combine(hash, 0);
    }
}
