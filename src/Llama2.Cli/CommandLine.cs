using System.CommandLine;
using System.CommandLine.Invocation;

namespace Llama2.Cli;

/// <summary>The command <c>llama2</c>: parses, runs, and maps every failure to one line and an exit code.</summary>
internal static partial class CommandLine
{
    public const int Success = 0;
    public const int Failure = 1;
    public const int Usage = 2;

    private const string Details = """
        Results go to standard output, everything else to standard error.
        Exit codes: 0 done, 1 failed or cancelled, 2 wrong usage.
        """;

    public static async Task<int> RunAsync(IReadOnlyList<string> args, Terminal terminal)
    {
        try
        {
            // A prompt may begin with '@': it is no response file here.
            ParseResult parse = CreateRoot(terminal).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (parse.Action is ParseErrorAction)
            {
                return ReportUsage(parse, terminal);
            }

            var invocation = new InvocationConfiguration
            {
                Output = terminal.Output,
                Error = terminal.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            };
            int code = await parse.InvokeAsync(invocation, terminal.Interrupts.Token);
            await terminal.Output.FlushAsync(CancellationToken.None);
            return code;
        }
        catch (IOException broken) when (Terminal.IsBrokenPipe(broken))
        {
            return Success;                                     // the reader has what it wanted
        }
        catch (Exception exception)
        {
            return ReportFailure(exception, args.Contains("--verbose"), terminal);
        }
    }

    /// <summary>The message of an exception as one line, without the name of a parameter that no user knows.</summary>
    public static string Describe(Exception exception)
    {
        string message = exception.Message;
        if (exception is ArgumentException { ParamName: { } parameter })
        {
            message = message.Replace($" (Parameter '{parameter}')", "", StringComparison.Ordinal);
        }

        return string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }

    private static Command CreateRoot(Terminal terminal)
    {
        var root = new Command("llama2", "Runs Llama-2 chat models inside this process: no server, no native library.")
        {
            HelpWithDetails.Option(Details),
            new VersionOption(),
            new ChatCommand(terminal),
            new GenerateCommand(terminal),
            new InfoCommand(terminal),
            new BenchCommand(terminal),
            new EvaluateCommand(terminal),
            new FinetuneCommand(terminal),
            new MergeCommand(terminal),
            new QuantizeCommand(terminal),
            new SynthCommand(terminal),
            new TrainTokenizerCommand(terminal),
            new TokenizeCommand(terminal),
            new DetokenizeCommand(terminal),
            new TemplateCommand(terminal),
            new LogitsCommand(terminal),
        };
        AddTorchCommands(root, terminal);
        return root;
    }

    static partial void AddTorchCommands(Command root, Terminal terminal);

    private static int ReportUsage(ParseResult parse, Terminal terminal)
    {
        // A mistyped command is also a missing one, which is no news.
        IEnumerable<string> messages = parse.Errors.Select(error => error.Message).Distinct();
        if (parse.UnmatchedTokens is [string unknown, ..])
        {
            messages = messages.Where(message => message.Contains(unknown, StringComparison.Ordinal));
        }

        foreach (string message in messages)
        {
            terminal.Error.WriteLine($"error: {InPlainWords(message)}");
        }

        Command command = parse.CommandResult.Command;
        string name = command is { Parents: var parents } && parents.Any() ? $"llama2 {command.Name}" : "llama2";
        terminal.Error.WriteLine($"'{name} --help' lists what it takes.");
        return Usage;
    }

    /// <summary>The parser names .NET types, which say nothing to most people.</summary>
    private static string InPlainWords(string message)
    {
        int type = message.IndexOf(" as expected type '", StringComparison.Ordinal);
        string expected = type >= 0 && message.AsSpan(type).Contains("Int", StringComparison.Ordinal) ? "a whole number" : "a number";
        return type < 0 ? message : $"{message[..type]}: {expected} is expected.";
    }

    private static int ReportFailure(Exception exception, bool verbose, Terminal terminal)
    {
        (string message, int code) = exception switch
        {
            UsageException => (exception.Message, Usage),
            OperationCanceledException => ("cancelled", Failure),
            OutOfMemoryException and not InsufficientMemoryException => ("out of memory", Failure),
            _ => (Describe(exception), Failure),
        };
        terminal.Error.WriteLine($"error: {message}");
        if (verbose)
        {
            terminal.Error.WriteLine(exception);
        }

        return code;
    }
}
