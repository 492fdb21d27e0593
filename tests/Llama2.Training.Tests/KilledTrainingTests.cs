using System.Diagnostics;
using System.Globalization;
using Llama2.Testing;

namespace Llama2.Training.Tests;

public sealed unsafe class KilledTrainingTests
{
    [Fact]
    public void Train_KilledTwice_ResumesAsIfNothingHadHappened()
    {
        using var folder = new TemporaryFolder();
        string states = folder["states"];
        int first = RunAndKill(states, afterStep: 3), second = RunAndKill(states, afterStep: first + 20);
        Assert.InRange(second, first + 20, KilledTraining.Steps - 1);

        long resumedAt = 0;
        TrainingOptions options = KilledTraining.Options(states);
        (float[] resumed, TrainingResult result) = Train(options, report => resumedAt = resumedAt == 0 ? report.Step : resumedAt);
        (float[] expected, TrainingResult whole) = Train(options with { CheckpointFolder = null, Resume = false }, _ => { });
        Assert.InRange(resumedAt, second, KilledTraining.Steps);              // at most the step behind the last line was lost
        Assert.Equal(whole.Steps, result.Steps);
        Assert.Equal(expected, resumed);
        Assert.All(Directory.EnumerateFiles(states), file => Assert.EndsWith(".training", file, StringComparison.Ordinal));
    }

    /// <summary>Starts a run, kills it somewhere behind a step, and returns the last step that it told of.</summary>
    private static int RunAndKill(string folder, int afterStep)
    {
        string runtime = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        var start = new ProcessStartInfo(runtime, [typeof(KilledTraining).Assembly.Location, folder]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        int step = 0;
        while (process.StandardOutput.ReadLine() is { } line)
        {
            step = int.Parse(line, CultureInfo.InvariantCulture);
            if (step >= afterStep && !process.HasExited)
            {
                process.Kill();                                              // what it had printed is still read
            }
        }

        process.WaitForExit();
        Assert.NotEqual(0, process.ExitCode);
        return step;
    }

    private static (float[] Values, TrainingResult Result) Train(TrainingOptions options, Action<TrainingProgress> report)
    {
        using TrainableModel model = KilledTraining.CreateModel();
        using var trainer = new Trainer(model, options);
        TrainingResult result = trainer.Train(KilledTraining.CreateData(), progress: new Progress(report));
        return (new Span<float>(model.Parameters.Values, (int)model.Parameters.Length).ToArray(), result);
    }

    private sealed class Progress(Action<TrainingProgress> report) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => report(value);
    }
}
