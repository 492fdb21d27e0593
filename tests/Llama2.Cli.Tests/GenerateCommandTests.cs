using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Cli.Tests;

public sealed class GenerateCommandTests(TinyModelFixture model) : IClassFixture<TinyModelFixture>
{
    [Fact]
    public async Task Generate_Json_HoldsEverything()
    {
        JsonElement json = await JsonAsync("--prompt", "hello", "--seed", "5", "--max-new-tokens", "6", "--ignore-eos", "true");

        Assert.Equal("hello", json.GetProperty("prompt").GetString());
        Assert.Equal(1, json.GetProperty("prompt_ids")[0].GetInt32());
        Assert.Equal(6, json.GetProperty("ids").GetArrayLength());
        Assert.Equal("length", json.GetProperty("finish_reason").GetString());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("stop_sequence").ValueKind);
        JsonElement usage = json.GetProperty("usage");
        Assert.Equal(json.GetProperty("prompt_ids").GetArrayLength(), usage.GetProperty("prompt_tokens").GetInt32());
        Assert.Equal((0, 6), (usage.GetProperty("cached_prompt_tokens").GetInt32(), usage.GetProperty("completion_tokens").GetInt32()));
        JsonElement timings = json.GetProperty("timings");
        Assert.All(["queue_ms", "prefill_ms", "first_token_ms", "decode_ms"], name => Assert.True(timings.GetProperty(name).GetDouble() >= 0));
        Assert.True(timings.GetProperty("tokens_per_second").GetDouble() > 0);
        Assert.False(json.TryGetProperty("logprobs", out _));
    }

    [Fact]
    public async Task Generate_Text_IsTheJsonTextAndALineEnd()
    {
        string[] settings = ["--prompt", "hello", "--seed", "5", "--max-new-tokens", "20"];
        JsonElement json = await JsonAsync(settings);
        CliResult plain = (await CliRunner.RunAsync(["generate", model.Path, .. settings])).Succeeded();

        Assert.Equal(json.GetProperty("text").GetString() + "\n", plain.Output);
        Assert.Empty(plain.Error);
    }

    [Fact]
    public async Task Generate_EverySetting_IsInForce()
    {
        JsonElement settings = (await JsonAsync(
            "--prompt", "hello", "--do-sample", "true", "--temperature", "0.5", "--top-p", "0.75", "--top-k", "9", "--min-p", "0.125", "--typical-p", "0.25",
            "--repetition-penalty", "1.5", "--repetition-window", "8", "--presence-penalty", "-0.5", "--frequency-penalty", "1.25",
            "--no-repeat-ngram-size", "3",
            "--logit-bias", "5=-2.5", "--logit-bias", "6=-inf", "--bad-word", "bad", "--max-new-tokens", "4", "--min-new-tokens", "2", "--max-time", "30",
            "--ignore-eos", "true", "--seed", "-7", "--stop", "one", "--stop", "two", "--stop-token", "7", "--stop-token", "8",
            "--context-overflow", "truncate-left", "--return-full-text", "true", "--logprobs", "2", "--prompt-logprobs", "true")).GetProperty("settings");

        Assert.Equal(
            """
            {"do_sample":true,"temperature":0.5,"top_p":0.75,"top_k":9,"min_p":0.125,"typical_p":0.25,"repetition_penalty":1.5,"repetition_window":8,
            "presence_penalty":-0.5,"frequency_penalty":1.25,"no_repeat_ngram_size":3,"logit_bias":{"5":-2.5,"6":"-Infinity"},"bad_words":["bad"],
            "max_new_tokens":4,"min_new_tokens":2,"max_time":30,"ignore_eos":true,"seed":-7,"adapter":null,"stop":["one","two"],"stop_token_ids":[7,8],
            "constraint":null,"return_full_text":true,"logprobs":2,"prompt_logprobs":true,"context_overflow":"truncate-left"}
            """.ReplaceLineEndings(""),
            settings.GetRawText());
    }

    [Fact]
    public async Task Generate_Adapter_BesideOrMerged_ChangesTheText()
    {
        using var folder = new TemporaryFolder();
        using (var checkpoint = Checkpoint.Open(model.Path))
        {
            PeftFolder.Write(TinyAdapters.Create(1, null, checkpoint.Config), folder["legal"]);
        }

        string[] greedy = ["--prompt", "hello", "--do-sample", "false", "--ignore-eos", "true", "--max-new-tokens", "8", "--weight-format", "f32"];
        JsonElement bare = await JsonAsync(greedy), beside = await JsonAsync([.. greedy, "--adapter", folder["legal"]]);
        JsonElement merged = await JsonAsync([.. greedy, "--merge-adapter", folder["legal"] + "/"]);
        Assert.Equal("legal", beside.GetProperty("settings").GetProperty("adapter").GetString());
        Assert.Equal(JsonValueKind.Null, merged.GetProperty("settings").GetProperty("adapter").ValueKind);
        Assert.Equal(CliResult.Integers(beside, "ids"), CliResult.Integers(merged, "ids"));
        Assert.NotEqual(CliResult.Integers(bare, "ids"), CliResult.Integers(beside, "ids"));
    }

    [Fact]
    public async Task Generate_AdapterThatIsNone_SaysSo()
    {
        CliResult result = await CliRunner.RunAsync("generate", model.Path, "--prompt", "hello", "--adapter", model.Folder.Path);
        Assert.Equal(1, result.Code);
        Assert.Contains("adapter_config.json", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_Constraint_IsSatisfied()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder["schema.json"], """{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}""");
        JsonElement json = await JsonAsync("--prompt", "hello", "--json-schema", folder["schema.json"]);
        Assert.Equal("stop", json.GetProperty("finish_reason").GetString());
        Assert.Matches("^{\"ok\": ?(true|false)}$", json.GetProperty("text").GetString());
        Assert.StartsWith("JsonSchema: {", json.GetProperty("settings").GetProperty("constraint").GetString(), StringComparison.Ordinal);
        Assert.Matches("^(left|right)$", (await JsonAsync("--prompt", "hello", "--choice", "left", "--choice", "right")).GetProperty("text").GetString());
        Assert.Matches("^[a-c]{3}$", (await JsonAsync("--prompt", "hello", "--regex", "[a-c]{3}")).GetProperty("text").GetString());
        Assert.StartsWith("{", (await JsonAsync("--prompt", "hello", "--json-object", "--max-new-tokens", "5")).GetProperty("text").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("offset 0", "--regex", "(?=a)")]
    [InlineData("Give one of", "--regex", "a", "--choice", "b")]
    [InlineData("beside a constraint", "--regex", "a", "--stop", "b")]
    public async Task Generate_BadConstraint_ReturnsTwo(string message, params string[] settings)
    {
        CliResult result = await CliRunner.RunAsync(["generate", model.Path, "--prompt", "a", .. settings]);
        Assert.Equal(2, result.Code);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_Scores_OnePerToken()
    {
        JsonElement json = await JsonAsync(
            "--prompt", "hello", "--max-new-tokens", "3", "--ignore-eos", "true", "--seed", "1", "--logprobs", "2", "--prompt-logprobs", "true");

        Assert.Equal(CliResult.Integers(json, "ids"), json.GetProperty("logprobs").EnumerateArray().Select(score => score.GetProperty("id").GetInt32()));
        Assert.All(json.GetProperty("logprobs").EnumerateArray(), score => Assert.Equal(2, score.GetProperty("top").GetArrayLength()));
        Assert.Equal(json.GetProperty("prompt_ids").GetArrayLength() - 1, json.GetProperty("prompt_logprobs").GetArrayLength());
    }

    [Fact]
    public async Task Generate_StopSequence_IsNamed()
    {
        string[] settings = ["--prompt", "hello", "--do-sample", "false", "--ignore-eos", "true", "--max-new-tokens", "30"];
        string text = (await JsonAsync(settings)).GetProperty("text").GetString()!;
        string stop = text.Substring(5, 2);

        JsonElement json = await JsonAsync([.. settings, "--stop", stop]);

        Assert.Equal("stop-sequence", json.GetProperty("finish_reason").GetString());
        Assert.Equal(stop, json.GetProperty("stop_sequence").GetString());
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], json.GetProperty("text").GetString());
    }

    [Fact]
    public async Task Generate_ReturnFullText_BeginsWithThePrompt()
    {
        CliResult result = (await CliRunner.RunAsync(
            "generate", model.Path, "--prompt", "hello", "--max-new-tokens", "3", "--return-full-text", "true")).Succeeded();

        Assert.StartsWith("hello", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("@file")]
    [InlineData("--seed")]
    [InlineData("- a list")]
    [InlineData("two\nlines ü")]
    public async Task Generate_OddPrompt_IsTakenAsItStands(string prompt) =>
        Assert.Equal(prompt, (await JsonAsync($"--prompt={prompt}", "--max-new-tokens", "1")).GetProperty("prompt").GetString());

    [Fact]
    public async Task Generate_PromptFile_OrStandardInput()
    {
        string file = model.Folder["prompt.txt"];
        await File.WriteAllTextAsync(file, "from a\nfile\n");

        Assert.Equal("from a\nfile\n", (await JsonAsync("--prompt-file", file, "--max-new-tokens", "1")).GetProperty("prompt").GetString());
        CliResult piped = (await CliRunner.RunAsync(
            "from a\npipe", ["generate", model.Path, "--json", "--prompt-file", "-", "--max-new-tokens", "1"])).Succeeded();
        Assert.Equal("from a\npipe", JsonDocument.Parse(piped.Output).RootElement.GetProperty("prompt").GetString());
        Assert.Equal(CommandLine.Failure, (await CliRunner.RunAsync("generate", model.Path, "--prompt-file", model.Folder["none.txt"])).Code);
    }

    [Fact]
    public async Task Generate_PromptLongerThanTheContext_FailsWithTheCounts()
    {
        CliResult result = await CliRunner.RunAsync("generate", model.Path, "--prompt", new string('%', 200));

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Contains("128", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_ContextLength_RaisesTheContextWithAWarning()
    {
        CliResult result = (await CliRunner.RunAsync(
            "generate", model.Path, "--prompt", new string('%', 200), "--context-length", "256", "--max-new-tokens", "2",
            "--threads", "1", "--weight-format", "q8_0")).Succeeded();

        Assert.Equal("warning: 256 tokens are more than the 128 that the model was trained for\n", result.Error);
    }

    [Fact]
    public async Task Generate_ContextThatCannotFit_IsRefusedWithTheFigures()
    {
        CliResult result = await CliRunner.RunAsync("generate", model.Path, "--prompt", "a", "--context-length", $"{int.MaxValue}", "--weight-format", "f32");

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Matches("error: .*GB", result.Error);
    }

    [Fact]
    public async Task Generate_Verbose_LogsToStandardError()
    {
        CliResult result = (await CliRunner.RunAsync("generate", model.Path, "--prompt", "a", "--max-new-tokens", "1", "--verbose")).Succeeded();

        Assert.Contains("Information: Llama2.LlamaModel: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_WithoutTokenizer_SaysSo()
    {
        CliResult result = await CliRunner.RunAsync("generate", model.PathWithoutTokenizer, "--prompt", "a");

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Contains("tokenizer", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_ReaderGone_EndsQuietly()
    {
        using var terminal = new TestTerminal("");
        var streams = new Terminal { Input = TextReader.Null, Output = new BrokenPipe(), Error = terminal.Error };

        Assert.Equal(CommandLine.Success, await CommandLine.RunAsync(["generate", model.Path, "--prompt", "a", "--seed", "1"], streams));
        Assert.Empty(terminal.Error.ToString());
    }

    [Fact]
    public async Task Generate_Interrupted_PrintsWhatThereIsAndReturnsOne()
    {
        using var terminal = new TestTerminal("");
        using var output = new InterruptingWriter(terminal.Streams.Interrupts);
        var streams = new Terminal { Input = TextReader.Null, Output = output, Error = terminal.Error, Interrupts = terminal.Streams.Interrupts };

        int code = await CommandLine.RunAsync(
            ["generate", model.Path, "--prompt", "a", "--seed", "1", "--ignore-eos", "true", "--context-length", "100000"], streams);

        Assert.Equal(CommandLine.Failure, code);
        Assert.Contains("error: cancelled", terminal.Error.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("\n", output.ToString(), StringComparison.Ordinal);
        Assert.True(output.ToString().Length > 1);
    }

    private async Task<JsonElement> JsonAsync(params string[] settings) =>
        JsonDocument.Parse(Assert.Single((await CliRunner.RunAsync(["generate", model.Path, "--json", .. settings])).Succeeded().Lines)).RootElement;

    private sealed class BrokenPipe : StringWriter
    {
        public override Task FlushAsync(CancellationToken cancellationToken) =>
            throw new IOException("Broken pipe", OperatingSystem.IsWindows() ? unchecked((int)0x8007006D) : 32);
    }

    /// <summary>Ctrl-C as soon as there is something to see.</summary>
    private sealed class InterruptingWriter(Interrupts interrupts) : StringWriter
    {
        public override Task WriteAsync(string? value)
        {
            interrupts.RaiseAll();
            return base.WriteAsync(value);
        }
    }
}
