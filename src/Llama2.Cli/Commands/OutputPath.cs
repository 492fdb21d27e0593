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

    /// <summary>The format that was asked for, else F32.</summary>
    /// <exception cref="UsageException">A folder cannot hold it.</exception>
    public static WeightFormat CheckFormat(string path, WeightFormat? format) => IsGguf(path) || format is not (WeightFormat.Q8_0 or WeightFormat.Q4_0)
        ? format ?? WeightFormat.F32
        : throw new UsageException($"A Hugging Face folder holds f32, f16 or bf16; for {format} give a name that ends with .gguf.");

    /// <summary>Writes a model as its name says: GGUF, or a Hugging Face folder.</summary>
    public static void Write(Checkpoint checkpoint, string path, WeightFormat format, IProgress<LoadProgress> progress, CancellationToken cancellationToken)
    {
        if (IsGguf(path))
        {
            GgufFile.Write(checkpoint, path, format, progress, cancellationToken);
        }
        else
        {
            HuggingFaceFolder.Write(checkpoint, path, format, progress, cancellationToken);
        }
    }
}
