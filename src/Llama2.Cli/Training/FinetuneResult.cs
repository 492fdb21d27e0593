using System.Text.Json;
using Llama2.Evaluation;
using Llama2.Training;

namespace Llama2.Cli;

/// <summary>What a fine-tuning run came to: for people, for programs, and as a page with the curves.</summary>
internal sealed record FinetuneResult(FinetunePlan Plan, FinetuneData Data, TrainingResult Training)
{
    private const int DrawnParts = 200;

    /// <summary>The loss per token of the final model on the test rows; null without any.</summary>
    public required double? TestLoss { get; init; }

    public required double TokensPerSecond { get; init; }

    public required long TrainedParameters { get; init; }

    /// <summary>From the first file read to the last one written.</summary>
    public required TimeSpan Elapsed { get; init; }

    public double? ValidationLoss => Training.Best?.Loss;

    /// <summary>The mean over the last tenth of the steps: single steps jump.</summary>
    public double TrainingLoss => Training.Steps.TakeLast(Math.Max(1, Training.Steps.Count / 10)).Average(step => step.Loss);

    public IReadOnlyList<(string Name, string Value)> Lines()
    {
        (string Name, string? Value)[] lines =
        [
            ("steps", $"{Training.Steps.Count:N0}{(Training.StoppedEarly ? ", after which evaluations got no better" : "")}"),
            ("training loss", $"{TrainingLoss:0.0000} (last tenth of the steps)"),
            ("validation loss", Training.Best is { Loss: double loss } best ? $"{Perplexity(loss)}, after step {best.Step:N0}, whose weights were kept" : null),
            (AnswerMetric.NameOf(Plan.Metric), Training.Best is { Metric: double metric } ? $"{metric:0.0000} (validation rows)" : null),
            ("test loss", TestLoss is double test ? Perplexity(test) : null),
            ("speed", TokensPerSecond > 0 ? $"{TokensPerSecond:N0} tokens/s; {TrainingDisplay.Duration(Elapsed)} in all" : null),
            ("adapter", Plan.Model.Lora is null ? null : Plan.Folder.Adapter),
            (Plan.Model.Lora is null ? "model" : "merged model", Plan.WritesModel ? Plan.Folder.Model : null),
            ("report", Plan.Folder.Report),
        ];
        return [.. from line in lines where line.Value is not null select (line.Name, line.Value)];

        static string Perplexity(double loss) => $"{loss:0.0000} (perplexity {Math.Exp(loss):0.00})";
    }

    public string ToJson() => Json.Object(json =>
    {
        json.WriteNumber("steps", Training.Steps.Count);
        json.WriteBoolean("stopped_early", Training.StoppedEarly);
        WriteNumber(json, "train_loss", TrainingLoss);
        WriteNumber(json, "eval_loss", ValidationLoss);
        json.WriteString("metric_for_best_model", AnswerMetric.NameOf(Plan.Metric));
        WriteNumber(json, "best_metric", Training.Best is { } best ? best.Metric ?? best.Loss : null);
        WriteNumber(json, "best_step", Training.Best?.Step);
        WriteNumber(json, "test_loss", TestLoss);
        json.WriteNumber("trained_parameters", TrainedParameters);
        json.WriteStartObject("rows");
        json.WriteNumber("train", Data.Train.RowCount);
        json.WriteNumber("validation", Data.Validation?.RowCount ?? 0);
        json.WriteNumber("test", Data.Test?.RowCount ?? 0);
        json.WriteNumber("bad", Data.BadRowCount);
        json.WriteEndObject();
        json.WriteNumber("tokens_per_second", Math.Round(TokensPerSecond, 1));
        json.WriteNumber("seconds", Math.Round(Elapsed.TotalSeconds, 3));
        json.WriteString("adapter", Plan.Model.Lora is null ? null : Plan.Folder.Adapter);
        json.WriteString("model", Plan.WritesModel ? Plan.Folder.Model : null);
        json.WriteString("report", Plan.Folder.Report);
    });

    /// <summary>The curve as text, for a terminal of a width.</summary>
    public IReadOnlyList<string> Chart(int width) => LossChart.Draw(
        [.. Training.Steps.Select(step => (step.Step, step.Loss))],
        [.. from evaluation in Training.Evaluations where evaluation.Loss is not null select (evaluation.Step, evaluation.Loss!.Value)],
        width);

    public EvaluationReport ToReport(TimeProvider time)
    {
        ReportSeries training = new("training", [.. Thin(Training.Steps, step => step.Loss)]);
        ReportSeries validation = new(
            "validation",
            [.. from evaluation in Training.Evaluations where evaluation.Loss is not null select new ReportPoint(evaluation.Step, evaluation.Loss!.Value)]);
        (string Name, double? Value, string Description)[] metrics =
        [
            ("eval_loss", ValidationLoss, "Mean loss of a token of the validation rows, in nats, of the model that was kept."),
            (AnswerMetric.NameOf(Plan.Metric), Training.Best?.Metric, "Of the same model's answers to the validation rows; the model with the most was kept."),
            ("test_loss", TestLoss, "The same of the test rows and that model."),
            ("train_loss", TrainingLoss, "Mean over the last tenth of the steps."),
            ("perplexity", ValidationLoss is double loss ? Math.Exp(loss) : null, "e to the validation loss."),
            ("tokens_per_second", TokensPerSecond, "Evaluations left out."),
        ];
        return new()
        {
            Title = $"Fine-tuning of {Path.GetFileName(Path.TrimEndingDirectorySeparator(Plan.ModelPath))}",
            Model = Plan.ModelPath,
            Task = Plan.Model.Lora is null ? "fine-tuning of every parameter" : "fine-tuning of adapters (LoRA)",
            Dataset = string.Join(", ", Plan.TrainFiles.Select(Path.GetFileName)),
            Created = time.GetUtcNow(),
            Items = Data.Train.RowCount,
            Metrics =
            [
                .. from metric in metrics
                   where metric.Value is not null
                   select new ReportMetric(metric.Name, metric.Value) { Description = metric.Description },
            ],
            Curves =
            [
                new("Loss", "step", "nats per token", validation.Points.Count > 0 ? [training, validation] : [training]),
                new("Learning rate", "step", "millionths", [new("learning rate", [.. Thin(Training.Steps, step => 1e6 * step.LearningRate)])]),
            ],
            Settings = Plan.Settings,
            Notes =
            [
                $"{Training.Steps.Count:N0} steps{(Training.StoppedEarly ? ", after which evaluations got no better" : "")}.",
                .. Plan.Notes,
                .. Data.Describe().Select(line => line.Text + "."),
            ],
        };
    }

    /// <summary>Means of so many steps that a page holds them.</summary>
    private static IEnumerable<ReportPoint> Thin(IReadOnlyList<TrainingStep> steps, Func<TrainingStep, double> value) =>
        from part in steps.Chunk(Math.Max(1, (steps.Count + DrawnParts - 1) / DrawnParts))
        select new ReportPoint(part.Average(step => step.Step), part.Average(value));

    private static void WriteNumber(Utf8JsonWriter json, string name, double? value)
    {
        if (value is double number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
