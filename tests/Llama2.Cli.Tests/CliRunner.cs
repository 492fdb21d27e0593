using System.Text.Json;

namespace Llama2.Cli.Tests;

/// <summary>Runs a command inside the test's process.</summary>
internal static class CliRunner
{
    public static Task<CliResult> RunAsync(params string[] args) => RunAsync("", args);

    public static Task<CliResult> FilterAsync(IEnumerable<string> lines, params string[] args) => RunAsync(string.Join('\n', lines) + "\n", args);

    public static async Task<CliResult> RunAsync(string input, string[] args)
    {
        using var terminal = new TestTerminal(input);
        int code = await CommandLine.RunAsync(args, terminal.Streams);
        return new CliResult(code, terminal.Output.ToString(), terminal.Error.ToString());
    }
}

internal sealed record CliResult(int Code, string Output, string Error)
{
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The lines as JSON.</summary>
    public JsonElement[] Answers => [.. Lines.Select(line => JsonDocument.Parse(line).RootElement)];

    public static int[] Integers(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];

    public static float[][] Logits(JsonElement answer) =>
        [.. answer.GetProperty("logits").EnumerateArray().Select(row => row.EnumerateArray().Select(logit => logit.GetSingle()).ToArray())];

    /// <summary>The output of a command that must have succeeded.</summary>
    public CliResult Succeeded()
    {
        Assert.True(Code == 0, $"exit code {Code}: {Error}");
        return this;
    }
}

/// <summary>A terminal, or none, whose other ends are strings.</summary>
internal sealed class TestTerminal : IDisposable
{
    public TestTerminal(string input, bool interactive = false, StringWriter? error = null)
        : this(new StringReader(input), interactive, error)
    {
    }

    public TestTerminal(TextReader input, bool interactive, StringWriter? error = null)
    {
        Error = error ?? new StringWriter { NewLine = "\n" };
        Streams = new Terminal
        {
            Input = input,
            Output = Output,
            Error = Error,
            InputIsTerminal = interactive,
            OutputIsTerminal = interactive,
            ErrorIsTerminal = interactive,
        };
    }

    public Terminal Streams { get; }

    public StringWriter Output { get; } = new() { NewLine = "\n" };

    public StringWriter Error { get; }

    public void Dispose() => Streams.Interrupts.Dispose();
}
