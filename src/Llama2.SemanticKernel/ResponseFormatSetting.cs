using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Llama2.SemanticKernel;

/// <summary>The setting <c>response_format</c> in the forms that JSON, YAML and code give it.</summary>
internal static class ResponseFormatSetting
{
    public const string Name = "response_format";
    public const string Form = "text, json_object or a JSON schema";

    /// <summary>Reads a format; null where the value has another form.</summary>
    public static ChatResponseFormat? Read(object value) => value switch
    {
        ChatResponseFormat format => format,
        Type type => ChatResponseFormat.ForJsonSchema(type),
        string text => ReadText(text),
        JsonElement { ValueKind: JsonValueKind.String } json => ReadText(json.GetString()!),
        JsonElement { ValueKind: JsonValueKind.Object } json => ReadObject(json),
        JsonElement => null,
        JsonNode or System.Collections.IDictionary =>
            Read(JsonSerializer.SerializeToElement(value, AIJsonUtilities.DefaultOptions.GetTypeInfo(value.GetType()))),
        _ => null,
    };

    /// <summary>A form that <see cref="Read"/> reads back.</summary>
    public static object Describe(ChatResponseFormat format)
    {
        if (format is not ChatResponseFormatJson json)
        {
            return "text";
        }

        if (json.Schema is not { } schema)
        {
            return "json_object";
        }

        return json.SchemaName is null && json.SchemaDescription is null ? schema : new JsonObject
        {
            ["type"] = "json_schema",
            ["json_schema"] = new JsonObject
            {
                ["name"] = json.SchemaName,
                ["description"] = json.SchemaDescription,
                ["schema"] = JsonObject.Create(schema),
            },
        };
    }

    private static ChatResponseFormat? ReadText(string text)
    {
        switch (text.Trim())
        {
            case "text":
                return ChatResponseFormat.Text;
            case "json_object":
                return ChatResponseFormat.Json;
            case ['{', ..] schema:
                try
                {
                    using JsonDocument document = JsonDocument.Parse(schema);
                    return ReadObject(document.RootElement.Clone());
                }
                catch (JsonException)
                {
                    return null;                        // the caller says what was expected
                }

            default:
                return null;
        }
    }

    /// <summary>A schema, or OpenAI's object around one; their types are no types of a schema.</summary>
    private static ChatResponseFormat? ReadObject(JsonElement json)
    {
        switch (Member(json, "type"))
        {
            case "text":
                return ChatResponseFormat.Text;
            case "json_object":
                return ChatResponseFormat.Json;
            case "json_schema":
                return json.TryGetProperty("json_schema", out JsonElement named) && named.ValueKind == JsonValueKind.Object && named.TryGetProperty("schema", out JsonElement schema)
                    ? ChatResponseFormat.ForJsonSchema(schema, Member(named, "name"), Member(named, "description"))
                    : null;
            default:
                return ChatResponseFormat.ForJsonSchema(json);
        }
    }

    private static string? Member(JsonElement json, string name) =>
        json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
