namespace Llama2;

/// <summary><c>repetition_penalty</c>: divides the positive logits of tokens that have occurred and multiplies the negative ones.</summary>
/// <param name="penalty">The factor.</param>
/// <param name="window">How many of the last tokens count, prompt included; 0 counts all.</param>
/// <param name="vocabularySize">Logits per row.</param>
internal sealed class RepetitionPenaltyProcessor(float penalty, int window, int vocabularySize) : ILogitsProcessor
{
    private readonly TokenCounts _seen = new(vocabularySize);

    public void Begin(TokenHistory history)
    {
        ReadOnlySpan<int> tokens = history.Tokens;
        foreach (int token in window == 0 ? tokens : tokens[Math.Max(0, tokens.Length - window)..])
        {
            _seen.Add(token);
        }
    }

    public void Process(Span<float> logits, TokenHistory history)
    {
        foreach (int token in _seen.Present)
        {
            float logit = logits[token];
            logits[token] = logit < 0 ? logit * penalty : logit / penalty;
        }
    }

    public void Accept(TokenHistory history)
    {
        ReadOnlySpan<int> tokens = history.Tokens;
        _seen.Add(tokens[^1]);
        if (window != 0 && tokens.Length > window)
        {
            _seen.Remove(tokens[^(window + 1)]);
        }
    }
}
