using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>A call of a function. Two are equal if they name one function and their arguments are equal as JSON, whatever the order of the members.</summary>
/// <param name="Name">The function's name.</param>
/// <param name="Arguments">The arguments: a JSON object.</param>
public sealed record ToolCall(string Name, JsonElement Arguments)
{
    /// <summary>Takes over a call that a model made.</summary>
    /// <param name="call">The call.</param>
    public static ToolCall Of(FunctionCallContent call)
    {
        ArgumentNullException.ThrowIfNull(call);
        IDictionary<string, object?> arguments = call.Arguments ?? new Dictionary<string, object?>();
        return new(call.Name, JsonSerializer.SerializeToElement(arguments, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>))));
    }

    /// <inheritdoc/>
    public bool Equals(ToolCall? other) => other is not null && Name == other.Name && JsonElement.DeepEquals(Arguments, other.Arguments);

    /// <inheritdoc/>
    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);

    /// <summary>Writes the call for people: <c>name({…})</c>.</summary>
    public override string ToString() => $"{Name}({Arguments.GetRawText()})";
}
