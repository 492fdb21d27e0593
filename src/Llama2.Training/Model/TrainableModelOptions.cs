namespace Llama2.Training;

/// <summary>How a model is held while it is trained.</summary>
public sealed record TrainableModelOptions
{
    /// <summary>Gets the adapters to train beside a frozen model, or <see langword="null"/> (the default) to train every parameter.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>
    /// Gets how the frozen matrices under adapters are kept: F32 (the default), BF16 or Q8_0, which take a half and a quarter of the memory.
    /// Without adapters it has to be F32.
    /// </summary>
    public WeightFormat BaseFormat { get; init; } = WeightFormat.F32;

    /// <summary>
    /// Gets a value indicating whether the activations inside a block are computed again on the way back instead of being kept: about a third
    /// more work, a fraction of the memory, the same gradients to the bit. The default is <see langword="false"/>.
    /// </summary>
    public bool ActivationCheckpointing { get; init; }

    /// <summary>Gets the number of threads, from 1 to 1024; <see langword="null"/> (the default) for one per processor. Results do not depend on it.</summary>
    public int? Threads { get; init; }

    /// <summary>Gets the seed of everything random about a new model or a new adapter. The default is 42.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>Checks every setting.</summary>
    /// <exception cref="ArgumentException">A setting is out of its range or contradicts another.</exception>
    public void Validate()
    {
        Lora?.Validate();
        if (BaseFormat is not (WeightFormat.F32 or WeightFormat.BF16 or WeightFormat.Q8_0))
        {
            throw new ArgumentException($"{nameof(BaseFormat)}: {BaseFormat} is none of F32, BF16 and Q8_0.", nameof(BaseFormat));
        }

        if (Lora is null && BaseFormat != WeightFormat.F32)
        {
            throw new ArgumentException($"{nameof(BaseFormat)}: {BaseFormat} cannot be trained itself; choose adapters or F32.", nameof(BaseFormat));
        }

        if (Threads is < 1 or > 1024)
        {
            throw new ArgumentException($"{nameof(Threads)}: {Threads} is not from 1 to 1024.", nameof(Threads));
        }
    }
}
