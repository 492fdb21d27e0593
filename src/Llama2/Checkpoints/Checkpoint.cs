namespace Llama2;

/// <summary>A Llama checkpoint on disk: its shape, its tensors under their Hugging Face names, its tokenizer.</summary>
/// <remarks>
/// Opening reads headers only; weights stay in memory-mapped files until they are asked for. Instances are thread-safe. Tensors are
/// valid until the checkpoint is disposed; a file must not be truncated while it is open.
/// </remarks>
public abstract class Checkpoint : IDisposable
{
    private const string KnownLayouts =
        "a Hugging Face folder (config.json, model.safetensors), a Meta folder (params.json, consolidated.00.pth) or a .gguf file";

    /// <summary>Gets the path that was opened.</summary>
    public abstract string Path { get; }

    /// <summary>Gets the layout, for people: <c>Hugging Face</c>, <c>GGUF v3</c>, <c>Meta</c>, <c>random</c>.</summary>
    public abstract string Layout { get; }

    /// <summary>Gets the validated shape.</summary>
    public abstract LlamaConfig Config { get; }

    /// <summary>Gets the settings that the checkpoint's own <c>generation_config.json</c> names; empty where there is none.</summary>
    public virtual GenerationOptions GenerationDefaults => new();

    /// <summary>Gets every tensor of the model by its Hugging Face name; shapes are checked against <see cref="Config"/>.</summary>
    public abstract IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; }

    /// <summary>Reads the tokenizer beside or inside the checkpoint.</summary>
    /// <returns>The tokenizer, or <see langword="null"/> where the checkpoint has none.</returns>
    /// <exception cref="CheckpointException">The tokenizer is damaged or does not fit the model.</exception>
    public abstract LlamaTokenizer? LoadTokenizer();

    /// <summary>Opens a checkpoint and detects what the path is.</summary>
    /// <param name="path">
    /// A Hugging Face folder, a Meta folder, a <c>.gguf</c> file or a folder with one, or the file of a folder that names it: <c>config.json</c>
    /// (or another <c>config.*.json</c>, which then counts instead), <c>model.safetensors</c>, <c>params.json</c>, <c>consolidated.00.pth</c>.
    /// </param>
    /// <exception cref="FileNotFoundException">Nothing is there.</exception>
    /// <exception cref="CheckpointException">What is there is not a Llama checkpoint, or a damaged one.</exception>
    public static Checkpoint Open(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return Directory.Exists(path) ? OpenFolder(path)
            : File.Exists(path) ? OpenFile(path)
            : throw new FileNotFoundException($"Nothing is at '{path}'. Looked for {KnownLayouts}.", path);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases the files.</summary>
    /// <param name="disposing">Always <see langword="true"/>; there is no finalizer.</param>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>Says which tensors of a shape are missing, where any is.</summary>
    private protected static void RequireAll(string file, IEnumerable<(string Name, int Rows, int Columns)> required, Func<string, bool> exists)
    {
        string[] missing = [.. required.Select(tensor => tensor.Name).Where(name => !exists(name))];
        if (missing.Length > 0)
        {
            string names = string.Join(", ", missing.Take(3).Select(name => $"'{name}'"));
            string more = missing.Length > 3 ? $" and {missing.Length - 3:N0} more" : "";
            throw new CheckpointException(file, "tensors", $"no {names}{more}", "every tensor of the shape");
        }
    }

    /// <summary>Reads the tokenizer of a folder and holds it against the model's vocabulary.</summary>
    private protected LlamaTokenizer? LoadTokenizer(string folder)
    {
        if (!File.Exists(System.IO.Path.Combine(folder, "tokenizer.model")) && !File.Exists(System.IO.Path.Combine(folder, "tokenizer.json")))
        {
            return null;
        }

        var tokenizer = LlamaTokenizer.Load(folder);
        bool fits = tokenizer.Vocabulary.Skip(Config.VocabularySize).All(entry => entry.Kind == TokenKind.Control);     // text never becomes those
        return fits ? tokenizer : throw new CheckpointException(
            folder, "tokenizer", $"{tokenizer.VocabularySize:N0} ids", $"at most {Config.VocabularySize:N0}, the model's vocabulary");
    }

    private static Checkpoint OpenFolder(string path)
    {
        bool huggingFace = Has(HuggingFaceCheckpoint.ConfigName), meta = Has(MetaCheckpoint.ParametersName);
        if (huggingFace && !(meta && !Has(HuggingFaceCheckpoint.WeightsName) && !Has(HuggingFaceCheckpoint.IndexName)))
        {
            return new HuggingFaceCheckpoint(path);
        }

        if (meta)
        {
            return new MetaCheckpoint(path);
        }

        string[] gguf = [.. Directory.EnumerateFiles(path, "*.gguf").Order(StringComparer.Ordinal).Take(4)];
        return gguf switch
        {
            [string file] => new GgufCheckpoint(file),
            [] => throw new CheckpointException(path, "folder", "neither config.json nor params.json nor a .gguf file", KnownLayouts),
            _ => throw new CheckpointException(
                path, "folder", $"several .gguf files ({string.Join(", ", gguf.Select(System.IO.Path.GetFileName))})", "the path of one"),
        };

        bool Has(string name) => File.Exists(System.IO.Path.Combine(path, name));
    }

    private static Checkpoint OpenFile(string path)
    {
        string name = System.IO.Path.GetFileName(path), folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        return name switch
        {
            _ when StartsWithGguf(path) => new GgufCheckpoint(path),
            _ when Matches("config*.json") => new HuggingFaceCheckpoint(folder, name),
            _ when Matches("model*.safetensors") || name == HuggingFaceCheckpoint.IndexName => OpenHuggingFace(),
            _ when Matches("consolidated.*.pth") || name == MetaCheckpoint.ParametersName => new MetaCheckpoint(folder),
            _ => throw new CheckpointException(path, "file", "none that is known by its name or first bytes", KnownLayouts),
        };

        bool Matches(string pattern) => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern, name);

        HuggingFaceCheckpoint OpenHuggingFace() => File.Exists(System.IO.Path.Combine(folder, HuggingFaceCheckpoint.ConfigName))
            ? new HuggingFaceCheckpoint(folder)
            : throw new CheckpointException(path, "file", "no config.json beside it", "a whole Hugging Face folder");
    }

    private static bool StartsWithGguf(string path)
    {
        Span<byte> magic = stackalloc byte[4];
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        return stream.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) == magic.Length && magic.SequenceEqual("GGUF"u8);
    }
}
