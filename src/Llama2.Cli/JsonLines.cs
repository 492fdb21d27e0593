using System.Text.Json;

namespace Llama2.Cli;

/// <summary>A filter: each line of standard input is a JSON object and is answered by one line of standard output, in order and at once.</summary>
internal static class JsonLines
{
    /// <summary>What the help of every filter ends with.</summary>
    public const string Contract = """
        Reads one JSON object per line of standard input and answers each with one line, in order and at once.
        A line that cannot be answered gets {"error": "…"}, and the exit code stays 0; blank lines are passed over.
        """;

    /// <param name="terminal">The streams.</param>
    /// <param name="answer">Writes the members of the answer to one object.</param>
    /// <param name="cancellationToken">Seen between lines, and while one is awaited.</param>
    public static async Task<int> RunAsync(Terminal terminal, Action<JsonElement, Utf8JsonWriter> answer, CancellationToken cancellationToken)
    {
        while (await NextLineAsync(terminal, cancellationToken) is { } line)
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            await terminal.Output.WriteLineAsync(Answer(line, answer));
            await terminal.Output.FlushAsync(cancellationToken);
        }

        return CommandLine.Success;
    }

    /// <summary>A line of standard input, which may be a terminal whose reading nobody can call off: so somebody else waits for it.</summary>
    public static Task<string?> NextLineAsync(Terminal terminal, CancellationToken cancellationToken) =>
        Task.Run(terminal.Input.ReadLine, cancellationToken).WaitAsync(cancellationToken);

    private static string Answer(string line, Action<JsonElement, Utf8JsonWriter> answer)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return Json.Object(writer => answer(document.RootElement, writer));
        }
        catch (Exception exception) when (
            exception is JsonException or FormatException or ArgumentException or InvalidOperationException or OutOfMemoryException)
        {
            return Json.Object(writer => writer.WriteString("error", CommandLine.Describe(exception)));
        }
    }
}
