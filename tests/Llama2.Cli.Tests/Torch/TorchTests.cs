using Llama2.Testing;

namespace Llama2.Cli.Tests;

/// <summary>The program as it is built with TorchSharp: <c>dotnet test tests/Llama2.Cli.Tests -p:Torch=cpu</c>.</summary>
public sealed class TorchTests(TinyModelFixture model) : IClassFixture<TinyModelFixture>
{
    [Fact]
    public async Task Generate_OnADevice_TextOfOurEngine()
    {
        string[] generate = ["generate", model.Path, "--prompt", "abc", "--do-sample", "false", "--max-new-tokens", "30"];
        CliResult ours = (await CliRunner.RunAsync(generate)).Succeeded(), theirs = (await CliRunner.RunAsync([.. generate, "--device", "cpu"])).Succeeded();
        Assert.Equal(ours.Output, theirs.Output);
    }

    [Fact]
    public async Task Generate_UnknownDevice_IsWrongUsage()
    {
        CliResult result = await CliRunner.RunAsync("generate", model.Path, "--prompt", "abc", "--device", "gpu");
        Assert.Equal(CommandLine.Usage, result.Code);
        Assert.StartsWith("error: --device: There is no device 'gpu'", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_DeviceThatIsNotThere_FailsAndNeverRunsElsewhere()
    {
        CliResult result = await CliRunner.RunAsync("generate", model.Path, "--prompt", "abc", "--device", "cuda:99");
        Assert.Equal(CommandLine.Failure, result.Code);
        Assert.Contains("error: The device cuda:99 was asked for", result.Error, StringComparison.Ordinal);
        Assert.Empty(result.Output);
    }

    [Fact]
    public async Task Parity_UnknownDevice_IsWrongUsage() =>
        Assert.Equal(CommandLine.Usage, (await CliRunner.RunAsync("parity", model.Path, "--against", "gpu")).Code);

    [Fact]
    public async Task Info_TakesNoDevice() =>
        Assert.Equal(CommandLine.Usage, (await CliRunner.RunAsync("info", model.Path, "--device", "cpu")).Code);

    [Fact]
    public async Task Parity_InF32_ErrorsAreRoundingAndTokensTheSame()
    {
        CliResult result = (await CliRunner.RunAsync("parity", model.PathWithoutTokenizer, "--against", "cpu", "--weight-format", "f32", "--tokens", "20", "--generate", "30")).Succeeded();
        Assert.Equal(6, result.Lines.Length);
        Assert.Contains("libtorch 2", result.Lines[0], StringComparison.Ordinal);
        Assert.All(result.Lines[2..5], line => Assert.InRange(double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture), 0, 1e-4));
        Assert.Equal("the next 30 tokens are the same", result.Lines[5]);
    }

    [SharedDataFact]
    public async Task Parity_InHalfPrecision_TellsWhatDiffers()
    {
        CliResult result = (await CliRunner.RunAsync("parity", TestData.Path("models/stories260K"), "--against", "cpu", "--weight-format", "bf16", "--generate", "200")).Succeeded();
        Assert.Equal(5 + 4, result.Lines.Length);
        Assert.Matches("^(the next 200 tokens are the same|token \\d+ is the first that differs: .*)$", result.Lines[^1]);
    }

    [Fact]
    public async Task Parity_MoreThanTheContext_IsWrongUsage() =>
        Assert.Equal(CommandLine.Usage, (await CliRunner.RunAsync("parity", model.Path, "--against", "cpu", "--tokens", "100", "--generate", "100")).Code);
}
