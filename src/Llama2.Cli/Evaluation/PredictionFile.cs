using System.Text;
using System.Text.Json;
using Llama2.Evaluation;
using Microsoft.Extensions.AI;

namespace Llama2.Cli;

/// <summary>The contract's outputs of a prediction, one JSON object for each item.</summary>
internal static class PredictionFile
{
    public static Task WriteAsync(string folder, ClassificationEvaluation result, IReadOnlyList<string> classes, CancellationToken cancellationToken) =>
        WriteAsync(
            folder,
            result.Items.Select((item, index) => Json.Object(json =>
            {
                json.WriteString("predictions", result.Predictions[index]);
                json.WriteString("ground_truth", item.Item.Reference);
                if (item.Probabilities is { } probabilities)
                {
                    json.WriteStartObject("prediction_probabilities");
                    foreach ((string name, double probability) in classes.Zip(probabilities))
                    {
                        json.WriteNumber(name, probability);
                    }

                    json.WriteEndObject();
                }
                else
                {
                    json.WriteString("answer", item.Answer);
                }

                WriteError(json, item);
            })),
            cancellationToken);

    public static Task WriteAsync(string folder, TextGenerationEvaluation result, CancellationToken cancellationToken) =>
        WriteAsync(
            folder,
            result.Items.Select((item, index) => Json.Object(json =>
            {
                json.WriteString("predictions", item.Answer);
                if (item.Item.Conversation is { } conversation && item.Answer is { } answer)
                {
                    WriteConversation(json, [.. conversation, new(ChatRole.Assistant, answer)]);
                }

                json.WriteString("ground_truth", item.Item.Reference);
                json.WriteStartObject("scores");
                foreach ((string name, IReadOnlyList<double> scores) in result.ItemScores)
                {
                    json.WriteNumber(name, scores[index]);
                }

                json.WriteEndObject();
                WriteError(json, item);
            })),
            cancellationToken);

    public static Task WriteAsync(string folder, ToolCallingEvaluation result, CancellationToken cancellationToken) =>
        WriteAsync(
            folder,
            result.Items.Select(item => Json.Object(json =>
            {
                WriteCall(json, "predictions", item.Calls is [var call, ..] ? call : null);
                WriteCall(json, "ground_truth", item.Item.ExpectedCall);
                json.WriteString("answer", item.Answer);
                WriteError(json, item);
            })),
            cancellationToken);

    /// <summary>How long it took and how much there was: the contract's performance metadata, one record.</summary>
    public static Task WritePerformanceAsync(
        string folder, IReadOnlyList<EvaluatedItem> items, int batchSize, DateTimeOffset start, DateTimeOffset end, CancellationToken cancellationToken)
    {
        string record = Json.Object(json =>
        {
            json.WriteNumber("batch_size", batchSize);
            json.WriteString("start_time_iso", start);
            json.WriteString("end_time_iso", end);
            json.WriteNumber("time_taken_ms", Math.Round((end - start).TotalMilliseconds));
            json.WriteNumber("input_character_count", items.Sum(item => (long)item.Item.Input.Length));
            json.WriteNumber("output_character_count", items.Sum(item => (long)(item.Answer?.Length ?? 0)));
            if (items.Any(item => item.Usage is not null))       // scored labels have none
            {
                json.WriteNumber("input_token_count", items.Sum(item => item.Usage?.InputTokenCount ?? 0));
                json.WriteNumber("output_token_count", items.Sum(item => item.Usage?.OutputTokenCount ?? 0));
            }
        });
        return ReplaceAsync(folder, "performance_metadata.jsonl", record + "\n", cancellationToken);
    }

    public static Task WriteAccuracyTableAsync(string folder, AccuracyTable table, CancellationToken cancellationToken) =>
        ReplaceAsync(folder, "accuracy_table.json", ToJson(table) + "\n", cancellationToken);

    private static string ToJson(AccuracyTable table) => Json.Object(json =>
    {
        json.WriteStartArray("thresholds");
        foreach (double threshold in table.Thresholds)
        {
            json.WriteNumberValue(threshold);
        }

        json.WriteEndArray();
        json.WriteStartObject("classes");
        foreach ((string name, IReadOnlyList<ThresholdCounts> counts) in table.Classes.Zip(table.Counts))
        {
            json.WriteStartObject(name);
            WriteCounts(json, "true_positives", counts.Select(count => count.TruePositives));
            WriteCounts(json, "false_positives", counts.Select(count => count.FalsePositives));
            WriteCounts(json, "true_negatives", counts.Select(count => count.TrueNegatives));
            WriteCounts(json, "false_negatives", counts.Select(count => count.FalseNegatives));
            json.WriteEndObject();
        }

        json.WriteEndObject();
    });

    private static void WriteCounts(Utf8JsonWriter json, string name, IEnumerable<long> counts)
    {
        json.WriteStartArray(name);
        foreach (long count in counts)
        {
            json.WriteNumberValue(count);
        }

        json.WriteEndArray();
    }

    private static void WriteConversation(Utf8JsonWriter json, IEnumerable<ChatMessage> messages)
    {
        json.WriteStartArray("prediction_appended");
        foreach (ChatMessage message in messages)
        {
            json.WriteStartObject();
            json.WriteString("role", message.Role.Value);
            json.WriteString("content", message.Text);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteCall(Utf8JsonWriter json, string name, ToolCall? call)
    {
        if (call is null)
        {
            json.WriteNull(name);
            return;
        }

        json.WriteStartObject(name);
        json.WriteString("name", call.Name);
        json.WritePropertyName("arguments");
        call.Arguments.WriteTo(json);
        json.WriteEndObject();
    }

    private static void WriteError(Utf8JsonWriter json, EvaluatedItem item)
    {
        if (item.Error is { } error)
        {
            json.WriteString("error", error);
        }
    }

    private static Task WriteAsync(string folder, IEnumerable<string> rows, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        foreach (string row in rows)
        {
            text.Append(row).Append('\n');
        }

        return ReplaceAsync(folder, "predictions.jsonl", text.ToString(), cancellationToken);
    }

    private static async Task ReplaceAsync(string folder, string name, string text, CancellationToken cancellationToken)
    {
        string target = Path.Combine(folder, name), beside = target + ".tmp";
        await File.WriteAllTextAsync(beside, text, cancellationToken);
        File.Move(beside, target, overwrite: true);
    }
}
