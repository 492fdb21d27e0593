using static TorchSharp.torch;

namespace Llama2.TorchSharp.Tests;

/// <summary>The device that the tests run on: LLAMA2_TORCH_DEVICE, by default the CPU.</summary>
internal static class TestDevice
{
    public static string Name { get; } = Environment.GetEnvironmentVariable("LLAMA2_TORCH_DEVICE") is { Length: > 0 } named ? named : "cpu";

    public static TorchBackend Load(Checkpoint checkpoint, int? contextLength = null, ScalarType? dtype = null) =>
        TorchBackend.Load(checkpoint, new LlamaModelOptions { ContextLength = contextLength }, TorchDevice.Parse(Name), dtype);
}
