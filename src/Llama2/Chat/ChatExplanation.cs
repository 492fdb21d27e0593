namespace Llama2;

/// <summary>What a chat request would make the model read, told without running it.</summary>
/// <param name="Prompt">
/// The prompt after the context policy has acted: text, ids, ids per message. <see cref="ContextOverflow.TruncateLeft"/> cuts ids, not text.
/// </param>
/// <param name="DroppedMessages">Indexes of the messages that <see cref="ContextOverflow.DropOldestTurns"/> leaves out.</param>
/// <param name="DroppedTokens">Tokens that the policy leaves out.</param>
/// <param name="CachedTokens">Tokens of the prompt that the prefix cache would supply now.</param>
/// <param name="ContextLength">The most tokens of prompt and answer together.</param>
/// <param name="EffectiveOptions">The settings that would be in force; the seed stays unset where the request names none.</param>
public sealed record ChatExplanation(
    ChatPrompt Prompt,
    IReadOnlyList<int> DroppedMessages,
    int DroppedTokens,
    int CachedTokens,
    int ContextLength,
    GenerationOptions EffectiveOptions)
{
    /// <summary>Gets the tokens that are left for the answer; 0 means that the request would fail with a <see cref="ContextOverflowException"/>.</summary>
    public int AnswerTokens => Math.Max(0, Math.Min(ContextLength - Prompt.TokenIds.Count, EffectiveOptions.MaxNewTokens ?? int.MaxValue));
}
