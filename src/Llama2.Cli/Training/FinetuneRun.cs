using System.Diagnostics;
using Llama2.Training;

namespace Llama2.Cli;

/// <summary>Carries a fine-tuning plan out: reads, trains, measures, writes.</summary>
internal sealed class FinetuneRun(FinetunePlan plan, Terminal terminal)
{
    /// <exception cref="OperationCanceledException">The run was interrupted; the state is written, and how to go on is said.</exception>
    public async Task<FinetuneResult> RunAsync(CancellationToken cancellationToken)
    {
        plan.Folder.RequireFree(plan.Training.Resume);
        try
        {
            return await CarryOutAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (plan.Folder.HasCheckpoints)
        {
            terminal.Error.WriteLine($"The state is in {plan.Folder.Checkpoints}: the same command with --resume-from-checkpoint goes on from there.");
            throw;
        }
    }

    private async Task<FinetuneResult> CarryOutAsync(CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        foreach (string note in plan.Notes)
        {
            terminal.Error.WriteLine(note);
        }

        using Checkpoint checkpoint = Checkpoint.Open(plan.ModelPath);
        RequireMemory(checkpoint.Config);
        FinetuneData data = await Task.Run(() => FinetuneData.Open(plan, checkpoint, cancellationToken), cancellationToken);
        foreach ((bool isWarning, string text) in data.Describe())
        {
            terminal.Error.WriteLine(isWarning ? $"warning: {text}" : text);
        }

        using TrainableModel model = await Task.Run(() => TrainableModel.Load(checkpoint, plan.Model), cancellationToken);
        terminal.Error.WriteLine(
            plan.Model.Lora is { } lora
                ? $"{model.TrainedParameterCount:N0} parameters of adapters " +
                    $"beside {checkpoint.Config.ParameterCount:N0} frozen ones ({plan.Model.BaseFormat}): " +
                    $"{string.Join(", ", lora.TargetModules)}, rank {lora.Rank}, scale {lora.Scale:0.##}"
                : $"{model.TrainedParameterCount:N0} parameters");
        var display = new TrainingDisplay(terminal, plan.LoggingSteps, plan.Metric);
        TrainingResult result = await TrainAsync(model, data, display, cancellationToken);
        double? testLoss = data.Test is { } test ? await Task.Run(() => Loss(model, test), cancellationToken) : null;
        await WriteAsync(model, cancellationToken);
        return new(plan, data, result)
        {
            TestLoss = testLoss,
            TokensPerSecond = display.TokensPerSecond,
            TrainedParameters = model.TrainedParameterCount,
            Elapsed = Stopwatch.GetElapsedTime(start),
        };
    }

    private async Task<TrainingResult> TrainAsync(TrainableModel model, FinetuneData data, TrainingDisplay display, CancellationToken cancellationToken)
    {
        long sequences = (long)plan.Training.BatchSize * plan.Training.GradientAccumulationSteps;
        double stepsPerEpoch = Math.Ceiling(data.Train.Count / (double)sequences);
        AnswerMetric? metric = plan.Metric == BestModelMetric.Loss
            ? null
            : new(plan.Metric, data.Validation!, data.Tokenizer, plan.Training.EvaluationBatchSize);
        using var trainer = new Trainer(model, plan.Training with
        {
            Metric = metric is null ? null : metric.Measure,
            ReportSteps = 1,                                    // the display sums up
            EvaluationSteps = plan.EvaluationInterval is double share ? (int)Math.Max(1, Math.Round(share * stepsPerEpoch)) : plan.Training.EvaluationSteps,
        });
        if (plan.Training.Resume)
        {
            terminal.Error.WriteLine(plan.Folder.HasCheckpoints
                ? $"going on from the newest state in {plan.Folder.Checkpoints}"
                : $"there is no state in {plan.Folder.Checkpoints}; beginning at the first step");
        }

        await using CancellationTokenRegistration interrupt =
            cancellationToken.Register(() => display.Say("ending after this step, to write the state (Ctrl-C again: at once, without it)"));
        return await display.ShowAsync(progress => trainer.Train(data.Train, data.Validation, progress, cancellationToken));
    }

    private double? Loss(TrainableModel model, FileTrainingData data)
    {
        double sum = 0;
        long tokens = 0;
        foreach (TrainingSequence[] sequences in data.Read(epoch: 0).Chunk(plan.Training.EvaluationBatchSize))
        {
            (double loss, long count) = model.Evaluate(sequences);
            (sum, tokens) = (sum + loss, tokens + count);
        }

        return tokens > 0 ? sum / tokens : null;
    }

    private async Task WriteAsync(TrainableModel model, CancellationToken cancellationToken)
    {
        if (plan.Training.Resume)
        {
            plan.Folder.RemoveUnfinished();
        }

        if (model.Adapter is { } adapter)
        {
            PeftFolder.Write(adapter, plan.Folder.Adapter);
        }

        if (plan.WritesModel)
        {
            await ProgressBar.ShowAsync(terminal, "writing", progress => Task.Run(
                () =>
                {
                    using Checkpoint trained = model.AsCheckpoint();
                    HuggingFaceFolder.Write(trained, plan.Folder.Model, plan.Format, progress, cancellationToken);
                    return true;
                },
                cancellationToken));
        }
    }

    /// <summary>Weights, gradients, both moments and the best weights so far; activations come on top, as large as the batch makes them.</summary>
    private void RequireMemory(LlamaConfig config)
    {
        double parameters = config.ParameterCount;
        double needed = plan.Model.Lora is null
            ? parameters * sizeof(float) * (plan.Evaluates ? 5 : 4)
            : parameters * (plan.Model.BaseFormat switch { WeightFormat.Q8_0 => 34 / 32.0, WeightFormat.BF16 => 2, _ => 4 });
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (needed > available)
        {
            string hint = plan.Model is { Lora: not null, BaseFormat: WeightFormat.Q8_0 } ? "" : "; --apply-lora --precision 8 takes the least";
            throw new InsufficientMemoryException(
                $"Training {config.ParameterCount:N0} parameters takes {ByteSize.Format((long)needed)} or more, " +
                $"and {ByteSize.Format(available)} are available{hint}.");
        }
    }
}
