using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace Llama2.SemanticKernel;

/// <summary>
/// A chat client as Semantic Kernel's service, through Semantic Kernel's own adapter. It adds what the adapter leaves out: settings without types are
/// read exactly, and a stream's usage has the type that it has elsewhere. Thread-safe.
/// </summary>
internal sealed class Llama2ChatCompletionService(IChatClient client) : IChatCompletionService
{
    private readonly IChatCompletionService _adapter = client.AsChatCompletionService();

    public IReadOnlyDictionary<string, object?> Attributes => _adapter.Attributes;

    public async Task<IReadOnlyList<ChatMessageContent>> GetChatMessageContentsAsync(
        ChatHistory chatHistory, PromptExecutionSettings? executionSettings = null, Kernel? kernel = null, CancellationToken cancellationToken = default) =>
        await _adapter.GetChatMessageContentsAsync(chatHistory, executionSettings.Typed(), kernel, cancellationToken).ConfigureAwait(false);

    public async IAsyncEnumerable<StreamingChatMessageContent> GetStreamingChatMessageContentsAsync(
        ChatHistory chatHistory,
        PromptExecutionSettings? executionSettings = null,
        Kernel? kernel = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        IAsyncEnumerable<StreamingChatMessageContent> chunks =
            _adapter.GetStreamingChatMessageContentsAsync(chatHistory, executionSettings.Typed(), kernel, cancellationToken);
        await foreach (StreamingChatMessageContent chunk in chunks.ConfigureAwait(false))
        {
            if (chunk.Metadata?.GetValueOrDefault("Usage") is UsageContent usage)
            {
                chunk.Metadata = new Dictionary<string, object?>(chunk.Metadata) { ["Usage"] = usage.Details };
            }

            yield return chunk;
        }
    }
}
