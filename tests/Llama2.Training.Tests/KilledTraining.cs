namespace Llama2.Training.Tests;

/// <summary>A training run that a test starts as another process and kills; every step ends with a state written.</summary>
internal static class KilledTraining
{
    public const int Steps = 400;

    public static TrainingOptions Options(string folder) =>
        new() { LearningRate = 1e-3, MaxSteps = Steps, ReportSteps = 1, CheckpointFolder = folder, CheckpointSteps = 1, Resume = true };

    public static TrainableModel CreateModel() => TrainableModel.Create(SmallModels.Odd, new() { Threads = 1 });

    public static ITrainingData CreateData() => new InMemoryTrainingData(SmallModels.Sequences(SmallModels.Odd), shuffleSeed: 1);

    /// <summary>Trains in the folder of the only argument, a line for every step.</summary>
    public static void Main(string[] arguments)
    {
        using TrainableModel model = CreateModel();
        using var trainer = new Trainer(model, Options(arguments.Single()));
        trainer.Train(CreateData(), progress: new Lines());
    }

    private sealed class Lines : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => Console.WriteLine(value.Step);
    }
}
