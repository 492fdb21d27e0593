using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>The functions that a request offers to the model, and how it may use them. Immutable.</summary>
/// <param name="Functions">The functions; at least one.</param>
/// <param name="IsRequired">Whether the answer has to be a call.</param>
/// <param name="AllowsSeveral">Whether it may be several calls.</param>
internal sealed record ToolSet(IReadOnlyList<AIFunctionDeclaration> Functions, bool IsRequired, bool AllowsSeveral)
{
    /// <summary>The functions that it may call now; the model is told of all, so that the prompt stays the same while the mode changes.</summary>
    public IReadOnlyList<AIFunctionDeclaration> Callable { get; init; } = Functions;

    /// <summary>Reads <see cref="ChatOptions.Tools"/>, <see cref="ChatOptions.ToolMode"/> and <see cref="ChatOptions.AllowMultipleToolCalls"/>.</summary>
    /// <returns>The set; null where the model may not call.</returns>
    /// <exception cref="ArgumentException">A call is required, but its function is not offered; or two functions have one name.</exception>
    /// <exception cref="NotSupportedException">A tool is no function.</exception>
    public static ToolSet? From(ChatOptions? options)
    {
        var required = options?.ToolMode as RequiredChatToolMode;
        if (options is null || options.ToolMode is NoneChatToolMode || (options.Tools is not { Count: > 0 } && required is null))
        {
            return null;
        }

        var functions = new OrderedDictionary<string, AIFunctionDeclaration>();
        foreach (AITool tool in options.Tools ?? [])
        {
            if (tool is not AIFunctionDeclaration function)
            {
                throw new NotSupportedException($"ChatOptions.Tools holds {tool?.GetType().Name ?? "null"}; this client offers functions only.");
            }

            if (!functions.TryAdd(function.Name, function))
            {
                throw new ArgumentException($"ChatOptions.Tools holds two functions with the name '{function.Name}'.");
            }
        }

        string? name = required?.RequiredFunctionName;
        if (required is not null && (functions.Count == 0 || (name is not null && !functions.ContainsKey(name))))
        {
            throw new ArgumentException($"ChatOptions.ToolMode requires a call{(name is null ? "" : $" of '{name}'")}, but ChatOptions.Tools does not offer it.");
        }

        AIFunctionDeclaration[] all = [.. functions.Values];
        return new(all, required is not null, options.AllowMultipleToolCalls is not false) { Callable = name is null ? all : [functions[name]] };
    }
}
