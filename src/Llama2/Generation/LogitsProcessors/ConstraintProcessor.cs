namespace Llama2;

/// <summary>A <see cref="GenerationConstraint"/>: forbids every token that would lead away from it.</summary>
internal sealed class ConstraintProcessor(ConstraintCursor cursor) : ILogitsProcessor
{
    public void Process(Span<float> logits, TokenHistory history) => cursor.Mask(logits);

    public void Accept(TokenHistory history) => cursor.Accept(history.Tokens[^1]);
}
