using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>How functions, calls and results are written for a model that was not trained for them.</summary>
/// <remarks>
/// A call is <c>&lt;call&gt;{"name": "function", "arguments": {…}}&lt;/call&gt;</c> in the model's turn, its result
/// <c>&lt;result&gt;…&lt;/result&gt;</c> in the user's next one. A reply that begins with <see cref="Begin"/> is calls and nothing else.
/// </remarks>
internal static class ToolCallFormat
{
    public const string Begin = "<call>";
    public const string End = "</call>";

    private const string Name = "{\"name\": ";
    private const string Arguments = ", \"arguments\": ";

    /// <summary>What the model is told about the functions; <see cref="LlamaModelOptions.UseToolPrompt"/> replaces it.</summary>
    public static string Describe(ToolSet tools)
    {
        var text = new StringBuilder();
        text.Append("You can call functions. A call is written like this, with nothing before or after it:\n");
        text.Append(Begin).Append(Name).Append("\"function\"").Append(Arguments).Append("{\"parameter\": \"value\"}}").Append(End).Append('\n');
        text.Append(tools.AllowsSeveral ? "Several calls are written one right after the other. " : "Make one call at a time. ");
        text.Append("The next message then holds the result, between <result> and </result>.\n");
        text.Append("Call a function where it helps. Otherwise, and once you have the results, answer in words.\n");
        text.Append("The functions and the JSON schemas of their arguments:");
        foreach (AIFunctionDeclaration function in tools.Functions)
        {
            text.Append("\n{\"name\": ").Append(JsonText.Quote(function.Name));
            if (!string.IsNullOrWhiteSpace(function.Description))
            {
                text.Append(", \"description\": ").Append(JsonText.Quote(function.Description));
            }

            text.Append(", \"parameters\": ").Append(JsonText.Of(function.JsonSchema)).Append('}');
        }

        return text.ToString();
    }

    /// <summary>What the model's answer has to look like.</summary>
    /// <param name="tools">The functions.</param>
    /// <param name="answer">What an answer in words has to look like; null for anything.</param>
    /// <exception cref="GenerationConstraintException">The schema of a function's arguments is not supported; the message names the function.</exception>
    public static GenerationConstraint Constrain(ToolSet tools, GenerationConstraint? answer)
    {
        string[] key =
        [
            $"{tools.IsRequired} {tools.AllowsSeveral} {answer?.Kind}", .. answer?.Texts ?? [],
            .. tools.Callable.SelectMany(function => (string[])[function.Name, function.JsonSchema.GetRawText()]),
        ];
        return GenerationConstraint.Tools(key, answer, Write);

        int Write(GrammarBuilder builder, int end)
        {
            int more = builder.Reserve();
            int[] calls = [.. tools.Callable.Select(function => Call(builder, function, more))];
            int first = builder.Any(calls);
            builder.Define(more, tools.AllowsSeveral ? [end, first] : [end]);
            return tools.IsRequired ? first : builder.Any(first, answer is null ? Words(builder, end) : answer.Write(builder, end));
        }
    }

    /// <summary>An assistant's message with its calls, as text.</summary>
    public static string Spell(FunctionCallContent call)
    {
        object arguments = call.Arguments ?? new Dictionary<string, object?>();
        return $"{Begin}{Name}{JsonText.Quote(call.Name)}{Arguments}{Json(arguments, typeof(IDictionary<string, object?>))}}}{End}";
    }

    /// <summary>A result, as text: strings as they are, else JSON.</summary>
    public static string Spell(FunctionResultContent result)
    {
        string text = result.Result switch
        {
            null when result.Exception is { } error => $"Error: {error.Message}",
            null => "null",
            string plain => plain,
            JsonElement { ValueKind: JsonValueKind.String } json => json.GetString()!,
            JsonElement json => JsonText.Of(json),
            { } other => Json(other, typeof(object)),
        };
        return $"<result>{text}</result>";
    }

    /// <summary>Reads the calls of a whole reply, as <see cref="Constrain"/> makes the model write it.</summary>
    public static List<FunctionCallContent> Read(string text)
    {
        var calls = new List<FunctionCallContent>();
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text);
        while (!rest.IsEmpty)
        {
            rest = rest[Begin.Length..];
            var reader = new Utf8JsonReader(rest, isFinalBlock: false, default);      // what follows the object is no JSON
            using var call = JsonDocument.ParseValue(ref reader);
            var arguments = new Dictionary<string, object?>();
            foreach (JsonProperty argument in call.RootElement.GetProperty("arguments").EnumerateObject())
            {
                arguments[argument.Name] = argument.Value.Clone();
            }

            calls.Add(new($"call_{Guid.NewGuid():N}", call.RootElement.GetProperty("name").GetString()!, arguments));
            rest = rest[((int)reader.BytesConsumed + End.Length)..];
        }

        return calls;
    }

    private static int Call(GrammarBuilder builder, AIFunctionDeclaration function, int next)
    {
        int end = builder.Text("}" + End, next);
        try
        {
            return builder.Text($"{Begin}{Name}{JsonText.Quote(function.Name)}{Arguments}", JsonSchemaGrammar.Write(builder, function.JsonSchema, JsonTypes.Object, end));
        }
        catch (GenerationConstraintException error)
        {
            throw new GenerationConstraintException($"The arguments of the function '{function.Name}': {error.Message}", error.Location, error);
        }
    }

    /// <summary>Any text that does not begin as a call does.</summary>
    private static int Words(GrammarBuilder builder, int end)
    {
        int rest = builder.Repeat(next => builder.Runes(RuneSet.All, next), 0, null, end);
        int node = end;                                  // the marker itself is no beginning of words, so it leads nowhere from here
        for (int i = Begin.Length - 1; i >= 0; i--)
        {
            int other = builder.Runes(RuneSet.Of(Begin[i]).Complement(), rest);
            node = i == Begin.Length - 1 ? builder.Any(end, other) : builder.Any(end, other, builder.Text(Begin.AsSpan(i, 1), node));
        }

        return node;
    }

    private static string Json(object value, Type type)
    {
        JsonTypeInfo info = AIJsonUtilities.DefaultOptions.GetTypeInfo(type);
        using JsonDocument document = JsonDocument.Parse(JsonSerializer.SerializeToUtf8Bytes(value, info));
        return JsonText.Of(document.RootElement);
    }
}
