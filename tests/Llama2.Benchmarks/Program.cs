using Llama2.Benchmarks;

switch (args)
{
    case ["training", "prepare", var settings, var folder]:
        TrainingBenchmark.Prepare(TrainingBenchmarkSettings.Read(settings), folder);
        return 0;
    case ["training", "run", var settings, var folder, var threads] when int.TryParse(threads, out int count):
        TrainingBenchmark.Run(TrainingBenchmarkSettings.Read(settings), folder, count, Console.Out);
        return 0;
    case ["kernels", .. var options]:
        return KernelBenchmarks.Run(options);
#if TORCH
    case ["torch", var settings, var device]:
        using (var document = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(settings)))
        {
            await TorchBenchmark.RunAsync(document.RootElement, device, Console.Out);
        }

        return 0;
#endif
    default:
        Console.Error.WriteLine("Usage: kernels [OPTIONS of BenchmarkDotNet] | training prepare SETTINGS FOLDER | training run SETTINGS FOLDER THREADS | torch SETTINGS DEVICE (with -p:Torch)");
        return 2;
}
