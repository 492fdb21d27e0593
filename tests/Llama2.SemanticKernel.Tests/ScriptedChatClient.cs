using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Stands in for a model that calls functions: each request gets the next reply of a script, the last one again and again.</summary>
internal sealed class ScriptedChatClient(params AIContent[][] script) : IChatClient
{
    private static readonly ChatClientMetadata _metadata = new("scripted", providerUri: null, "scripted");

    /// <summary>What was asked, as it was at that moment.</summary>
    public List<(ChatMessage[] Messages, ChatOptions? Options)> Requests { get; } = [];

    /// <summary>A call as a model makes it: its arguments are what JSON gives.</summary>
    public static Microsoft.Extensions.AI.FunctionCallContent Call(string id, string name, string json = "{}") =>
        new(id, name, System.Text.Json.JsonSerializer.Deserialize<Dictionary<string, object?>>(json));

    public static Microsoft.Extensions.AI.TextContent Text(string text) => new(text);

    /// <summary>A kernel whose chat service is the connector's own, with this client in the place of a model.</summary>
    public Kernel CreateKernel(params object[] plugins)
    {
        IKernelBuilder builder = Kernel.CreateBuilder();
        builder.Services.AddSingleton<IChatCompletionService>(provider => new Llama2ChatCompletionService(this.WithKernelFunctions(provider)));
        foreach (object plugin in plugins)
        {
            builder.Plugins.AddFromObject(plugin, plugin.GetType().Name);
        }

        return builder.Build();
    }

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, Next(messages, options, cancellationToken)))
        {
            ModelId = "scripted",
            Usage = new() { InputTokenCount = 3, OutputTokenCount = 2 },
        });

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.Yield();
        foreach (AIContent content in Next(messages, options, cancellationToken))
        {
            yield return new(ChatRole.Assistant, [content]) { ModelId = "scripted" };
        }

        yield return new(ChatRole.Assistant, [new UsageContent(new() { InputTokenCount = 3, OutputTokenCount = 2 })]);
    }

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is null && serviceType == typeof(ChatClientMetadata) ? _metadata : null;

    public void Dispose()
    {
    }

    private AIContent[] Next(IEnumerable<ChatMessage> messages, ChatOptions? options, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Requests.Add(([.. messages], options?.Clone()));
        return [.. script[Math.Min(Requests.Count, script.Length) - 1].Select(Fresh)];
    }

    /// <summary>A call is marked once it has run, so each reply has its own.</summary>
    private static AIContent Fresh(AIContent content) =>
        content is Microsoft.Extensions.AI.FunctionCallContent call ? new Microsoft.Extensions.AI.FunctionCallContent(call.CallId, call.Name, call.Arguments) : content;
}
