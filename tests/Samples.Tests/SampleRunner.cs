using System.Diagnostics;
using System.Text;

namespace Samples.Tests;

/// <summary>Runs a sample as its user does: a process of its own, with pipes, in some other current directory.</summary>
internal static class SampleRunner
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    /// <param name="sample">The name of the project.</param>
    /// <param name="input">What is piped in; null keeps the pipe open and says nothing.</param>
    /// <param name="args">The arguments.</param>
    public static async Task<SampleResult> RunAsync(string sample, string? input, params string[] args)
    {
        var start = new ProcessStartInfo("dotnet", ["exec", Path.Combine(AppContext.BaseDirectory, $"{sample}.dll"), .. args])
        {
            WorkingDirectory = Path.GetTempPath(),
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false),
            StandardOutputEncoding = Encoding.UTF8,
        };
        using Process process = Process.Start(start)!;
        if (input is not null)
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
        }

        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(_patience);
        await process.WaitForExitAsync(limit.Token);
        return new(process.ExitCode, (await output).ReplaceLineEndings("\n"), (await error).ReplaceLineEndings("\n"));
    }
}

internal sealed record SampleResult(int Code, string Output, string Error);
