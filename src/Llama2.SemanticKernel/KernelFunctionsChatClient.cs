using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using FunctionCallContent = Microsoft.Extensions.AI.FunctionCallContent;

namespace Llama2.SemanticKernel;

/// <summary>
/// Stands between Semantic Kernel's functions and a model. Their schemas lose a member that is no JSON schema's, and text in a model's calls becomes
/// <see cref="string"/>, which Semantic Kernel binds to an enum or a date, unlike JSON's text.
/// </summary>
internal sealed class KernelFunctionsChatClient(IChatClient innerClient) : DelegatingChatClient(innerClient)
{
    private const string NoKeyword = "condition";                  // Semantic Kernel writes it beside "type"

    public override async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ChatResponse response = await base.GetResponseAsync(messages, WithPlainSchemas(options), cancellationToken).ConfigureAwait(false);
        foreach (ChatMessage message in response.Messages)
        {
            MakeArgumentsPlain(message.Contents);
        }

        return response;
    }

    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (ChatResponseUpdate update in base.GetStreamingResponseAsync(messages, WithPlainSchemas(options), cancellationToken).ConfigureAwait(false))
        {
            MakeArgumentsPlain(update.Contents);
            yield return update;
        }
    }

    private static ChatOptions? WithPlainSchemas(ChatOptions? options)
    {
        if (options?.Tools?.Any(HasNoKeyword) is not true)
        {
            return options;
        }

        options = options.Clone();
        options.Tools = [.. options.Tools!.Select(tool => HasNoKeyword(tool) ? WithPlainSchema((AIFunctionDeclaration)tool) : tool)];
        return options;
    }

    private static bool HasNoKeyword(AITool tool) =>
        tool is AIFunctionDeclaration { JsonSchema.ValueKind: JsonValueKind.Object } function && function.JsonSchema.TryGetProperty(NoKeyword, out _);

    private static AIFunctionDeclaration WithPlainSchema(AIFunctionDeclaration function)
    {
        JsonObject schema = JsonObject.Create(function.JsonSchema)!;
        schema.Remove(NoKeyword);
        return AIFunctionFactory.CreateDeclaration(function.Name, function.Description, JsonElement.Parse(schema.ToJsonString()));
    }

    private static void MakeArgumentsPlain(IList<AIContent> contents)
    {
        foreach (FunctionCallContent call in contents.OfType<FunctionCallContent>())
        {
            call.Arguments = call.Arguments?.ToDictionary(
                argument => argument.Key, argument => argument.Value is JsonElement { ValueKind: JsonValueKind.String } text ? text.GetString() : argument.Value);
        }
    }
}
