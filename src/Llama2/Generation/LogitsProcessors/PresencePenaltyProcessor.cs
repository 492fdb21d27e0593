namespace Llama2;

/// <summary>
/// <c>presence_penalty</c> and <c>frequency_penalty</c> of OpenAI's interface: from the logit of a token that the answer has used c times
/// it takes presence + c · frequency.
/// </summary>
internal sealed class PresencePenaltyProcessor(float presence, float frequency, int vocabularySize) : ILogitsProcessor
{
    private readonly TokenCounts _used = new(vocabularySize);

    public void Process(Span<float> logits, TokenHistory history)
    {
        foreach (int token in _used.Present)
        {
            logits[token] -= presence + (_used[token] * frequency);
        }
    }

    public void Accept(TokenHistory history) => _used.Add(history.Tokens[^1]);
}
