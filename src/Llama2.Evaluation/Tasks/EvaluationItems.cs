using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>Reads items to evaluate.</summary>
public static class EvaluationItems
{
    /// <summary>Reads a file of JSON lines, one object for each item, as they are needed. Blank lines are passed over.</summary>
    /// <param name="path">The file, in UTF-8.</param>
    /// <param name="inputKey">
    /// The key of the input: a text, or a conversation <c>[{"role", "content"}, …]</c>. The default is the contract's <c>input_string</c>.
    /// </param>
    /// <param name="referenceKey">
    /// The key of what the model should answer. The default is the contract's <c>ground_truth</c>; <see langword="null"/> takes what the conversation
    /// ends with, and of a text nothing. An answer that a conversation ends with is never shown to the model.
    /// </param>
    /// <param name="where">Says of a row whether it is wanted, or <see langword="null"/> for all.</param>
    /// <param name="cancellationToken">Seen between lines.</param>
    /// <exception cref="FileNotFoundException">There is no such file; thrown by the enumeration, as is the next.</exception>
    /// <exception cref="InvalidDataException">A line is no JSON object, or a key is missing or of another kind; the message names the line.</exception>
    public static IAsyncEnumerable<EvaluationItem> ReadJsonLinesAsync(
        string path,
        string inputKey = "input_string",
        string? referenceKey = "ground_truth",
        Predicate<JsonElement>? where = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentException.ThrowIfNullOrEmpty(inputKey);
        if (referenceKey is not null)
        {
            ArgumentException.ThrowIfNullOrEmpty(referenceKey);
        }

        return ReadAsync(path, inputKey, referenceKey, where, cancellationToken);
    }

    private static async IAsyncEnumerable<EvaluationItem> ReadAsync(
        string path, string inputKey, string? referenceKey, Predicate<JsonElement>? where, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long number = 0;
        await foreach (string line in File.ReadLinesAsync(path, cancellationToken).ConfigureAwait(false))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line) && Parse(line, inputKey, referenceKey, where, $"{path}, line {number}") is { } item)
            {
                yield return item;
            }
        }
    }

    private static EvaluationItem? Parse(string line, string inputKey, string? referenceKey, Predicate<JsonElement>? where, string place)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement row = document.RootElement;
            if (row.ValueKind is not JsonValueKind.Object)
            {
                throw new InvalidDataException($"{place}: found {row.ValueKind}, expected an object.");
            }

            return where?.Invoke(row) is false ? null
                : row.TryGetProperty(inputKey, out JsonElement input) && input.ValueKind is JsonValueKind.Array ? Conversation(row, input, inputKey, referenceKey, place)
                : new(Text(row, inputKey, place), referenceKey is null ? "" : Text(row, referenceKey, place));
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{place}: {exception.Message}", exception);
        }
    }

    private static EvaluationItem Conversation(JsonElement row, JsonElement input, string inputKey, string? referenceKey, string place)
    {
        List<ChatMessage> messages = Messages(input, inputKey, place);
        string? answer = messages is [.., { } last] && last.Role == ChatRole.Assistant ? last.Text : null;
        if (answer is not null)
        {
            messages.RemoveAt(messages.Count - 1);
        }

        ChatMessage question = Question(messages, inputKey, place);
        string reference = referenceKey is not null ? Text(row, referenceKey, place)
            : answer ?? throw new InvalidDataException($"{place}: '{inputKey}' ends with no assistant message, which would be the reference.");
        return new(question.Text, reference) { Conversation = messages };
    }

    internal static List<ChatMessage> Messages(JsonElement input, string inputKey, string place)
    {
        List<ChatMessage> messages = [];
        foreach (JsonElement message in input.EnumerateArray())
        {
            messages.Add(message.ValueKind is JsonValueKind.Object
                ? new(new ChatRole(Text(message, "role", place)), Text(message, "content", place))
                : throw new InvalidDataException($"{place}: '{inputKey}' holds {message.ValueKind}, expected objects with role and content."));
        }

        return messages;
    }

    /// <summary>What the model has to answer.</summary>
    internal static ChatMessage Question(List<ChatMessage> messages, string inputKey, string place) =>
        messages is [.., { } question] && question.Role == ChatRole.User ? question
        : throw new InvalidDataException($"{place}: '{inputKey}' has no message of the user to answer at its end.");

    internal static string Text(JsonElement row, string key, string place) =>
        !row.TryGetProperty(key, out JsonElement value) ? throw new InvalidDataException($"{place}: '{key}' is missing.")
        : value.ValueKind switch
        {
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Number => value.GetRawText(),     // a class may be a number
            JsonValueKind kind => throw new InvalidDataException($"{place}: '{key}' is {kind}, expected a string or a number."),
        };
}
