namespace Llama2.Cli;

/// <summary>A setting of the Azure ML pipelines that has no effect here: refused, with the reason, unless it says what is so anyway.</summary>
/// <param name="Key">Its name.</param>
/// <param name="Reason">Why nothing comes of it.</param>
/// <param name="Harmless">The values that change nothing.</param>
internal sealed record RefusedSetting(string Key, string Reason, params string[] Harmless)
{
    private const string Cloud = "everything runs in this process, on this machine";
    private const string ModelArgument = "the model is the argument MODEL, a folder or file on this machine";

    public static IReadOnlyList<RefusedSetting> All { get; } =
    [
        new("mlflow_model_path", ModelArgument),
        new("pytorch_model_path", ModelArgument),
        new("huggingface_id", ModelArgument),
        new("train_mltable_path", "MLTables are not read; give the file itself as train_file_path"),
        new("validation_mltable_path", "MLTables are not read; give the file itself as validation_file_path"),
        new("test_mltable_path", "MLTables are not read; give the file itself as test_file_path"),
        new("sentence2_key", "a row has one text; write both sentences into it"),
        new("summarization_lang", "the texts are taken as they are, whatever their language"),
        new("batch_size", "rows are tokenized one by one", "1000"),
        new("pad_to_max_length", "sequences are never padded", "false"),
        new("auto_find_batch_size", "the batch is what per_device_train_batch_size says; gradient_accumulation_steps makes a step larger", "false"),
        new("eval_accumulation_steps", "losses are added up as they come", "-1"),
        new("optim", "the optimizer is AdamW", "adamw_torch", "adamw_hf"),
        new("dataloader_num_workers", "rows are read between the steps, which takes no time worth sharing", "0"),
        new("enable_full_determinism", "a run is deterministic in any case", "true", "false"),
        new("ignore_mismatched_sizes", "every tensor has to fit, as the pipelines have it for Llama", "true", "false"),
        new("trust_remote_code", "no code of a model is run", "false"),
        new("finetune_config_path", "the settings stand in --config or on the command line"),
        new("evaluation_config", "generated texts are measured with 'llama2 evaluate'"),
        new("evaluation_config_params", "generated texts are measured with 'llama2 evaluate'"),
        new("apply_deepspeed", Cloud, "false"),
        new("deepspeed", "DeepSpeed is not used: " + Cloud),
        new("deepspeed_stage", "DeepSpeed is not used: " + Cloud, "2", "3"),
        new("apply_ort", "ONNX Runtime is not used", "false"),
        new("num_nodes_finetune", Cloud, "1"),
        new("number_of_gpu_to_use_finetuning", "training runs on the CPU", "1"),
        new("shm_size_finetune", Cloud, "5g"),
        new("system_properties", Cloud),
        .. new[] { "model_import", "preprocess", "finetune", "model_evaluation" }.SelectMany(
            step => new RefusedSetting[] { new($"instance_type_{step}", Cloud), new($"compute_{step}", Cloud, "serverless") }),
    ];

    /// <exception cref="UsageException">The values ask for something.</exception>
    public void Check(string name, IReadOnlyList<string> values)
    {
        if (values.FirstOrDefault(value => !Harmless.Contains(value, StringComparer.OrdinalIgnoreCase)) is { } value)
        {
            throw new UsageException($"{name}: '{value}' is not supported: {Reason}.");
        }
    }
}
