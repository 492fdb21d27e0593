namespace Llama2;

/// <summary>A prompt does not fit the model's context.</summary>
public sealed class ContextOverflowException : InvalidOperationException
{
    /// <summary>Initializes a new instance of the <see cref="ContextOverflowException"/> class.</summary>
    /// <param name="promptTokens">The tokens of the prompt.</param>
    /// <param name="contextLength">The most tokens of a sequence, answer included.</param>
    public ContextOverflowException(int promptTokens, int contextLength)
        : base($"The prompt has {promptTokens} tokens, and the context holds {contextLength}, at least one of them for the answer. " +
            "Shorten the prompt, choose another ContextOverflow policy, or raise LlamaModelOptions.ContextLength.") =>
        (PromptTokens, ContextLength) = (promptTokens, contextLength);

    /// <summary>Gets the tokens of the prompt.</summary>
    public int PromptTokens { get; }

    /// <summary>Gets the most tokens of a sequence.</summary>
    public int ContextLength { get; }
}
