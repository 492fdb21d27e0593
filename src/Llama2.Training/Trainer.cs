using System.Diagnostics;

namespace Llama2.Training;

/// <summary>Trains a model: passes, gradients, steps of AdamW, evaluations, files to resume from.</summary>
/// <remarks>
/// The same model, data, options and seed give the same losses and weights to the bit, with any number of threads. An instance trains once.
/// Not thread-safe.
/// </remarks>
public sealed unsafe class Trainer : IDisposable
{
    private readonly TrainableModel _model;
    private readonly TrainingOptions _options;
    private readonly AdamW _optimizer;
    private TrainerState _state;
    private AlignedMemory? _best;

    /// <summary>Initializes a new instance of the <see cref="Trainer"/> class.</summary>
    /// <param name="model">The model; it stays the caller's.</param>
    /// <param name="options">How to train.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public Trainer(TrainableModel model, TrainingOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_model, _options) = (model, options);
        _optimizer = new AdamW(model.Parameters, model.Workers, options);
        _state = new() { Fingerprint = Fingerprint(model, options) };
    }

    /// <summary>Trains until the last step, or until the model stops getting better.</summary>
    /// <param name="data">What to train on.</param>
    /// <param name="validation">What to evaluate on, or <see langword="null"/>: then nothing is evaluated unless there is a metric.</param>
    /// <param name="progress">Told every few steps and after every evaluation.</param>
    /// <param name="cancellationToken">Seen between steps; the state is written before the exception, where there is a folder for it.</param>
    /// <returns>Every step and evaluation. The model is then the best one met, or the last one where nothing was evaluated.</returns>
    /// <exception cref="ArgumentException">The data is empty, does not fit the model, or early stopping has nothing to go by.</exception>
    /// <exception cref="ArithmeticException">The loss is no longer a number: the learning rate is too high, or the data broken.</exception>
    /// <exception cref="CheckpointException">The file to resume from is damaged or belongs to another run.</exception>
    /// <exception cref="IOException">A state could not be written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public TrainingResult Train(
        ITrainingData data, ITrainingData? validation = null, IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        bool evaluates = validation is not null || _options.Metric is not null;
        if (!evaluates && (_options.EarlyStoppingPatience ?? _options.EvaluationSteps) is not null)
        {
            throw new ArgumentException("Evaluations and early stopping need validation data or a metric.", nameof(validation));
        }

        long count = data.Count ?? data.Read(epoch: 0).LongCount();
        long stepSequences = (long)_options.BatchSize * _options.GradientAccumulationSteps, stepsPerEpoch = (count + stepSequences - 1) / stepSequences;
        long total = _options.MaxSteps ?? stepsPerEpoch * _options.Epochs;
        if (count == 0)
        {
            throw new ArgumentException("There is nothing to train on.", nameof(data));
        }

        ResumeIfAsked();
        var meter = new ProgressMeter(_state.Step, total);
        while (_state.Step < total && !_state.StoppedEarly)
        {
            foreach (TrainingSequence[] sequences in data.Read(_state.Epoch, _state.Position).Chunk((int)stepSequences))
            {
                if (cancellationToken.IsCancellationRequested)
                {
                    WriteState();
                    cancellationToken.ThrowIfCancellationRequested();
                }

                TrainingStep step = Step(sequences, total, out long tokens);
                _state.Position += sequences.Length;
                bool epochEnds = _state.Position >= count, last = step.Step == total;
                meter.Add(step, tokens);

                bool due = _options.EvaluationSteps is int every ? step.Step % every == 0 || last : epochEnds || last;
                TrainingEvaluation? evaluation = evaluates && due ? Evaluate(validation) : null;
                if (evaluation is not null || last || step.Step % _options.ReportSteps == 0)
                {
                    progress?.Report(meter.Report(step, _state.Epoch + (double)_state.Position / count, evaluation));
                }

                if (_options.CheckpointSteps is int steps ? step.Step % steps == 0 || last : evaluation is not null || epochEnds || last)
                {
                    WriteState();
                }

                if (last || epochEnds || _state.StoppedEarly)
                {
                    break;
                }
            }

            if (_state.Position == 0)
            {
                throw new ArgumentException($"Epoch {_state.Epoch} has no sequence, though {count} were counted.", nameof(data));
            }

            _state.Epoch++;
            _state.Position = 0;
        }

        RestoreBest();
        return new(_state.Steps, _state.Evaluations, _state.Best, _state.StoppedEarly);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _optimizer.Dispose();
        _best?.Dispose();
    }

    /// <summary>Adds up the gradients of all passes, each token counting the same, and moves the parameters once.</summary>
    private TrainingStep Step(TrainingSequence[] sequences, long total, out long tokens)
    {
        TrainingBatch[] batches = [.. sequences.Chunk(_options.BatchSize).Select(batch => TrainingBatch.Create(batch, _model.Config))];
        long targets = batches.Sum(batch => (long)batch.Targets.Length), step = _state.Step;
        tokens = batches.Sum(batch => (long)batch.Tokens.Length);
        double rate = _options.LearningRate * _options.Schedule.Factor(step, _options.WarmupSteps, total), loss = 0, norm = 0;
        if (targets > 0)                                     // else there is no gradient to follow
        {
            for (int i = 0; i < batches.Length; i++)
            {
                ulong dropoutKey = RandomWeights.Key(_options.Seed, 0) + (ulong)step * 0x9E3779B97F4A7C15 + (ulong)i;
                loss += _model.Run(batches[i], 1f / targets, dropoutKey) / targets;
            }

            norm = _optimizer.GradientNorm();
            if (!double.IsFinite(loss) || !double.IsFinite(norm))
            {
                throw new ArithmeticException($"Step {step + 1}: the loss is {loss}, the gradient's length {norm}. A lower learning rate may help.");
            }

            bool clips = _options.MaxGradientNorm > 0 && norm > _options.MaxGradientNorm;
            _optimizer.Step(step, rate, clips ? (float)(_options.MaxGradientNorm / norm) : 1);
        }

        _state.Step++;
        _state.Steps.Add(new(_state.Step, loss, rate, norm));
        return _state.Steps[^1];
    }

    private TrainingEvaluation Evaluate(ITrainingData? validation)
    {
        double? loss = validation is null ? null : Loss(validation);
        double? metric = _options.Metric?.Invoke(_model);
        double better = Score(metric, loss) - (_state.Best is { } best ? Score(best.Metric, best.Loss) : double.NegativeInfinity);
        var evaluation = new TrainingEvaluation(_state.Step, loss, metric, IsBest: better > 0);
        _state.Evaluations.Add(evaluation);
        _state.Worse = better > _options.EarlyStoppingThreshold ? 0 : _state.Worse + 1;
        _state.StoppedEarly = _options.EarlyStoppingPatience is int patience && _state.Worse >= patience;
        if (evaluation.IsBest)
        {
            _state.Best = evaluation;
            KeepBest();
        }

        return evaluation;

        double Score(double? metric, double? loss) => metric is double value ? (_options.LargerMetricIsBetter ? value : -value) : -loss!.Value;
    }

    private double Loss(ITrainingData validation)
    {
        double sum = 0;
        long tokens = 0;
        foreach (TrainingSequence[] sequences in validation.Read(epoch: 0).Chunk(_options.EvaluationBatchSize))
        {
            (double loss, long count) = _model.Evaluate(sequences);
            sum += loss;
            tokens += count;
        }

        return tokens > 0 ? sum / tokens : throw new ArgumentException("No token of the validation data counts in the loss.", nameof(validation));
    }

    private void KeepBest()
    {
        if (_options.KeepBest)
        {
            long bytes = _model.Parameters.Length * sizeof(float);
            _best ??= new AlignedMemory(bytes);
            Buffer.MemoryCopy(_model.Parameters.Values, _best.Pointer, bytes, bytes);
            _state.HasBestParameters = true;
        }
    }

    private void RestoreBest()
    {
        if (_options.KeepBest && _best is not null)
        {
            Buffer.MemoryCopy(_best.Pointer, _model.Parameters.Values, _best.Bytes, _best.Bytes);
        }
    }

    private void WriteState()
    {
        if (_options.CheckpointFolder is { } folder)
        {
            TrainerStateFile.Write(folder, _state, Arrays(_state), _options.CheckpointLimit);
        }
    }

    private void ResumeIfAsked()
    {
        if (_options.Resume && TrainerStateFile.Newest(_options.CheckpointFolder!) is { } path)
        {
            _state = TrainerStateFile.Read(path, _state.Fingerprint, Arrays);
        }
    }

    private TrainerArray[] Arrays(TrainerState state)
    {
        ParameterStore parameters = _model.Parameters;
        var arrays = new List<TrainerArray>
        {
            new(parameters.Values, parameters.Length), new(_optimizer.Means, parameters.Length), new(_optimizer.Squares, parameters.Length),
        };
        if (state.HasBestParameters)
        {
            _best ??= new AlignedMemory(parameters.Length * sizeof(float));
            arrays.Add(new(_best.Floats, parameters.Length));
        }

        return [.. arrays];
    }

    /// <summary>What the numbers of a state mean, and what decides how they go on; the number of threads and the reports do not.</summary>
    private static string Fingerprint(TrainableModel model, TrainingOptions options) => FormattableString.Invariant(
        $"""
        {model.Config.HiddenSize}x{model.Config.LayerCount}x{model.Config.VocabularySize}, {model.Parameters.Length} parameters, batch {options.BatchSize}, 
        accumulation {options.GradientAccumulationSteps}, learning rate {options.LearningRate}, {options.Schedule} behind {options.WarmupSteps}, 
        decay {options.WeightDecay}, Adam {options.AdamBeta1} {options.AdamBeta2} {options.AdamEpsilon}, norm {options.MaxGradientNorm}, 
        seed {options.Seed}
        """).ReplaceLineEndings("");

    /// <summary>Means and speeds between two reports.</summary>
    private sealed class ProgressMeter(long firstStep, long totalSteps)
    {
        private long _since = Stopwatch.GetTimestamp();
        private TimeSpan _spent;
        private TimeSpan _spentInAll;
        private double _loss;
        private long _steps;
        private long _tokens;

        public void Add(TrainingStep step, long tokens)
        {
            long now = Stopwatch.GetTimestamp();
            _spent += Stopwatch.GetElapsedTime(_since, now);
            (_since, _loss, _steps, _tokens) = (now, _loss + step.Loss, _steps + 1, _tokens + tokens);
        }

        public TrainingProgress Report(TrainingStep step, double epoch, TrainingEvaluation? evaluation)
        {
            _spentInAll += _spent;
            double perStep = _spentInAll.TotalSeconds / (step.Step - firstStep);
            var report = new TrainingProgress(
                step.Step, totalSteps, epoch, _loss / _steps, step.LearningRate, step.GradientNorm, _tokens, _tokens / _spent.TotalSeconds,
                TimeSpan.FromSeconds(perStep * (totalSteps - step.Step)), evaluation);
            (_since, _spent, _loss, _steps, _tokens) = (Stopwatch.GetTimestamp(), default, 0, 0, 0);
            return report;
        }
    }
}
