using Llama2.Training;

namespace Llama2.Cli;

/// <summary>Settings of <c>finetune</c> about the weights: what is trained, in which form, and how it is written.</summary>
internal sealed class WeightArguments
{
    private const float LargestUsualScale = 4;

    private readonly Setting<bool> _applyLora = Setting.Flag("apply_lora", "Train adapters beside the frozen model, not the model", false);
    private readonly Setting<bool> _merge = Setting.Flag("merge_lora_weights", "Also write a model with the adapters merged", true);
    private readonly Setting<int> _rank = Setting.Whole("lora_r", "Rank of the adapters", 8, nameof(LoraOptions.Rank));

    private readonly Setting<double> _alpha = Setting.Number(
        "lora_alpha", "Their weight, times the rank", 128, nameof(LoraOptions.Alpha));

    private readonly Setting<double> _dropout = Setting.Number(
        "lora_dropout", "Share of their inputs that is dropped while training", 0, nameof(LoraOptions.Dropout));

    private readonly Setting<string[]> _targets = Setting.List(
        "lora_target_modules", "NAMES", "Which projections get one, with commas, or all", ["q_proj", "v_proj"], nameof(LoraOptions.TargetModules));

    private readonly Setting<WeightFormat> _precision = Setting.Choice(
        "precision", "Bits of the frozen weights: 32, 16 (bf16), 8 (q8_0); 16 and 8 need adapters and switch them on", WeightFormat.F32,
        [("32", WeightFormat.F32), ("16", WeightFormat.BF16), ("8", WeightFormat.Q8_0)],
        ("4", "the smallest frozen weights are those of 8 bits"));

    private readonly Setting<bool> _activationCheckpointing = Setting.Flag(
        "activation_checkpointing", "Compute activations twice instead of keeping them: less memory, more time, the same result", false);

    private readonly Setting<int> _threads = Setting.Whole("threads", "Threads; -1 is one per processor", -1, nameof(TrainableModelOptions.Threads));

    private readonly Setting<WeightFormat> _format = Setting.Choice(
        "format", "How the written model stores its weights", WeightFormat.F32,
        [("f32", WeightFormat.F32), ("f16", WeightFormat.F16), ("bf16", WeightFormat.BF16)]);

    public IEnumerable<Setting> Settings => [_applyLora, _merge, _rank, _alpha, _dropout, _targets, _precision, _activationCheckpointing, _threads, _format];

    /// <summary>Whether adapters are to be merged into a model, where there are adapters.</summary>
    public bool Merges(SettingSource source) => _merge.Get(source);

    /// <summary>The format of the model that is written.</summary>
    public WeightFormat Format(SettingSource source) => _format.Get(source);

    /// <param name="source">Where settings come from.</param>
    /// <param name="seed">The seed of new adapters.</param>
    /// <param name="notes">Told what the settings imply.</param>
    public TrainableModelOptions Bind(SettingSource source, int seed, List<string> notes) => new()
    {
        Lora = Lora(source, notes),
        BaseFormat = _precision.Get(source),
        ActivationCheckpointing = _activationCheckpointing.Get(source),
        Threads = Setting.Optional(_threads, source),
        Seed = seed,
    };

    private LoraOptions? Lora(SettingSource source, List<string> notes)
    {
        bool applies = _applyLora.Get(source);
        if (_precision.Get(source) != WeightFormat.F32 && !applies)
        {
            if (source.IsGiven(_applyLora))
            {
                throw new UsageException(
                    $"{source.NameOf(_precision)}: weights of {_precision.Describe(source)} bits are not trained themselves; " +
                    $"they need adapters ({_applyLora.Option.Name}).");
            }

            notes.Add($"{_precision.Option.Name} {_precision.Describe(source)} freezes the weights, so adapters are trained.");
            applies = true;
        }

        if (!applies)
        {
            Setting.RequireUnchanged(_applyLora.Option.Name, source, _merge, _rank, _alpha, _dropout, _targets);
            return null;
        }

        string[] targets = _targets.Get(source);
        var lora = new LoraOptions
        {
            Rank = _rank.Get(source),
            Alpha = (float)_alpha.Get(source),
            Dropout = (float)_dropout.Get(source),
            TargetModules = targets is ["all"] ? LoraOptions.AllModules : targets,
        };
        if (lora.Scale > LargestUsualScale && float.IsFinite(lora.Scale))
        {
            notes.Add($"The adapters count {lora.Scale:0.##} times ({_alpha.Option.Name} over {_rank.Option.Name}), which is much: 1 or 2 is usual elsewhere.");
        }

        return lora;
    }
}
