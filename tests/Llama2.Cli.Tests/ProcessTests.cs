using System.Diagnostics;
using System.Globalization;

namespace Llama2.Cli.Tests;

/// <summary>What only a process of its own shows: real pipes, real signals, exit codes.</summary>
public sealed class ProcessTests(TinyModelFixture model) : IClassFixture<TinyModelFixture>
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Process_Filter_AnswersEachLineAtOnceAsUtf8()
    {
        using Process process = Start("detokenize", model.Path);
        for (int turn = 0; turn < 2; turn++)                     // the second line is written after the first was answered
        {
            await process.StandardInput.WriteLineAsync("{\"ids\":[198,191]}");
            await process.StandardInput.FlushAsync();
            Assert.Equal("{\"text\":\"ü\"}", await process.StandardOutput.ReadLineAsync().WaitAsync(_patience));
        }

        process.StandardInput.Close();
        Assert.Equal(0, await ExitAsync(process));
        Assert.Empty(await process.StandardError.ReadToEndAsync());
    }

    [Theory]
    [InlineData(0, "--version")]
    [InlineData(1, "info", "no-such-model")]
    [InlineData(2, "inform")]
    public async Task Process_ExitCode_SaysHowItWent(int code, params string[] args)
    {
        using Process process = Start(args);
        process.StandardInput.Close();

        Assert.Equal(code, await ExitAsync(process));
    }

    [UnixFact]
    public async Task Process_ReaderGone_EndsQuietly()
    {
        using Process process = Start(Endless());
        await ReadSomeAsync(process);
        process.StandardOutput.Close();

        Assert.Equal(0, await ExitAsync(process));
        Assert.Empty(await ErrorsAsync(process));
    }

    [UnixFact]
    public async Task Process_Interrupted_EndsCleanly()
    {
        using Process process = StartInterruptible(Endless());
        await ReadSomeAsync(process);
        using Process kill = Process.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]);
        Task<string> rest = process.StandardOutput.ReadToEndAsync();

        Assert.Equal(1, await ExitAsync(process));
        Assert.EndsWith("\n", await rest, StringComparison.Ordinal);
        Assert.Equal("error: cancelled\n", await ErrorsAsync(process));
    }

    /// <summary>A generation that nobody would wait for.</summary>
    private string[] Endless() => ["generate", model.Path, "--prompt", "a", "--seed", "1", "--ignore-eos", "true", "--context-length", "200000"];

    private static async Task<string> ErrorsAsync(Process process) =>
        string.Join('\n', (await process.StandardError.ReadToEndAsync()).Split('\n').Where(line => !line.StartsWith("warning: ", StringComparison.Ordinal)));

    private static async Task ReadSomeAsync(Process process)
    {
        char[] some = new char[1];
        Assert.Equal(1, await process.StandardOutput.ReadAsync(some).AsTask().WaitAsync(_patience));
    }

    private static string Program => System.IO.Path.Combine(AppContext.BaseDirectory, "Llama2.Cli.dll");

    private static Process Start(params string[] args) => Start("dotnet", ["exec", Program, .. args]);

    private static Process Start(string file, IEnumerable<string> args)
    {
        var start = new ProcessStartInfo(file, args)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new System.Text.UTF8Encoding(false),
            StandardOutputEncoding = System.Text.Encoding.UTF8,
        };
        return Process.Start(start)!;
    }

    /// <summary>A process that an interrupt reaches even where the tests themselves run in a shell's background, which ignores it and hands that on.</summary>
    private static Process StartInterruptible(params string[] args) => Start(
        OperatingSystem.IsLinux() ? "env" : "dotnet",
        [.. OperatingSystem.IsLinux() ? ["--default-signal=INT", "dotnet"] : Array.Empty<string>(), "exec", Program, .. args]);

    private static async Task<int> ExitAsync(Process process)
    {
        using var limit = new CancellationTokenSource(_patience);
        await process.WaitForExitAsync(limit.Token);
        return process.ExitCode;
    }
}

/// <summary>A fact about pipes and signals as Unix has them.</summary>
public sealed class UnixFactAttribute : FactAttribute
{
    public UnixFactAttribute() => Skip = OperatingSystem.IsWindows() ? "needs Unix signals" : null;
}
