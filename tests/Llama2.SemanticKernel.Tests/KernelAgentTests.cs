using System.Diagnostics;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Runs the sample as a user would, with a model of random weights.</summary>
public sealed class KernelAgentTests(TinyModelFixture tiny) : IClassFixture<TinyModelFixture>
{
    [Fact]
    public async Task KernelAgent_ChatAndPrompts_AnswerEach()
    {
        string[] lines = ["hello", "/summarise Ann: Hi. Ben: It's raining!", "/emotion I'm so happy", "again", ""];

        (int exitCode, string output, string error) = await RunAsync(lines, "--model", tiny.Path);

        Assert.True(exitCode == 0, error);
        Assert.Equal(2, output.Split("\"temperature\":0.7").Length - 1);         // the settings of both chat turns
        Assert.Contains("\"max_new_tokens\":200", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task KernelAgent_WithFunctions_AnswersEachTurn()
    {
        (int exitCode, string output, string error) = await RunAsync(["hello", "again", ""], "--functions", "--model", tiny.Path);

        Assert.True(exitCode == 0, error);
        Assert.True(output.Split("\"temperature\":0.7").Length - 1 >= 2, output);       // a turn with calls asks more than once
    }

    [Fact]
    public async Task KernelAgent_MissingModel_FailsWithItsName()
    {
        (int exitCode, _, string error) = await RunAsync(["hello"], "--model", "no-such-model");

        Assert.NotEqual(0, exitCode);
        Assert.Contains("no-such-model", error, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(string[] lines, params string[] arguments)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "KernelAgent.dll");
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(string.Join('\n', lines) + "\n");
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
