using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>Reads cases of function calling.</summary>
public static class ToolCallItems
{
    /// <summary>Reads a file of JSON lines, one object for each case, as they are needed. Blank lines are passed over.</summary>
    /// <param name="path">
    /// The file, in UTF-8. A case is <c>{"messages": [{"role", "content"}, …], "tools": [{"name", "description", "parameters"}, …], "expected": {"name",
    /// "arguments"}}</c>: the last message is the user's, <c>parameters</c> is a JSON schema, and <c>expected</c> is null where no call is due. Tools may also
    /// have OpenAI's form, <c>{"type": "function", "function": {…}}</c>.
    /// </param>
    /// <param name="cancellationToken">Seen between lines.</param>
    /// <exception cref="FileNotFoundException">There is no such file; thrown by the enumeration, as is the next.</exception>
    /// <exception cref="InvalidDataException">A line is no such case; the message names the line.</exception>
    public static IAsyncEnumerable<EvaluationItem> ReadJsonLinesAsync(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return ReadAsync(path, cancellationToken);
    }

    private static async IAsyncEnumerable<EvaluationItem> ReadAsync(string path, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long number = 0;
        await foreach (string line in File.ReadLinesAsync(path, cancellationToken).ConfigureAwait(false))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
            {
                yield return Parse(line, $"{path}, line {number}");
            }
        }
    }

    private static EvaluationItem Parse(string line, string place)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement row = document.RootElement;
            if (row.ValueKind is not JsonValueKind.Object)
            {
                throw new InvalidDataException($"{place}: found {row.ValueKind}, expected an object.");
            }

            List<ChatMessage> messages = EvaluationItems.Messages(Member(row, "messages", JsonValueKind.Array, place), "messages", place);
            AIFunctionDeclaration[] tools = [.. Member(row, "tools", JsonValueKind.Array, place).EnumerateArray().Select(tool => Tool(tool, place))];
            ToolCall? expected = Expected(row, place);
            return expected is not null && !Array.Exists(tools, tool => tool.Name == expected.Name)
                ? throw new InvalidDataException($"{place}: 'expected' calls '{expected.Name}', which is none of the tools.")
                : new(EvaluationItems.Question(messages, "messages", place).Text, expected?.ToString() ?? "") { Conversation = messages, Tools = tools, ExpectedCall = expected };
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{place}: {exception.Message}", exception);
        }
    }

    private static AIFunctionDeclaration Tool(JsonElement tool, string place)
    {
        if (tool.ValueKind is JsonValueKind.Object && tool.TryGetProperty("function", out JsonElement wrapped))
        {
            tool = wrapped;
        }

        if (tool.ValueKind is not JsonValueKind.Object)
        {
            throw new InvalidDataException($"{place}: 'tools' holds {tool.ValueKind}, expected objects with name, description and parameters.");
        }

        string description = tool.TryGetProperty("description", out _) ? EvaluationItems.Text(tool, "description", place) : "";
        return AIFunctionFactory.CreateDeclaration(
            EvaluationItems.Text(tool, "name", place), description, Member(tool, "parameters", JsonValueKind.Object, place).Clone());
    }

    /// <summary>The key has to be there: a case without it was hardly meant to say "no call".</summary>
    private static ToolCall? Expected(JsonElement row, string place)
    {
        if (row.TryGetProperty("expected", out JsonElement expected) && expected.ValueKind is JsonValueKind.Null)
        {
            return null;
        }

        expected = Member(row, "expected", JsonValueKind.Object, place);
        return new(EvaluationItems.Text(expected, "name", place), Member(expected, "arguments", JsonValueKind.Object, place).Clone());
    }

    private static JsonElement Member(JsonElement row, string key, JsonValueKind kind, string place) =>
        !row.TryGetProperty(key, out JsonElement value) ? throw new InvalidDataException($"{place}: '{key}' is missing.")
        : value.ValueKind == kind ? value
        : throw new InvalidDataException($"{place}: '{key}' is {value.ValueKind}, expected {kind}.");
}
