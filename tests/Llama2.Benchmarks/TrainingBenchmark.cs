using System.Globalization;
using System.Runtime.InteropServices;
using Llama2.Training;

namespace Llama2.Benchmarks;

/// <summary>Our side of <c>peers/training-speed.sh</c>: makes the weights and the tokens that both sides begin with, and trains on them.</summary>
internal static class TrainingBenchmark
{
    /// <summary>Writes <c>model/</c>, a Hugging Face folder of seeded weights in single precision, and <c>tokens.bin</c>, [batches, batch, length] as int32.</summary>
    public static void Prepare(TrainingBenchmarkSettings settings, string folder)
    {
        using var model = TrainableModel.Create(settings.Config, new() { Seed = settings.Seed });
        using Checkpoint checkpoint = model.AsCheckpoint();
        HuggingFaceFolder.Write(checkpoint, Path.Combine(folder, "model"), WeightFormat.F32);

        // Some ids are much likelier than others, so that there is something to learn and a wrong step shows in the losses behind it.
        var random = new Random(settings.Seed);
        int[] tokens = [.. Enumerable.Range(0, settings.Batches * settings.Batch * settings.Length).Select(_ => Draw())];
        File.WriteAllBytes(TokensPath(folder), MemoryMarshal.AsBytes<int>(tokens));

        int Draw()
        {
            double uniform = random.NextDouble();
            return (int)(settings.Config.VocabularySize * uniform * uniform * uniform);
        }
    }

    /// <summary>Trains, and writes a JSON object for each step: loss, gradient norm, seconds.</summary>
    public static void Run(TrainingBenchmarkSettings settings, string folder, int threads, TextWriter output)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Path.Combine(folder, "model"));
        using var model = TrainableModel.Load(checkpoint, new() { Threads = threads });
        using var trainer = new Trainer(model, new()
        {
            MaxSteps = settings.Steps,
            BatchSize = settings.Batch,
            LearningRate = settings.LearningRate,
            Schedule = LearningRateSchedule.Constant,
            MaxGradientNorm = settings.MaximumNorm,
            ReportSteps = 1,
        });
        trainer.Train(new InMemoryTrainingData(Sequences(settings, folder)), progress: new StepWriter(output));
    }

    private static TrainingSequence[] Sequences(TrainingBenchmarkSettings settings, string folder)
    {
        int[] tokens = MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(TokensPath(folder))).ToArray();
        bool[] inLoss = [.. Enumerable.Repeat(true, settings.Length)];
        return
        [
            .. Enumerable.Range(0, tokens.Length / settings.Length)
                .Select(row => new TrainingSequence(tokens.AsMemory(row * settings.Length, settings.Length), inLoss)),
        ];
    }

    private static string TokensPath(string folder) => Path.Combine(folder, "tokens.bin");

    /// <summary>Called on the training thread, after each step.</summary>
    private sealed class StepWriter(TextWriter output) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"step": {{value.Step}}, "loss": {{value.Loss}}, "norm": {{value.GradientNorm}}, "seconds": {{value.Tokens / value.TokensPerSecond}}}"""));
    }
}
