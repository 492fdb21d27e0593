using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>Asks a client about items, several at a time, and keeps their order.</summary>
internal sealed class ItemRunner
{
    private readonly IChatClient _client;
    private readonly EvaluatorOptions _options;

    public ItemRunner(IChatClient client, EvaluatorOptions options)
    {
        ArgumentNullException.ThrowIfNull(client);
        options.Validate();
        (_client, _options) = (client, options);
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
        string prompt = _options.PromptTemplate.Replace(EvaluatorOptions.InputPlace, item.Input, StringComparison.Ordinal);
        ChatMessage[] messages = _options.SystemPrompt is { } system
            ? [new(ChatRole.System, system), new(ChatRole.User, prompt)]
            : [new(ChatRole.User, prompt)];
        try
        {
            ChatResponse response = await _client.GetResponseAsync(messages, _options.ChatOptions, cancellationToken).ConfigureAwait(false);
            return new(item, response.Text.Trim(), null);
        }
        catch (Exception exception) when (_options.CountFailures && exception is not OperationCanceledException)
        {
            return new(item, null, exception.Message);
        }
    }
}
