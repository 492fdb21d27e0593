using System.Text.Json;

namespace Llama2.Cli.Tests;

/// <summary>Runs of <c>llama2 finetune</c> on a tiny model.</summary>
public sealed class FinetuneRunTests(TinyModelFixture model) : IClassFixture<TinyModelFixture>
{
    private static readonly string[] _lora = ["--apply-lora", "--lora-target-modules", "all", "--lora-r", "4", "--lora-alpha", "8"];

    [Fact]
    public async Task Finetune_EveryParameter_LossFallsAndTheModelIsWritten()
    {
        using var rig = new FinetuneRig(model.Path);

        CliResult result = (await rig.RunAsync("--num-train-epochs", "10", "--logging-steps", "8", "--json")).Succeeded();

        JsonElement answer = Assert.Single(result.Answers);
        Assert.Equal(40, answer.GetProperty("steps").GetInt32());
        Assert.Equal([32, 4, 4, 0], [.. answer.GetProperty("rows").EnumerateObject().Select(row => row.Value.GetInt32())]);
        Assert.InRange(answer.GetProperty("train_loss").GetDouble(), 0, 1);               // ln 300 = 5.7 where nothing is known
        Assert.InRange(answer.GetProperty("eval_loss").GetDouble(), 0, 2);
        Assert.InRange(answer.GetProperty("test_loss").GetDouble(), 0, 2);
        Assert.Equal(JsonValueKind.Null, answer.GetProperty("adapter").ValueKind);
        Assert.Equal(5 + 10, Lines(result, "step ").Length);                              // one for 8 steps, one for each evaluation
        Assert.Contains(Lines(result, "step "), line => line.Contains("validation loss", StringComparison.Ordinal));
        Assert.Contains("<svg", await File.ReadAllTextAsync(answer.GetProperty("report").GetString()!), StringComparison.Ordinal);
        (await CliRunner.RunAsync("info", answer.GetProperty("model").GetString()!)).Succeeded();
        (await CliRunner.FilterAsync(["""{"text":"a"}"""], "tokenize", rig["out/model"])).Succeeded();
    }

    [Fact]
    public async Task Finetune_Lora_WritesAdapterAndModelThatMergeMakesToo()
    {
        using var rig = new FinetuneRig(model.Path);

        CliResult result = (await rig.RunAsync([.. _lora, "--num-train-epochs", "10"])).Succeeded();
        (await CliRunner.RunAsync("merge", model.Path, rig["out/adapter"], rig["merged"])).Succeeded();
        (await CliRunner.RunAsync("merge", model.Path, rig["out/adapter"], rig["merged.gguf"], "--format", "q8_0")).Succeeded();

        Assert.Contains($"merged model     {rig["out/model"]}", result.Output, StringComparison.Ordinal);
        Assert.Contains($"adapter          {rig["out/adapter"]}", result.Output, StringComparison.Ordinal);
        Assert.Equal(rig.Weights(), rig.Weights("merged"));
        (await CliRunner.RunAsync("info", rig["merged.gguf"])).Succeeded();
        double before = await LossAsync(rig, model.Path), after = await LossAsync(rig, rig["merged"]);
        Assert.True(after < before - 2, $"loss {before} → {after}");
    }

    [Theory]
    [InlineData("16")]
    [InlineData("8")]
    public async Task Finetune_SmallerPrecision_FreezesTheWeightsAndWritesTheAdapterAlone(string precision)
    {
        using var rig = new FinetuneRig(model.Path);

        CliResult result = (await rig.RunAsync("--precision", precision, "--merge-lora-weights", "false", "--max-steps", "3", "--json")).Succeeded();

        Assert.Contains($"--precision {precision} freezes the weights, so adapters are trained.", result.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(rig["out/adapter/adapter_model.safetensors"]));
        Assert.False(Directory.Exists(rig["out/model"]));
        Assert.Equal(JsonValueKind.Null, result.Answers[0].GetProperty("model").ValueKind);
    }

    [Fact]
    public async Task Finetune_InterruptedAndResumed_EqualsTheRunThatWasNot()
    {
        using var rig = new FinetuneRig(model.Path);
        string[] settings = ["--max-steps", "100", "--logging-steps", "1", "--save-steps", "1000", "--save-total-limit", "1", "--seed", "5"];
        (await CliRunner.RunAsync(rig.Arguments(rig["whole"], settings))).Succeeded();

        using var terminal = new TestTerminal("", error: new InterruptingWriter("step 6/100"));
        ((InterruptingWriter)terminal.Error).Interrupts = terminal.Streams.Interrupts;
        int code = await CommandLine.RunAsync(rig.Arguments(rig.Out, settings), terminal.Streams);

        Assert.Equal(CommandLine.Failure, code);
        Assert.Contains("the same command with --resume-from-checkpoint goes on from there.", terminal.Error.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("error: cancelled\n", terminal.Error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(rig["out/model"]));
        CliResult again = await rig.RunAsync(settings);
        Assert.Equal(CommandLine.Failure, again.Code);
        Assert.Contains("holds states of an earlier run", again.Error, StringComparison.Ordinal);

        Directory.CreateDirectory(rig["out/model"]);             // as if it had been killed while it wrote its results
        await File.WriteAllTextAsync(rig["out/model/config.json"], "{}");
        CliResult resumed = (await rig.RunAsync([.. settings, "--resume-from-checkpoint", "--json"])).Succeeded();
        Assert.Equal(100, resumed.Answers[0].GetProperty("steps").GetInt32());
        Assert.DoesNotContain("step 6/100", resumed.Error, StringComparison.Ordinal);
        Assert.Equal(rig.Weights("whole/model"), rig.Weights());
    }

    [Fact]
    public async Task Finetune_OtherSeed_OtherModel()
    {
        using var rig = new FinetuneRig(model.Path);
        (await CliRunner.RunAsync(rig.Arguments(rig["one"], "--max-steps", "2", "--seed", "1"))).Succeeded();
        (await CliRunner.RunAsync(rig.Arguments(rig["two"], "--max-steps", "2", "--seed", "2"))).Succeeded();

        Assert.NotEqual(rig.Weights("one/model"), rig.Weights("two/model"));
    }

    [Fact]
    public async Task Finetune_NoBetter_StopsEarly()
    {
        using var rig = new FinetuneRig(model.Path);

        CliResult result = (await rig.RunAsync(
            "--evaluation-strategy", "steps", "--eval-steps", "1", "--apply-early-stopping", "--early-stopping-patience", "2",
            "--early-stopping-threshold", "100", "--num-train-epochs", "5", "--json")).Succeeded();

        Assert.True(result.Answers[0].GetProperty("stopped_early").GetBoolean());
        Assert.Equal(3, result.Answers[0].GetProperty("steps").GetInt32());
    }

    [Theory]
    [InlineData("f1_macro")]
    [InlineData("rougeL")]
    public async Task Finetune_MetricOfAnswers_ChoosesTheModel(string metric)
    {
        using var rig = new FinetuneRig(model.Path);

        CliResult result = (await rig.RunAsync(
            "--metric-for-best-model", metric, "--validation-file-path", rig.Rows, "--num-train-epochs", "4", "--per-device-eval-batch-size", "8", "--json"))
            .Succeeded();

        JsonElement answer = result.Answers[0];
        double best = answer.GetProperty("best_metric").GetDouble();
        double[] all =
        [
            .. from line in Lines(result, "step ")
               where line.Contains(metric, StringComparison.Ordinal)
               select double.Parse(line.Split($"{metric} ")[1].Split(',')[0], System.Globalization.CultureInfo.InvariantCulture),
        ];
        Assert.Equal(4, all.Length);
        Assert.Equal(all.Max(), best, 1e-4);
        Assert.InRange(best, 0.3, 1);                            // two answers, 20 rows each
        Assert.Equal(metric, answer.GetProperty("metric_for_best_model").GetString());
    }

    [Fact]
    public async Task Finetune_PartOfAnEpoch_EvaluatesThatOften()
    {
        using var rig = new FinetuneRig(model.Path);

        CliResult result = (await rig.RunAsync("--evaluation-strategy", "steps", "--evaluation-steps-interval", "0.5", "--logging-strategy", "epoch"))
            .Succeeded();

        Assert.Equal(2, result.Error.Split("validation loss").Length - 1);
    }

    [Fact]
    public async Task Finetune_LabelsAndRawTexts_AreTrainedOn()
    {
        using var rig = new FinetuneRig(model.Path);
        string rows = rig.Write("labels.jsonl", Enumerable.Range(0, 10).Select(i => $$"""{"sentence":"i am {{i}}","label":{{i % 2}}}"""));
        string[] all = ["finetune", model.Path, "--train-file-path", rows, "--evaluation-strategy", "disable", "--max-steps", "2", "--json"];

        CliResult labels = (await CliRunner.RunAsync([.. all, "--out", rig["labels"], "--sentence1-key", "sentence", "--label-key", "label"])).Succeeded();
        CliResult raw = (await CliRunner.RunAsync(
            [.. all, "--out", rig["raw"], "--text-key", "sentence", "--rendering", "raw", "--loss-on", "all", "--pack"])).Succeeded();

        Assert.Equal([10, 0, 0, 0], [.. labels.Answers[0].GetProperty("rows").EnumerateObject().Select(row => row.Value.GetInt32())]);
        Assert.Contains("10 rows to train on (", raw.Error, StringComparison.Ordinal);
        Assert.Contains("tokens in 1 sequences)", raw.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Finetune_ValidationAndTestFiles_LeaveTheTrainingRowsWhole()
    {
        using var rig = new FinetuneRig(model.Path);

        CliResult both = (await rig.RunAsync("--validation-file-path", rig.Rows, "--test-file-path", rig.Rows, "--max-steps", "1", "--json")).Succeeded();
        CliResult test = (await CliRunner.RunAsync(rig.Arguments(rig["test"], "--test-file-path", rig.Rows, "--max-steps", "1", "--json"))).Succeeded();

        Assert.Equal([40, 40, 40, 0], [.. both.Answers[0].GetProperty("rows").EnumerateObject().Select(row => row.Value.GetInt32())]);
        Assert.Equal([32, 8, 40, 0], [.. test.Answers[0].GetProperty("rows").EnumerateObject().Select(row => row.Value.GetInt32())]);
    }

    [Fact]
    public async Task Finetune_BadRows_AreNamedAndFatalOrSkipped()
    {
        using var rig = new FinetuneRig(model.Path);
        string rows = rig.Write("bad.jsonl", [.. await File.ReadAllLinesAsync(rig.Rows), "", """{"text":"no answer"}"""]);
        string[] all = ["finetune", model.Path, "--train-file-path", rows, "--max-steps", "1"];

        CliResult fatal = await CliRunner.RunAsync([.. all, "--out", rig["fatal"]]);
        CliResult skipped = (await CliRunner.RunAsync([.. all, "--out", rig["skipped"], "--bad-rows", "skip", "--json"])).Succeeded();

        Assert.Equal(CommandLine.Failure, fatal.Code);
        Assert.Contains($"{rows}, line 42: no 'ground_truth'", fatal.Error, StringComparison.Ordinal);
        Assert.Contains($"warning: {rows}, line 42: no 'ground_truth'; the row is skipped", skipped.Error, StringComparison.Ordinal);
        Assert.Equal(1, skipped.Answers[0].GetProperty("rows").GetProperty("bad").GetInt32());
    }

    [Fact]
    public async Task Finetune_FolderOrModelOrRowsThatWillNotDo_FailsBeforeTraining()
    {
        using var rig = new FinetuneRig(model.Path);
        Directory.CreateDirectory(rig["out/model"]);

        CliResult taken = await rig.RunAsync();
        CliResult bare = await CliRunner.RunAsync("finetune", model.PathWithoutTokenizer, "--train-file-path", rig.Rows, "--out", rig["bare"]);
        CliResult few = await CliRunner.RunAsync(
            "finetune", model.Path, "--train-file-path", rig.Write("few.jsonl", ["""{"text":"a","ground_truth":"b"}"""]), "--out", rig["few"]);
        CliResult wide = await CliRunner.RunAsync(rig.Arguments(rig["wide"], "--max-seq-length", "500"));

        Assert.Equal(CommandLine.Failure, taken.Code);
        Assert.Contains("a run does not replace a trained model", taken.Error, StringComparison.Ordinal);
        Assert.Equal(CommandLine.Failure, bare.Code);
        Assert.Contains("tokenizer", bare.Error, StringComparison.Ordinal);
        Assert.Equal(CommandLine.Usage, few.Code);
        Assert.Contains("1 rows are too few", few.Error, StringComparison.Ordinal);
        Assert.Equal(CommandLine.Usage, wide.Code);
        Assert.Contains("500 tokens are more than the 128 of the model's context", wide.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("settings.yaml", "max_steps: 2", "apply_lora: 'true'", "lora_r: 2", "lora_target_modules: [q_proj, o_proj]")]
    [InlineData("settings.json", "{\"max_steps\": 2, \"apply_lora\": \"true\", \"lora_r\": 2, \"lora_target_modules\": [\"q_proj\", \"o_proj\"]}")]
    public async Task Finetune_FileOfSettings_ActsAndTheCommandLineWins(string name, params string[] lines)
    {
        using var rig = new FinetuneRig(model.Path);
        string file = rig.Write(name, lines);

        CliResult asFile = (await rig.RunAsync("--config", file, "--json")).Succeeded();
        CliResult asOptions = (await CliRunner.RunAsync(rig.Arguments(
            rig["options"], "--max-steps", "2", "--apply-lora", "true", "--lora-r", "2", "--lora-target-modules", "q_proj,o_proj", "--json"))).Succeeded();
        CliResult both = (await CliRunner.RunAsync(rig.Arguments(rig["both"], "--config", file, "--max-steps", "3", "--json"))).Succeeded();

        Assert.Equal(2, asFile.Answers[0].GetProperty("steps").GetInt32());
        Assert.Equal(rig.Weights("options/model"), rig.Weights());
        Assert.Equal(3, both.Answers[0].GetProperty("steps").GetInt32());
    }

    [Fact]
    public async Task Finetune_AtTheTerminal_ShowsBarChartAndTable()
    {
        using var rig = new FinetuneRig(model.Path);
        using var terminal = new TestTerminal("", interactive: true);

        int code = await CommandLine.RunAsync(rig.Arguments(rig.Out, "--num-train-epochs", "2"), terminal.Streams);

        Assert.True(code == 0, terminal.Error.ToString());
        Assert.Contains("tokens/s", terminal.Error.ToString(), StringComparison.Ordinal);
        Assert.Contains("line: training loss, ×: validation loss, nats per token", terminal.Error.ToString(), StringComparison.Ordinal);
        Assert.Contains("test loss", terminal.Output.ToString(), StringComparison.Ordinal);
    }

    private static string[] Lines(CliResult result, string start) =>
        [.. result.Error.Split('\n').Where(line => line.StartsWith(start, StringComparison.Ordinal))];

    /// <summary>The loss of a model on the rows, as a test after a step that changes next to nothing.</summary>
    private static async Task<double> LossAsync(FinetuneRig rig, string path)
    {
        string output = rig[Guid.NewGuid().ToString("N")];
        CliResult result = (await CliRunner.RunAsync(
            "finetune", path, "--train-file-path", rig.Rows, "--test-file-path", rig.Rows, "--out", output, "--evaluation-strategy", "disable",
            "--learning-rate", "1e-12", "--max-steps", "1", "--json")).Succeeded();
        return result.Answers[0].GetProperty("test_loss").GetDouble();
    }

    /// <summary>Takes a Ctrl-C as soon as a text is written.</summary>
    private sealed class InterruptingWriter(string text) : StringWriter
    {
        private bool _raised;

        public Interrupts? Interrupts { get; set; }

        public override string NewLine => "\n";

        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.StartsWith(text, StringComparison.Ordinal) == true)
            {
                Interrupts!.Raise();
                _raised = true;
            }

            if (_raised)
            {
                Thread.Sleep(100);                              // the signal reaches the run on another thread, which may be slower than its steps
            }
        }
    }
}
