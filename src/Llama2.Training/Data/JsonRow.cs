using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Llama2.Training;

/// <summary>Reads a row that is a JSON object.</summary>
internal static class JsonRow
{
    // A key that stands twice would train on one of two values, and nobody knows which.
    private static readonly JsonDocumentOptions _strict = new() { AllowDuplicateProperties = false };

    /// <exception cref="BadRowException">The row is no such object.</exception>
    public static DataRow Read(ReadOnlyMemory<byte> utf8, TrainingDataOptions options)
    {
        using JsonDocument document = Parse(utf8);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            string hint = root.ValueKind == JsonValueKind.Array ? "; a file has one object per line, not one list" : "";
            throw new BadRowException($"the row is a JSON {Name(root)}, not an object{hint}");
        }

        if (root.TryGetProperty(options.MessagesKey, out JsonElement messages) && messages.ValueKind != JsonValueKind.Null)
        {
            return DataRow.Conversation(Messages(messages, options.MessagesKey));
        }

        string text = Text(root, options.TextKey, $"neither '{options.MessagesKey}' nor ");
        return DataRow.Pair(text, options.GroundTruthKey is string key ? Text(root, key, "no ") : null);
    }

    /// <summary>Reads the messages that a column of another format holds as JSON.</summary>
    public static IReadOnlyList<ChatMessage> ReadMessages(string json, string key)
    {
        using JsonDocument document = Parse(System.Text.Encoding.UTF8.GetBytes(json), $"'{key}' ");
        return Messages(document.RootElement, key);
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> utf8, string what = "the row ")
    {
        try
        {
            return JsonDocument.Parse(utf8, _strict);
        }
        catch (JsonException exception)
        {
            throw new BadRowException($"{what}is no valid JSON at byte {exception.BytePositionInLine}", exception);
        }
    }

    private static ChatMessage[] Messages(JsonElement list, string key)
    {
        if (list.ValueKind != JsonValueKind.Array)
        {
            throw new BadRowException($"'{key}' is a JSON {Name(list)}, not a list");
        }

        var messages = new List<ChatMessage>();
        foreach (JsonElement message in list.EnumerateArray())
        {
            if (message.ValueKind != JsonValueKind.Object)
            {
                throw new BadRowException($"message {messages.Count} of '{key}' is a JSON {Name(message)}, not an object");
            }

            string missing = $"message {messages.Count} of '{key}' has no ", role = Text(message, "role", missing);
            messages.Add(new(new ChatRole(role.Length > 0 ? role : throw new BadRowException($"message {messages.Count} of '{key}' has an empty role")),
                Text(message, "content", missing)));
        }

        return [.. messages];
    }

    private static string Text(JsonElement row, string key, string missing)
    {
        if (!row.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            throw new BadRowException($"{missing}'{key}'");
        }

        try
        {
            return value.ValueKind switch
            {
                JsonValueKind.String => value.GetString()!,
                JsonValueKind.Number => value.GetRawText(),                  // a class label, say
                _ => throw new BadRowException($"'{key}' is a JSON {Name(value)}, not a text"),
            };
        }
        catch (InvalidOperationException exception)
        {
            throw new BadRowException($"'{key}' holds half of a surrogate pair", exception);
        }
    }

    private static string Name(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Array => "list",
        JsonValueKind.Object => "object",
        JsonValueKind.String => "text",
        JsonValueKind.Number => "number",
        JsonValueKind.Null => "null",
        _ => "truth value",
    };
}
