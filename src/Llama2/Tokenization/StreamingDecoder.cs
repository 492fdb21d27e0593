namespace Llama2;

/// <summary>Decodes ids one at a time and never emits half a character. Not thread-safe; one per stream.</summary>
public sealed class StreamingDecoder
{
    /// <summary>Takes the next id.</summary>
    /// <param name="id">An id of the tokenizer.</param>
    /// <returns>The text that is complete by now; empty while the bytes of a character are still coming.</returns>
    public string Append(int id) => throw new NotImplementedException();

    /// <summary>Ends the stream.</summary>
    /// <returns>What is left: U+FFFD for each byte of a character that never came whole.</returns>
    public string Flush() => throw new NotImplementedException();
}
