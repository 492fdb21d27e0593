using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>Tells calls from words while an answer comes: words are passed on, calls are collected. Not thread-safe; one per answer.</summary>
internal sealed class ToolCallReader
{
    private string _held = "";                           // what may become a call, or is one
    private bool _isWords;

    private bool IsCalls => _held.StartsWith(ToolCallFormat.Begin, StringComparison.Ordinal);

    /// <summary>Takes text and returns what is certain to be words.</summary>
    public string Append(string text)
    {
        if (_isWords)
        {
            return text;
        }

        _held += text;
        if (IsCalls || ToolCallFormat.Begin.StartsWith(_held, StringComparison.Ordinal))
        {
            return "";
        }

        _isWords = true;
        return _held;
    }

    /// <summary>Ends the answer.</summary>
    /// <param name="isWhole">Whether it ended by itself; calls that were cut off are not made.</param>
    /// <param name="calls">The calls; none if the answer is words.</param>
    /// <returns>Words that were held back.</returns>
    public string Complete(bool isWhole, out List<FunctionCallContent> calls)
    {
        calls = [];
        if (_isWords)
        {
            return "";
        }

        if (!IsCalls)
        {
            return _held;
        }

        calls = isWhole ? ToolCallFormat.Read(_held) : [];
        return "";
    }
}
