using System.Text.Json;
using Llama2.Evaluation;

namespace Llama2.Cli;

/// <summary>The rows of <c>--test-data</c>: which column is asked, which one is the answer, which rows count.</summary>
internal sealed class EvaluationData
{
    private static readonly string[] _inputs = ["messages", "input_string", "text", "dialogue", "prompt"];
    private static readonly string[] _labels = ["ground_truth", "label_string", "label", "summary", "completion"];

    private readonly string _path;
    private readonly (string Column, string Value)[] _where;

    private EvaluationData(string path, (string, string)[] where) => (_path, _where) = (path, where);

    public required string Input { get; init; }

    /// <summary>Null where a conversation's own end is the answer, or none is needed.</summary>
    public required string? Label { get; init; }

    /// <summary>Whether the input is a conversation.</summary>
    public required bool IsConversation { get; init; }

    /// <summary>Looks at the first row for the columns that are not named.</summary>
    /// <param name="path">A file of JSON lines.</param>
    /// <param name="input">The input's column, or null.</param>
    /// <param name="label">The answer's column, or null.</param>
    /// <param name="where">What rows must have, as COLUMN=VALUE.</param>
    /// <param name="needsLabel">Whether something is compared with an answer.</param>
    /// <exception cref="UsageException">A column is missing, or there is no row.</exception>
    public static EvaluationData Open(string path, string? input, string? label, IReadOnlyList<string> where, bool needsLabel)
    {
        var data = new EvaluationData(path, [.. where.Select(Condition)]) { Input = "", Label = null, IsConversation = false };
        using JsonDocument document = data.FirstRow();
        JsonElement row = document.RootElement;
        string[] columns = [.. row.EnumerateObject().Select(column => column.Name)];
        input ??= Array.Find(_inputs, columns.Contains) ?? throw Missing("--input-column-names", _inputs);
        if (!columns.Contains(input))
        {
            throw Missing("--input-column-names", [input]);
        }

        bool isConversation = row.GetProperty(input).ValueKind is JsonValueKind.Array;
        if (label is null && needsLabel && !isConversation)
        {
            label = Array.Find(_labels, name => name != input && columns.Contains(name)) ?? throw Missing("--label-column-name", _labels);
        }
        else if (label is not null && !columns.Contains(label))
        {
            throw Missing("--label-column-name", [label]);
        }

        return new(path, data._where) { Input = input, Label = label, IsConversation = isConversation };

        UsageException Missing(string option, string[] wanted) => new(
            $"{option}: the first row of '{path}' has {string.Join(", ", columns.Select(name => $"'{name}'"))}, none of them {string.Join(" or ", wanted.Select(name => $"'{name}'"))}.");
    }

    /// <summary>Reads the rows that count.</summary>
    /// <param name="limit">The most of them.</param>
    /// <param name="cancellationToken">Seen between rows.</param>
    public async Task<IReadOnlyList<EvaluationItem>> ReadAsync(int limit, CancellationToken cancellationToken) =>
        await EvaluationItems.ReadJsonLinesAsync(_path, Input, Label, IsWanted, cancellationToken).Take(limit).ToArrayAsync(cancellationToken);

    private static (string Column, string Value) Condition(string text) =>
        text.IndexOf('=', StringComparison.Ordinal) is > 0 and int mark ? (text[..mark], text[(mark + 1)..])
        : throw new UsageException($"--where: COLUMN=VALUE is expected, such as task=emotion, not '{text}'.");

    private JsonDocument FirstRow()
    {
        long number = 0;
        foreach (string line in File.ReadLines(_path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            JsonDocument row;
            try
            {
                row = JsonDocument.Parse(line);
            }
            catch (JsonException exception)
            {
                throw new InvalidDataException($"{_path}, line {number}: {exception.Message}", exception);
            }

            if (row.RootElement.ValueKind is not JsonValueKind.Object)
            {
                throw new InvalidDataException($"{_path}, line {number}: an object is expected, not {row.RootElement.ValueKind}.");
            }

            if (IsWanted(row.RootElement))
            {
                return row;
            }

            row.Dispose();
        }

        throw new InvalidDataException($"'{_path}' has no row{(_where.Length > 0 ? " that --where asks for" : "")}.");
    }

    private bool IsWanted(JsonElement row) => Array.TrueForAll(_where, condition =>
        row.TryGetProperty(condition.Column, out JsonElement value)
        && string.Equals(value.ValueKind is JsonValueKind.String ? value.GetString() : value.GetRawText(), condition.Value, StringComparison.Ordinal));
}
