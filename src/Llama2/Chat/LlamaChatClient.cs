using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>A Llama model as an <see cref="IChatClient"/>. Thread-safe; reached through <see cref="LlamaModel.AsIChatClient"/>.</summary>
internal sealed class LlamaChatClient(LlamaModel model, bool leaveOpen) : IChatClient
{
    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();

    public object? GetService(Type serviceType, object? serviceKey = null) => throw new NotImplementedException();

    public void Dispose()
    {
        if (!leaveOpen)
        {
            model.Dispose();
        }
    }
}
