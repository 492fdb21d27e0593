using Llama2.Testing;

namespace Llama2.Cli.Tests;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("Required command was not provided.")]
    [InlineData("'frobnicate'", "frobnicate")]
    [InlineData("Required argument missing for command: 'info'", "info")]
    [InlineData("'--colour'", "info", "model", "--colour")]
    [InlineData("--threads: at least 1 is needed.", "info", "model", "--threads", "0")]
    [InlineData("--context-length: at least 1 is needed.", "logits", "model", "--context-length", "-3")]
    [InlineData("--weight-format: 'q2' is none of f32, f16, bf16, q8_0, q4_0.", "info", "model", "--weight-format", "q2")]
    [InlineData("Give --prompt or --prompt-file.", "generate", "model")]
    [InlineData("Give --prompt or --prompt-file.", "generate", "model", "--prompt", "a", "--prompt-file", "b")]
    [InlineData("--logprobs and --prompt-logprobs need --json.", "generate", "model", "--prompt", "a", "--logprobs", "2")]
    [InlineData("--logprobs and --prompt-logprobs need --json.", "generate", "model", "--prompt", "a", "--prompt-logprobs", "true")]
    [InlineData("'hot' for option '--temperature': a number is expected.", "generate", "model", "--prompt", "a", "--temperature", "hot")]
    [InlineData("'2.5' for option '--seed': a whole number is expected.", "generate", "model", "--prompt", "a", "--seed", "2.5")]
    [InlineData("'99999999999' for option '--top-k': a whole number is expected.", "generate", "model", "--prompt", "a", "--top-k", "99999999999")]
    [InlineData("'maybe'", "generate", "model", "--prompt", "a", "--do-sample", "maybe")]
    [InlineData("'x' for option '--stop-token': a whole number is expected.", "generate", "model", "--prompt", "a", "--stop-token", "x")]
    [InlineData("--max-time: a number of seconds above 0 is expected, not -1.", "generate", "model", "--prompt", "a", "--max-time", "-1")]
    [InlineData("--logit-bias: ID=VALUE is expected, such as 29871=-2.5, not '5'.", "generate", "model", "--prompt", "a", "--logit-bias", "5")]
    [InlineData("--logit-bias: ID=VALUE is expected, such as 29871=-2.5, not '-1=2'.", "generate", "model", "--prompt", "a", "--logit-bias", "-1=2")]
    [InlineData("'--logprobs'", "chat", "model", "--logprobs", "1")]
    [InlineData("Option '--format' is required.", "quantize", "model", "out.gguf")]
    [InlineData("give it a name that ends with .gguf", "quantize", "model", "out.bin", "--format", "f32")]
    public async Task Run_WrongUsage_SaysWhyAndReturnsTwo(string message, params string[] args)
    {
        CliResult result = await CliRunner.RunAsync(args);

        Assert.Equal(CommandLine.Usage, result.Code);
        Assert.StartsWith("error: ", result.Error, StringComparison.Ordinal);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Empty(result.Output);
    }

    [Theory]
    [InlineData("--temperature", "-1")]
    [InlineData("--temperature", "NaN")]
    [InlineData("--top-p", "1.5")]
    [InlineData("--top-k", "-1")]
    [InlineData("--max-new-tokens", "0")]
    [InlineData("--repetition-penalty", "0")]
    [InlineData("--presence-penalty", "3")]
    public async Task Run_SettingOutOfRange_ReturnsTwoBeforeAnyLoad(string option, string value)
    {
        CliResult result = await CliRunner.RunAsync("generate", "no-such-model", "--prompt", "a", option, value);

        Assert.Equal(CommandLine.Usage, result.Code);
        Assert.DoesNotContain("no-such-model", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Parameter", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("info")]
    [InlineData("tokenize")]
    [InlineData("detokenize")]
    [InlineData("template")]
    [InlineData("logits")]
    [InlineData("chat")]
    [InlineData("generate", "--prompt", "a")]
    [InlineData("quantize", "out.gguf", "--format", "f32")]
    public async Task Run_NoSuchModel_OneLineAndReturnsOne(string command, params string[] more)
    {
        CliResult result = await CliRunner.RunAsync([command, "no-such-model", .. more]);

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.StartsWith("error: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("no-such-model", result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Empty(result.Output);
    }

    [Fact]
    public async Task Run_FailureWithVerbose_ShowsWhereItComesFrom()
    {
        CliResult result = await CliRunner.RunAsync("info", "no-such-model", "--verbose");

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Contains("   at ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_FolderWithoutModel_SaysWhatIsMissing()
    {
        using var folder = new TemporaryFolder();

        CliResult result = await CliRunner.RunAsync("info", folder.Path);

        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Contains("config.json", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("chat <MODEL>", "--help")]
    [InlineData("Exit codes: 0 done, 1 failed or cancelled, 2 wrong usage.", "--help")]
    [InlineData("llama2 generate <MODEL> [options]", "generate", "--help")]
    [InlineData("A line that cannot be answered gets", "tokenize", "-h")]
    public async Task Run_Help_GoesToStandardOutput(string text, params string[] args)
    {
        CliResult result = (await CliRunner.RunAsync(args)).Succeeded();

        Assert.Contains(text, result.Output, StringComparison.Ordinal);
        Assert.Empty(result.Error);
    }

    [Fact]
    public void Describe_SeveralLinesAndParameter_OneLineWithoutIt() =>
        Assert.Equal("It is wrong. Very.", CommandLine.Describe(new ArgumentException("It is wrong.\n  Very.", "value")));
}
