using System.CommandLine;

namespace Llama2.Cli;

/// <summary>The argument OUT and the option <c>--force</c>: nothing is overwritten by mistake.</summary>
internal sealed class OutputPath(string description)
{
    private readonly Argument<string> _path = new("OUT") { Description = description };
    private readonly Option<bool> _force = new("--force") { Description = "Replace a file that exists" };

    public static bool IsGguf(string path) => path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase);

    public void AddTo(Command command)
    {
        command.Add(_path);
        command.Add(_force);
    }

    /// <exception cref="IOException">The file exists, and nobody said <c>--force</c>; or it is a folder; or its own folder does not exist.</exception>
    public string Check(ParseResult parse)
    {
        string path = Path.TrimEndingDirectorySeparator(parse.GetRequiredValue(_path));
        if (IsGguf(path) && Directory.Exists(path))
        {
            throw new IOException($"'{path}' is a folder; a .gguf file cannot replace it.");
        }

        if (File.Exists(path) && !parse.GetValue(_force))
        {
            throw new IOException($"'{path}' exists; --force replaces it.");
        }

        string? folder = Path.GetDirectoryName(Path.GetFullPath(path));
        return folder is null || Directory.Exists(folder) ? path : throw new IOException($"'{folder}' does not exist.");
    }
}
