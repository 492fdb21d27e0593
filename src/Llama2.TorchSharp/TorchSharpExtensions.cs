using System.Collections.Concurrent;
using static TorchSharp.torch;

namespace Llama2.TorchSharp;

/// <summary>Chooses the backend on TorchSharp.</summary>
public static class TorchSharpExtensions
{
    // One for each choice, so that options that say the same are equal, and registrations of one path share a model.
    private static readonly ConcurrentDictionary<(TorchDevice Device, ScalarType? Type), LlamaBackendLoader> _loaders = new();

    /// <summary>Makes the model run on TorchSharp: on a GPU, or on the CPU through libtorch.</summary>
    /// <remarks>
    /// The application references a libtorch package for its system, such as <c>TorchSharp-cuda-windows</c>, <c>TorchSharp-cuda-linux</c> or
    /// <c>TorchSharp-cpu</c>. Nothing is loaded before the model is; a device that is not there is then a <see cref="TorchUnavailableException"/>,
    /// never another device. <see cref="LlamaModelOptions.Threads"/> bounds the threads that read the weights, and on <c>cpu</c> those of libtorch, for
    /// the whole process. A GPU reads prompts faster with a larger <see cref="LlamaModelOptions.BatchTokens"/>, such as 2048.
    /// </remarks>
    /// <param name="options">The options.</param>
    /// <param name="device"><c>cuda</c>, <c>cuda:1</c> and so on, <c>mps</c> or <c>cpu</c>.</param>
    /// <param name="dtype">
    /// The type of weights, activations and caches: <c>BFloat16</c>, <c>Float16</c> or <c>Float32</c>. The default, <see langword="null"/>, is
    /// <see cref="LlamaModelOptions.WeightFormat"/>, else the type that the checkpoint has; formats of integers become <c>BFloat16</c>.
    /// </param>
    /// <returns>The options.</returns>
    /// <exception cref="ArgumentException">There is no such device, or the backend has no such type.</exception>
    public static LlamaModelOptions UseTorchSharp(this LlamaModelOptions options, string device = "cuda", ScalarType? dtype = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        TorchDevice parsed = TorchDevice.Parse(device);
        if (dtype is not (null or ScalarType.BFloat16 or ScalarType.Float16 or ScalarType.Float32))
        {
            throw new ArgumentException($"{dtype} is not a type of the backend; it has BFloat16, Float16 and Float32.", nameof(dtype));
        }

        return options.UseBackend(_loaders.GetOrAdd((parsed, dtype), static choice => (checkpoint, loaded, progress, cancellationToken) =>
            TorchBackend.Load(checkpoint, loaded, choice.Device, choice.Type, progress, cancellationToken)));
    }
}
