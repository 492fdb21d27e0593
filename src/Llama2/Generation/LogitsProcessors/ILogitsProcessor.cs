namespace Llama2;

/// <summary>One rule that changes logits before a token is chosen. Keeps its state up to date as tokens come; not thread-safe.</summary>
internal interface ILogitsProcessor
{
    /// <summary>Takes in the prompt, once and first.</summary>
    void Begin(TokenHistory history)
    {
    }

    /// <summary>Changes the logits of the next token; −∞ forbids one. Allocates nothing.</summary>
    void Process(Span<float> logits, TokenHistory history);

    /// <summary>Takes in that a token, the history's last, was chosen.</summary>
    void Accept(TokenHistory history)
    {
    }
}
