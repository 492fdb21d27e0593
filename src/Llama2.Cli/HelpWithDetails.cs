using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Llama2.Cli;

/// <summary>The help of a command, and below it what its one-line description has no room for.</summary>
internal sealed class HelpWithDetails(HelpAction help, string details) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    /// <summary>The option <c>--help</c> of a command.</summary>
    public static HelpOption Option(string details)
    {
        var option = new HelpOption();
        option.Action = new HelpWithDetails((HelpAction)option.Action!, details);
        return option;
    }

    public override int Invoke(ParseResult parseResult)
    {
        int code = help.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output.WriteLine(details);
        return code;
    }
}
