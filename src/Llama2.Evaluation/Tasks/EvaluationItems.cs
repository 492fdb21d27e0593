using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Llama2.Evaluation;

/// <summary>Reads items to evaluate.</summary>
public static class EvaluationItems
{
    /// <summary>Reads a file of JSON lines, one object for each item, as they are needed. Blank lines are passed over.</summary>
    /// <param name="path">The file, in UTF-8.</param>
    /// <param name="inputKey">The key of the input. The default is the contract's <c>input_string</c>.</param>
    /// <param name="referenceKey">The key of what the model should answer. The default is the contract's <c>ground_truth</c>.</param>
    /// <param name="cancellationToken">Seen between lines.</param>
    /// <exception cref="FileNotFoundException">There is no such file; thrown by the enumeration, as is the next.</exception>
    /// <exception cref="InvalidDataException">A line is no JSON object, or a key is missing or neither text nor a number; the message names the line.</exception>
    public static IAsyncEnumerable<EvaluationItem> ReadJsonLinesAsync(
        string path, string inputKey = "input_string", string referenceKey = "ground_truth", CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentException.ThrowIfNullOrEmpty(inputKey);
        ArgumentException.ThrowIfNullOrEmpty(referenceKey);
        return ReadAsync(path, inputKey, referenceKey, cancellationToken);
    }

    private static async IAsyncEnumerable<EvaluationItem> ReadAsync(
        string path, string inputKey, string referenceKey, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long number = 0;
        await foreach (string line in File.ReadLinesAsync(path, cancellationToken).ConfigureAwait(false))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
            {
                yield return Parse(line, inputKey, referenceKey, $"{path}, line {number}");
            }
        }
    }

    private static EvaluationItem Parse(string line, string inputKey, string referenceKey, string place)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind is JsonValueKind.Object
                ? new(Text(document.RootElement, inputKey, place), Text(document.RootElement, referenceKey, place))
                : throw new InvalidDataException($"{place}: found {document.RootElement.ValueKind}, expected an object.");
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{place}: {exception.Message}", exception);
        }
    }

    private static string Text(JsonElement row, string key, string place) =>
        !row.TryGetProperty(key, out JsonElement value) ? throw new InvalidDataException($"{place}: '{key}' is missing.")
        : value.ValueKind switch
        {
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Number => value.GetRawText(),     // a class may be a number
            JsonValueKind kind => throw new InvalidDataException($"{place}: '{key}' is {kind}, expected a string or a number."),
        };
}
