namespace Llama2;

/// <summary><c>min_new_tokens</c>: holds the end of text back until the answer is long enough.</summary>
internal sealed class MinNewTokensProcessor(int minimum, IReadOnlyList<int> endOfTextIds) : ILogitsProcessor
{
    private readonly int[] _endOfTextIds = [.. endOfTextIds];

    public void Process(Span<float> logits, TokenHistory history)
    {
        if (history.AnswerLength >= minimum)
        {
            return;
        }

        foreach (int id in _endOfTextIds)
        {
            if ((uint)id < (uint)logits.Length)    // a configuration may name an end that the vocabulary lacks
            {
                logits[id] = float.NegativeInfinity;
            }
        }
    }
}
