namespace Llama2.Cli;

/// <summary>Guesses what a mistyped name was to be.</summary>
internal static class NearestName
{
    /// <summary>The nearest of the names; null where none is near.</summary>
    public static string? Find(string name, IEnumerable<string> names)
    {
        string meant = Plain(name);
        (string? nearest, int distance) = names
            .Select(candidate => (candidate, Distance(meant, Plain(candidate))))
            .DefaultIfEmpty((name, int.MaxValue))
            .MinBy(candidate => candidate.Item2);
        return distance <= Math.Max(1, (meant.Length + 2) / 3) ? nearest : null;
    }

    private static string Plain(string name) => string.Concat(name.Where(char.IsAsciiLetterOrDigit).Take(64)).ToUpperInvariant();

    /// <summary>The letters to put in, take out or replace.</summary>
    private static int Distance(string from, string to)
    {
        int[] edits = [.. Enumerable.Range(0, to.Length + 1)];       // from nothing to to[..j]
        for (int i = 0; i < from.Length; i++)
        {
            int diagonal = edits[0]++;
            for (int j = 0; j < to.Length; j++)
            {
                int above = edits[j + 1];
                edits[j + 1] = Math.Min(Math.Min(above, edits[j]) + 1, from[i] == to[j] ? diagonal : diagonal + 1);
                diagonal = above;
            }
        }

        return edits[^1];
    }
}
