using static TorchSharp.torch;

namespace Llama2.TorchSharp;

/// <summary>Our names of the plain formats and libtorch's.</summary>
internal static class TorchTypes
{
    public static ScalarType Of(WeightFormat format) => format switch
    {
        WeightFormat.F32 => ScalarType.Float32,
        WeightFormat.F16 => ScalarType.Float16,
        WeightFormat.BF16 => ScalarType.BFloat16,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, null),
    };

    public static WeightFormat Of(ScalarType type) => type switch
    {
        ScalarType.Float32 => WeightFormat.F32,
        ScalarType.Float16 => WeightFormat.F16,
        ScalarType.BFloat16 => WeightFormat.BF16,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };

    /// <summary>The format to load in: what is asked for, else what the checkpoint has, BF16 where that is made of integers.</summary>
    /// <exception cref="ArgumentException">Options contradict each other.</exception>
    /// <exception cref="NotSupportedException">An option is one of the CPU backend's alone.</exception>
    public static WeightFormat Choose(Checkpoint checkpoint, LlamaModelOptions options, ScalarType? dtype)
    {
        if (options.WeightFormat is WeightFormat.Q8_0 or WeightFormat.Q4_0)
        {
            throw new NotSupportedException($"{nameof(options.WeightFormat)} is {options.WeightFormat}; the backend on TorchSharp holds weights as F32, F16 or BF16.");
        }

        if (options.WeightFormat is { } asked && dtype is { } type && Of(type) != asked)
        {
            throw new ArgumentException($"{nameof(options.WeightFormat)} is {asked}, and UseTorchSharp was given {type}; leave one of them out.");
        }

        WeightFormat stored = checkpoint.Tensors[TensorNames.Query(0)].HeldFormat;
        WeightFormat format = dtype is { } given ? Of(given) : options.WeightFormat ?? (stored is WeightFormat.F32 or WeightFormat.F16 ? stored : WeightFormat.BF16);
        if (options.CacheFormat is { } cache && cache != format)
        {
            throw new NotSupportedException($"{nameof(options.CacheFormat)} is {cache}; the backend on TorchSharp keeps keys and values in the type of the weights, {format} here.");
        }

        return options.Repack != WeightRepacking.Never
            ? format
            : throw new NotSupportedException($"{nameof(options.Repack)} is {options.Repack}; the backend on TorchSharp always copies the weights to its device.");
    }
}
