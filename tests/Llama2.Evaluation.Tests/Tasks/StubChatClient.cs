using Microsoft.Extensions.AI;

namespace Llama2.Evaluation.Tests;

/// <summary>Answers by a function of the last message.</summary>
internal sealed class StubChatClient(Func<IReadOnlyList<ChatMessage>, ChatOptions?, CancellationToken, Task<string>> answer) : IChatClient
{
    public StubChatClient(Func<string, string> answer)
        : this((messages, _, _) => Task.FromResult(answer(messages[^1].Text)))
    {
    }

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        new(new ChatMessage(ChatRole.Assistant, await answer([.. messages], options, cancellationToken)));

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceType == typeof(ChatClientMetadata) ? new ChatClientMetadata("stub", null, "stub-model") : null;

    public void Dispose()
    {
    }
}
