namespace Llama2;

/// <summary>Finds stop sequences in streamed text, across the borders of tokens, and holds back what may become one.</summary>
internal sealed class StopSequenceMatcher
{
    public StopSequenceMatcher(IReadOnlyList<string> stopSequences) => throw new NotImplementedException();

    /// <summary>The sequence that was found, or null.</summary>
    public string? Matched => throw new NotImplementedException();

    /// <summary>Takes text and returns what is certain not to belong to a stop sequence; after a match, only what stands before it.</summary>
    public string Append(string text) => throw new NotImplementedException();

    /// <summary>Ends the stream and returns what was held back.</summary>
    public string Flush() => throw new NotImplementedException();
}
