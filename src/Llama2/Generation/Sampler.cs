namespace Llama2;

/// <summary>Chooses the next token of one sequence from its logits. Not thread-safe; one per request.</summary>
internal sealed class Sampler
{
    /// <param name="options">Effective settings: every one that has a default is filled in, the seed included.</param>
    /// <param name="tokenizer">Needed by bad words only; null where the checkpoint has none.</param>
    /// <param name="vocabularySize">Logits per row.</param>
    /// <param name="endOfTextIds">The ids that end a text, which <c>min_new_tokens</c> holds back.</param>
    /// <param name="prompt">The prompt's ids, at which the repetition penalty and n-gram rules look too.</param>
    public Sampler(GenerationOptions options, LlamaTokenizer? tokenizer, int vocabularySize, IReadOnlyList<int> endOfTextIds, ReadOnlySpan<int> prompt) =>
        throw new NotImplementedException();

    /// <summary>Chooses a token, remembers it, and leaves the logits as they are. Allocates nothing once warmed up.</summary>
    public int Next(ReadOnlySpan<float> logits) => throw new NotImplementedException();

    /// <summary>Scores a token under plain softmax, with the likeliest <paramref name="top"/> beside it.</summary>
    public static ScoredToken Score(ReadOnlySpan<float> logits, int token, int top) => throw new NotImplementedException();
}
