using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Llama2.DemoModel;

/// <summary>Writes a corpus as JSONL, and beside it as plain text from which a tokenizer can be trained.</summary>
internal static class CorpusWriter
{
    private static readonly JsonWriterOptions _jsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Where <see cref="Write"/> puts the two files.</summary>
    public static (string Rows, string Text) Paths(string folder, CorpusSplit split)
    {
        string name = split.ToString().ToLowerInvariant();
        return (Path.Combine(folder, $"{name}.jsonl"), Path.Combine(folder, $"{name}.txt"));
    }

    /// <summary>Writes <c>{split}.jsonl</c> and <c>{split}.txt</c> into a folder; a file appears under its name only once it is complete.</summary>
    /// <returns>The paths of the two files.</returns>
    public static (string Rows, string Text) Write(string folder, CorpusOptions options, CancellationToken cancellationToken = default)
    {
        Directory.CreateDirectory(folder);
        (string rowsPath, string textPath) = Paths(folder, options.Split);
        using (Stream rows = File.Create(rowsPath + ".part"))
        using (StreamWriter text = new(textPath + ".part", append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { NewLine = "\n" })
        using (Utf8JsonWriter json = new(rows, _jsonOptions))
        {
            foreach (CorpusRow row in new CorpusGenerator(options).Generate())
            {
                cancellationToken.ThrowIfCancellationRequested();
                WriteRow(json, row);
                json.Flush();
                json.Reset();
                rows.WriteByte((byte)'\n');
                foreach (RowMessage message in row.Messages)
                {
                    text.WriteLine(message.Content);
                }
            }
        }

        File.Move(rowsPath + ".part", rowsPath, overwrite: true);
        File.Move(textPath + ".part", textPath, overwrite: true);
        return (rowsPath, textPath);
    }

    /// <summary>Reads one line that <see cref="Write"/> wrote.</summary>
    public static CorpusRow Read(string line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        JsonElement root = document.RootElement;
        List<RowMessage> messages = [];
        foreach (JsonElement message in root.GetProperty("messages").EnumerateArray())
        {
            messages.Add(new(Text(message, "role"), Text(message, "content")));
        }

        return new(messages, Text(root, "task"), Text(root, "label"));
    }

    private static string Text(JsonElement element, string name) =>
        element.GetProperty(name).GetString() ?? throw new JsonException($"'{name}' is null.");

    private static void WriteRow(Utf8JsonWriter json, CorpusRow row)
    {
        json.WriteStartObject();
        json.WriteStartArray("messages");
        foreach (RowMessage message in row.Messages)
        {
            json.WriteStartObject();
            json.WriteString("role", message.Role);
            json.WriteString("content", message.Content);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("task", row.Task);
        json.WriteString("label", row.Label);
        json.WriteEndObject();
    }
}
