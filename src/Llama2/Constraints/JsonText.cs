using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Llama2;

/// <summary>JSON as constraints spell it: no white space, and only those characters escaped that must be.</summary>
internal static class JsonText
{
    public static string Quote(string text) => $"\"{string.Concat(text.Select(Escape))}\"";

    /// <summary>A character as it stands in a string.</summary>
    public static string Escape(char character) => character switch
    {
        '"' => "\\\"",
        '\\' => @"\\",
        '\b' => @"\b",
        '\f' => @"\f",
        '\n' => @"\n",
        '\r' => @"\r",
        '\t' => @"\t",
        < ' ' => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
        _ => character.ToString(),
    };

    /// <summary>A value; numbers stay as they are written.</summary>
    /// <exception cref="InvalidOperationException">A string holds half of a surrogate pair.</exception>
    public static string Of(JsonElement element)
    {
        var text = new StringBuilder();
        Append(element, text);
        return text.ToString();
    }

    private static void Append(JsonElement element, StringBuilder text)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                text.Append(Quote(element.GetString()!));
                break;
            case JsonValueKind.Array:
                text.Append('[');
                foreach (JsonElement item in element.EnumerateArray())
                {
                    text.Append(text[^1] == '[' ? "" : ",");
                    Append(item, text);
                }

                text.Append(']');
                break;
            case JsonValueKind.Object:
                text.Append('{');
                foreach (JsonProperty member in element.EnumerateObject())
                {
                    text.Append(text[^1] == '{' ? "" : ",").Append(Quote(member.Name)).Append(':');
                    Append(member.Value, text);
                }

                text.Append('}');
                break;
            default:
                text.Append(element.GetRawText());
                break;
        }
    }
}
