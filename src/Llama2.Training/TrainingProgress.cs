namespace Llama2.Training;

/// <summary>How training is going.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="TotalSteps">All steps.</param>
/// <param name="Epoch">Epochs done, with a fraction where the length of an epoch is known.</param>
/// <param name="Loss">The loss per token, averaged over the steps since the last report, in nats.</param>
/// <param name="LearningRate">The learning rate of this step.</param>
/// <param name="GradientNorm">The length of this step's gradient before it was cut.</param>
/// <param name="Tokens">Tokens trained on since the last report.</param>
/// <param name="TokensPerSecond">The same per second, evaluations left out.</param>
/// <param name="TimeLeft">How long the remaining steps take at the speed so far.</param>
/// <param name="Evaluation">What the evaluation after this step found, where there was one.</param>
public sealed record TrainingProgress(
    long Step, long TotalSteps, double Epoch, double Loss, double LearningRate, double GradientNorm,
    long Tokens, double TokensPerSecond, TimeSpan TimeLeft, TrainingEvaluation? Evaluation);

/// <summary>What one evaluation found.</summary>
/// <param name="Step">The steps done then.</param>
/// <param name="Loss">The loss per token on the validation data, in nats; <see langword="null"/> where a metric alone was asked for.</param>
/// <param name="Metric">The metric, where there is one.</param>
/// <param name="IsBest">Whether no evaluation before was better.</param>
public sealed record TrainingEvaluation(long Step, double? Loss, double? Metric, bool IsBest);

/// <summary>One step of training.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="Loss">The loss per token, in nats.</param>
/// <param name="LearningRate">The learning rate.</param>
/// <param name="GradientNorm">The length of the gradient before it was cut.</param>
public sealed record TrainingStep(long Step, double Loss, double LearningRate, double GradientNorm);

/// <summary>What training did.</summary>
/// <param name="Steps">Every step, those before a resumed one included.</param>
/// <param name="Evaluations">Every evaluation.</param>
/// <param name="Best">The best of them, or <see langword="null"/> where there was none.</param>
/// <param name="StoppedEarly">Whether the model had stopped getting better.</param>
public sealed record TrainingResult(
    IReadOnlyList<TrainingStep> Steps, IReadOnlyList<TrainingEvaluation> Evaluations, TrainingEvaluation? Best, bool StoppedEarly);
