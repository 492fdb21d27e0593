using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>Asks a client about items, several at a time, and keeps their order.</summary>
internal sealed class ItemRunner
{
    private readonly EvaluatorOptions _options;
    private readonly Func<EvaluationItem, ChatMessage[], CancellationToken, Task<EvaluatedItem>> _ask;

    public ItemRunner(IChatClient client, EvaluatorOptions options)
        : this(options, async (item, messages, cancellationToken) =>
        {
            ChatResponse response = await client.GetResponseAsync(messages, options.ChatOptions, cancellationToken).ConfigureAwait(false);
            return new(item, response.Text.Trim(), null) { Usage = response.Usage };
        }) => ArgumentNullException.ThrowIfNull(client);

    /// <param name="options">How to ask.</param>
    /// <param name="ask">Asks the messages of an item.</param>
    public ItemRunner(EvaluatorOptions options, Func<EvaluationItem, ChatMessage[], CancellationToken, Task<EvaluatedItem>> ask)
    {
        options.Validate();
        (_options, _ask) = (options, ask);
    }

    public async Task<IReadOnlyList<EvaluatedItem>> RunAsync(
        IAsyncEnumerable<EvaluationItem> items, IProgress<EvaluationProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(items);
        var results = new List<EvaluatedItem?>();
        var gate = new Lock();
        int done = 0, failed = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = _options.Concurrency, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(Numbered(), parallel, async (pair, token) =>
        {
            EvaluatedItem result = await AskAsync(pair.Item, token).ConfigureAwait(false);
            EvaluationProgress report;
            lock (gate)
            {
                results[pair.Index] = result;
                report = new(++done, result.Error is null ? failed : ++failed);
            }

            progress?.Report(report);
        }).ConfigureAwait(false);
        return results!;

        async IAsyncEnumerable<(int Index, EvaluationItem Item)> Numbered()
        {
            await foreach (EvaluationItem item in items.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                int index;
                lock (gate)
                {
                    index = results.Count;
                    results.Add(null);
                }

                yield return (index, item);
            }
        }
    }

    private async Task<EvaluatedItem> AskAsync(EvaluationItem item, CancellationToken cancellationToken)
    {
        try
        {
            return await _ask(item, Messages(item), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (_options.CountFailures && exception is not OperationCanceledException)
        {
            return new(item, null, exception.Message);
        }
    }

    private ChatMessage[] Messages(EvaluationItem item)
    {
        string prompt = _options.PromptTemplate.Replace(EvaluatorOptions.InputPlace, item.Input, StringComparison.Ordinal);
        ChatMessage[] messages = [.. (item.Conversation ?? []).SkipLast(1), new(ChatRole.User, prompt)];
        return _options.SystemPrompt is { } system && messages[0].Role != ChatRole.System ? [new(ChatRole.System, system), .. messages] : messages;
    }
}
