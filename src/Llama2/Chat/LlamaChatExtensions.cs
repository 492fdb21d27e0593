using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>What a chat client with a Llama model behind it can do beyond answering.</summary>
public static class LlamaChatExtensions
{
    /// <summary>Asks a question that has one of a few answers, and gets the probability of each instead of a text.</summary>
    /// <param name="client">A client with a <see cref="LlamaModel"/> behind it, found through <see cref="IChatClient.GetService"/>.</param>
    /// <param name="messages">The conversation, as for <see cref="IChatClient.GetResponseAsync"/>; the last message asks.</param>
    /// <param name="labels">One or more possible answers, all different, none blank. White space around them does not count.</param>
    /// <param name="options">
    /// <see langword="null"/>, or options with <see cref="ChatOptions.Instructions"/>, <c>adapter</c> and <c>context_overflow</c>. What chooses among tokens or
    /// limits an answer (temperature, stop sequences, …) cannot act here and is refused.
    /// </param>
    /// <param name="cancellationToken">Seen between chunks of the prompt and between labels.</param>
    /// <returns>The labels in the order given.</returns>
    /// <remarks>
    /// <para>
    /// Nothing is drawn or generated: with p(token | tokens before it) the model's plain softmax, a label's score is
    /// <c>s = ln Σ exp(Σ ln p(token | prompt, tokens before it))</c>, the inner sum over the label's tokens and the end of the answer behind them,
    /// the outer one over the ways in which an answer can end: as the chat template ends it, or with any end of text at once. The end belongs to
    /// it, so "sure" and "sure not" compete fairly. Probabilities are <c>exp(s) / Σ exp(s)</c> over the labels. A label is taken in the one
    /// tokenization that the chat template gives it.
    /// </para>
    /// <para>
    /// The prompt has the very ids that a chat would read, and is read once for all labels. The request goes to the model itself: what stands
    /// between it and <paramref name="client"/> in a pipeline (caching, logging, function calls) does not see it. Thread-safe.
    /// </para>
    /// <code>
    /// IReadOnlyList&lt;LabelProbability&gt; moods = await client.ClassifyAsync(
    ///     [new(ChatRole.User, "Is this review positive or negative?\nI slept well.")], ["positive", "negative"]);
    /// </code>
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// There is no label, one is blank, or two are the same to the model; a message, an option or its value is refused, as in a chat.
    /// </exception>
    /// <exception cref="NotSupportedException">The client has no Llama model behind it, or an option cannot act.</exception>
    /// <exception cref="UnknownAdapterException">No adapter of that name is loaded.</exception>
    /// <exception cref="ContextOverflowException">The prompt with the longest label does not fit, and the policy is to throw.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    /// <exception cref="InvalidOperationException">Too many requests are waiting, or the checkpoint has no tokenizer.</exception>
    public static async Task<IReadOnlyList<LabelProbability>> ClassifyAsync(
        this IChatClient client,
        IEnumerable<ChatMessage> messages,
        IReadOnlyList<string> labels,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(messages);
        ArgumentNullException.ThrowIfNull(labels);
        LlamaModel model = client.GetService<LlamaModel>() ?? throw new NotSupportedException(
            $"{client.GetType().Name} has no {nameof(LlamaModel)} behind it (GetService finds none); labels are scored by a Llama model in this process only.");
        using var llama = new LlamaChatClient(model, leaveOpen: true);
        return await llama.ClassifyAsync([.. messages], [.. labels], options, cancellationToken).ConfigureAwait(false);
    }
}
