using System.Text;
using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>Measures how surprised a chat model is by the right answers, without letting it answer: the loss that training lowers.</summary>
/// <remarks>
/// Of each item, −ln P(the whole answer is the reference), see <see cref="LabelProbability.LogProbability"/>, over the tokens of the reference and one
/// for its end. A failed item that is counted is left out. Thread-safe.
/// </remarks>
public sealed class AnswerPerplexityEvaluator
{
    private readonly ItemRunner _runner;

    /// <summary>Makes an evaluator.</summary>
    /// <param name="client">A client with a <see cref="LlamaModel"/> behind it; stays the caller's.</param>
    /// <param name="options">
    /// How to ask, or <see langword="null"/> for the defaults. Of its <see cref="EvaluatorOptions.ChatOptions"/>, what chooses tokens is refused.
    /// </param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="NotSupportedException">The client has no Llama model behind it.</exception>
    public AnswerPerplexityEvaluator(IChatClient client, EvaluatorOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        options ??= new();
        LlamaTokenizer tokenizer = client.GetService<LlamaTokenizer>()
            ?? throw new NotSupportedException($"{client.GetType().Name} has no Llama model behind it, whose probabilities perplexity is made of.");
        _runner = new(options, async (item, messages, cancellationToken) =>
        {
            IReadOnlyList<LabelProbability> answer =
                await client.ClassifyAsync(messages, [item.Reference], options.ChatOptions, cancellationToken).ConfigureAwait(false);
            int tokens = tokenizer.CountTokens(item.Reference.Trim()) + 1;
            return new(item, null, null) { Likelihood = new(tokens, -answer[0].LogProbability, Encoding.UTF8.GetByteCount(item.Reference)) };
        });
    }

    /// <summary>Measures every item.</summary>
    /// <param name="items">The items; read as they are needed.</param>
    /// <param name="progress">Told after each item, from any thread.</param>
    /// <param name="cancellationToken">Seen between items and by the model.</param>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<PerplexityResult> EvaluateAsync(
        IAsyncEnumerable<EvaluationItem> items, IProgress<EvaluationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        IReadOnlyList<EvaluatedItem> results = await _runner.RunAsync(items, progress, cancellationToken).ConfigureAwait(false);
        TextLikelihood[] texts = [.. results.Where(result => result.Likelihood is not null).Select(result => result.Likelihood!.Value)];
        return new(texts.Aggregate(default(TextLikelihood), (sum, text) => sum + text), texts);
    }
}
