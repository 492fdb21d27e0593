namespace Llama2;

/// <summary>Sequences that run at the same time and begin alike, as chats with one system message do: the beginning is read once, by the first.</summary>
internal static class SharedPrompts
{
    // What is shorter is read about as fast as it is copied.
    private const int ShortestShare = 32;

    /// <summary>Looks for the running sequence with the longest common beginning, if it is longer than what the pool has.</summary>
    /// <param name="request">The new sequence.</param>
    /// <param name="running">All that run, the new ones among them.</param>
    /// <param name="pooled">The tokens that the pool would supply.</param>
    /// <returns>
    /// The sequence and the length of the beginning; the length is more than its cache holds while it still reads, and then it is worth waiting for.
    /// </returns>
    public static (EngineRequest? Source, int Length) Find(EngineRequest request, List<EngineRequest> running, int pooled)
    {
        (EngineRequest? Source, int Length) best = (null, pooled + ShortestShare - 1);
        foreach (EngineRequest other in running)
        {
            if (other.Cache is not { } cache || other.Adapter != request.Adapter)
            {
                continue;
            }

            // Of a sequence that generates only what it has: its next tokens may go on like the prompt for long.
            ReadOnlySpan<int> known = other.IsDecoding ? other.Tokens[..cache.Length] : other.Prompt;
            int length = request.ReusablePrompt.CommonPrefixLength(known);
            if (length > best.Length)
            {
                best = (other, length);
            }
        }

        return best.Source is null ? default : best;
    }
}
