using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Llama2.Cli;

/// <summary>Writing JSON for other programs: one line, readable text, nothing escaped that need not be.</summary>
internal static class Json
{
    private static readonly JsonWriterOptions _options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One object on one line.</summary>
    /// <exception cref="ArgumentException">A number is not finite.</exception>
    public static string Object(Action<Utf8JsonWriter> writeMembers)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, _options))
        {
            writer.WriteStartObject();
            writeMembers(writer);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public static void WriteIds(this Utf8JsonWriter writer, string name, IEnumerable<int> ids)
    {
        writer.WriteStartArray(name);
        foreach (int id in ids)
        {
            writer.WriteNumberValue(id);
        }

        writer.WriteEndArray();
    }

    /// <summary>The member that must be there.</summary>
    /// <exception cref="FormatException">It is not, or is something else.</exception>
    public static JsonElement Member(this JsonElement element, string name, JsonValueKind kind)
    {
        if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out JsonElement member))
        {
            throw new FormatException($"An object with \"{name}\" is expected.");
        }

        return member.ValueKind == kind
            ? member
            : throw new FormatException($"\"{name}\": a JSON {Name(kind)} is expected, not {Name(member.ValueKind)}.");

        static string Name(JsonValueKind kind) => kind.ToString().ToLowerInvariant();
    }

    /// <summary>A member that is a list of whole numbers.</summary>
    /// <exception cref="FormatException">It is missing, or something else.</exception>
    public static int[] Ids(this JsonElement element, string name)
    {
        JsonElement array = element.Member(name, JsonValueKind.Array);
        var ids = new int[array.GetArrayLength()];
        int index = 0;
        foreach (JsonElement item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out ids[index]))
            {
                throw new FormatException($"\"{name}\"[{index}]: a whole number is expected, not {item.GetRawText()}.");
            }

            index++;
        }

        return ids;
    }
}
