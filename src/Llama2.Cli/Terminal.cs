using System.Text;
using Microsoft.Win32.SafeHandles;
using Spectre.Console;

namespace Llama2.Cli;

/// <summary>The three standard streams of a command, and what is at their other ends.</summary>
internal sealed class Terminal
{
    private static readonly UTF8Encoding _utf8 = new(encoderShouldEmitUTF8Identifier: false);

    public required TextReader Input { get; init; }

    /// <summary>Results, and nothing else.</summary>
    public required TextWriter Output { get; init; }

    /// <summary>Everything that is not a result: progress, warnings, errors, logs, a chat's prompt.</summary>
    public required TextWriter Error { get; init; }

    public bool InputIsTerminal { get; init; }

    public bool OutputIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    public Interrupts Interrupts { get; init; } = new();

    /// <summary>The streams of this process: UTF-8 without a mark, lines ended by <c>\n</c>, whatever the locale.</summary>
    public static Terminal Open()
    {
        if (OperatingSystem.IsWindows())
        {
            Console.OutputEncoding = _utf8;                     // also what a Windows console shows
            Console.InputEncoding = _utf8;
        }

        return new()
        {
            InputIsTerminal = !Console.IsInputRedirected,
            OutputIsTerminal = !Console.IsOutputRedirected,
            ErrorIsTerminal = !Console.IsErrorRedirected,
            Input = Console.IsInputRedirected ? new StreamReader(Console.OpenStandardInput(), _utf8) : Console.In,
            Output = new StreamWriter(OpenOutput(), _utf8, bufferSize: 1 << 14) { NewLine = "\n" },
            Error = new StreamWriter(Console.OpenStandardError(), _utf8) { NewLine = "\n", AutoFlush = true },
        };
    }

    /// <summary>Whether the reader of our output has gone, as <c>| head -1</c> does.</summary>
    public static bool IsBrokenPipe(IOException exception) =>
        OperatingSystem.IsWindows() ? exception.HResult is unchecked((int)0x8007006D) or unchecked((int)0x800700E8) : exception.HResult == 32;

    public void Warn(string message) => Error.WriteLine($"warning: {message}");

    /// <summary>Tables and bars on one of the writers, in colour where the terminal has it and NO_COLOR does not forbid it.</summary>
    public static IAnsiConsole Rich(TextWriter writer)
    {
        bool plain = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        return AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = Environment.GetEnvironmentVariable("TERM") == "dumb" ? AnsiSupport.No : AnsiSupport.Yes,
            ColorSystem = plain ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Interactive = InteractionSupport.Yes,
            Out = new AnsiConsoleOutput(writer),
        });
    }

    /// <summary>The console's own stream hides that a pipe broke, and a command would go on for nobody; a plain file stream says so.</summary>
    private static Stream OpenOutput()
    {
        if (!Console.IsOutputRedirected || OperatingSystem.IsWindows())
        {
            return Console.OpenStandardOutput();
        }

        var stream = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return stream.CanSeek ? Console.OpenStandardOutput() : stream;     // in a real file the position is shared with other processes
    }
}
