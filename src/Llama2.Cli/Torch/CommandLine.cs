using System.CommandLine;

namespace Llama2.Cli;

/// <summary>The commands that there are where the program is built with TorchSharp.</summary>
internal static partial class CommandLine
{
    static partial void AddTorchCommands(Command root, Terminal terminal) => root.Add(new ParityCommand(terminal));
}
