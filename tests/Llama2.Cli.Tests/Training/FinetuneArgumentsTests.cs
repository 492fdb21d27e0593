using Llama2.Testing;

namespace Llama2.Cli.Tests;

public sealed class FinetuneArgumentsTests
{
    [Theory]
    [InlineData("Give --train-file-path, or train_file_path in a file of settings.")]
    [InlineData("--learning-rate: 0 is not a number above 0.", "--train-file-path", "a", "--learning-rate", "0")]
    [InlineData("--learning-rate: a number is expected, not 'high'.", "--train-file-path", "a", "--learning-rate", "high")]
    [InlineData("--num-train-epochs: a whole number is expected, not '1.5'.", "--train-file-path", "a", "--num-train-epochs", "1.5")]
    [InlineData("--max-steps: 0 is not at least 1.", "--train-file-path", "a", "--max-steps", "0")]
    [InlineData("--save-total-limit: 0 is not at least 1.", "--train-file-path", "a", "--save-total-limit", "0")]
    [InlineData("--lr-scheduler-type: one of linear, cosine, constant,", "--train-file-path", "a", "--lr-scheduler-type", "step")]
    [InlineData("the same as cosine", "--train-file-path", "a", "--lr-scheduler-type", "cosine_with_restarts")]
    [InlineData("the same as linear", "--train-file-path", "a", "--lr-scheduler-type", "polynomial")]
    [InlineData("constant has no warm-up", "--train-file-path", "a", "--lr-scheduler-type", "constant", "--warmup-steps", "3")]
    [InlineData("--precision: '4' is not supported: the smallest", "--train-file-path", "a", "--precision", "4")]
    [InlineData("--precision: weights of 8 bits are not trained themselves", "--train-file-path", "a", "--precision", "8", "--apply-lora", "false")]
    [InlineData("--lora-r needs --apply-lora.", "--train-file-path", "a", "--lora-r", "16")]
    [InlineData("--lora-target-modules needs --apply-lora.", "--train-file-path", "a", "--lora-target-modules", "all")]
    [InlineData("--merge-lora-weights needs --apply-lora.", "--train-file-path", "a", "--merge-lora-weights", "false")]
    [InlineData("--lora-r: 0 is not from 1 to 1024.", "--train-file-path", "a", "--apply-lora", "--lora-r", "0")]
    [InlineData("--lora-target-modules: 'query' is none of q_proj,", "--train-file-path", "a", "--apply-lora", "--lora-target-modules", "query")]
    [InlineData("--eval-steps needs --evaluation-strategy steps.", "--train-file-path", "a", "--eval-steps", "5")]
    [InlineData("--early-stopping-patience needs --apply-early-stopping.", "--train-file-path", "a", "--early-stopping-patience", "2")]
    [InlineData("--apply-early-stopping needs an --evaluation-strategy of epoch or steps.", "--train-file-path", "a", "--evaluation-strategy", "disable", "--apply-early-stopping")]
    [InlineData("--validation-file-path needs an --evaluation-strategy of epoch or steps.", "--train-file-path", "a", "--evaluation-strategy", "disable", "--validation-file-path", "b")]
    [InlineData("--logging-steps needs --logging-strategy steps.", "--train-file-path", "a", "--logging-strategy", "epoch", "--logging-steps", "5")]
    [InlineData("--system-prompt needs --rendering chat.", "--train-file-path", "a", "--rendering", "raw", "--system-prompt", "x")]
    [InlineData("--metric-for-best-model: 'f1' is not supported", "--train-file-path", "a", "--metric-for-best-model", "f1")]
    [InlineData("--metric-for-best-model: accuracy needs rows with an answer", "--train-file-path", "a", "--metric-for-best-model", "accuracy", "--rendering", "raw")]
    [InlineData("--metric-for-best-model: rougeL needs rows with an answer", "--train-file-path", "a", "--metric-for-best-model", "rougeL", "--loss-on", "all")]
    [InlineData("--text-key and --sentence1-key mean the same", "--train-file-path", "a", "--text-key", "x", "--sentence1-key", "y")]
    [InlineData("--text-key: the key is empty.", "--train-file-path", "a", "--text-key", "")]
    [InlineData("--max-seq-length: 2 tokens at least are needed", "--train-file-path", "a", "--max-seq-length", "1")]
    [InlineData("--threads: 0 is not from 1 to 1024.", "--train-file-path", "a", "--threads", "0")]
    [InlineData("--apply-deepspeed: 'true' is not supported: everything runs in this process, on this machine.", "--train-file-path", "a", "--apply-deepspeed")]
    [InlineData("--optim: 'adafactor' is not supported: the optimizer is AdamW.", "--train-file-path", "a", "--optim", "adafactor")]
    [InlineData("--number-of-gpu-to-use-finetuning: '8' is not supported: training runs on the CPU.", "--train-file-path", "a", "--number-of-gpu-to-use-finetuning", "8")]
    [InlineData("--huggingface-id: 'gpt2' is not supported: the model is the argument MODEL", "--train-file-path", "a", "--huggingface-id", "gpt2")]
    [InlineData("Option '--out' is required.", null)]
    public async Task Finetune_SettingThatWillNotDo_SaysWhyAndReturnsTwo(string message, params string[]? settings)
    {
        CliResult result = await CliRunner.RunAsync(settings is null ? ["finetune", "no-such-model"] : ["finetune", "no-such-model", "--out", "no-such-folder", .. settings]);

        Assert.Equal(CommandLine.Usage, result.Code);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Nothing is at", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Finetune_DefaultsOfTheContract_AreHarmless()
    {
        using var folder = new TemporaryFolder();
        string file = folder["azure.yaml"];
        await File.WriteAllTextAsync(
            file,
            """
            # every parameter of the text generation pipeline that has a default, as a string
            train_file_path: rows.jsonl
            batch_size: "1000"
            pad_to_max_length: "false"
            max_seq_length: "-1"
            apply_lora: "false"
            merge_lora_weights: "true"
            lora_alpha: "128"
            lora_r: "8"
            lora_dropout: "0.0"
            num_train_epochs: "1"
            max_steps: "-1"
            per_device_train_batch_size: "1"
            per_device_eval_batch_size: "1"
            auto_find_batch_size: "false"
            gradient_accumulation_steps: "1"
            eval_accumulation_steps: "-1"
            optim: adamw_torch
            learning_rate: "2e-5"
            warmup_steps: "0"
            weight_decay: "0.0"
            adam_beta1: "0.9"
            adam_beta2: "0.999"
            adam_epsilon: "1e-8"
            max_grad_norm: "1.0"
            lr_scheduler_type: linear
            precision: "32"
            evaluation_strategy: epoch
            eval_steps: "500"
            evaluation_steps_interval: "0.0"
            metric_for_best_model: loss
            apply_early_stopping: "false"
            early_stopping_patience: "1"
            early_stopping_threshold: "0.0"
            logging_strategy: steps
            logging_steps: "10"
            save_total_limit: "-1"
            resume_from_checkpoint: "false"
            seed: "42"
            enable_full_determinism: "false"
            dataloader_num_workers: "0"
            apply_deepspeed: "false"
            deepspeed_stage: "2"
            apply_ort: "false"
            num_nodes_finetune: "1"
            number_of_gpu_to_use_finetuning: "1"
            shm_size_finetune: 5g
            ignore_mismatched_sizes: "true"
            compute_finetune: serverless
            """);

        CliResult result = await CliRunner.RunAsync("finetune", "no-such-model", "--out", folder["out"], "--config", file);

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.StartsWith("error: Nothing is at 'no-such-model'.", result.Error, StringComparison.Ordinal);       // so the settings were all right
    }

    [Fact]
    public async Task Finetune_Help_ListsSettingsAndNotWhatIsRefused()
    {
        CliResult result = (await CliRunner.RunAsync("finetune", "--help")).Succeeded();

        Assert.Contains("--lora-alpha <X>", result.Output, StringComparison.Ordinal);
        Assert.Contains("(default: 2e-05)", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("deepspeed", result.Output, StringComparison.Ordinal);
    }
}
