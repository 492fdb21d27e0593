namespace Llama2.Cli;

/// <summary>The folder of a fine-tuning run and what stands where in it.</summary>
internal sealed class FinetuneFolder(string path)
{
    public string Path { get; } = System.IO.Path.TrimEndingDirectorySeparator(path);

    /// <summary>The trained model, adapters merged: a Hugging Face folder.</summary>
    public string Model => System.IO.Path.Combine(Path, "model");

    /// <summary>The adapter: a PEFT folder.</summary>
    public string Adapter => System.IO.Path.Combine(Path, "adapter");

    /// <summary>The states to resume from.</summary>
    public string Checkpoints => System.IO.Path.Combine(Path, "checkpoints");

    public string Report => System.IO.Path.Combine(Path, "report.html");

    public bool HasCheckpoints => Directory.Exists(Checkpoints) && Directory.EnumerateFiles(Checkpoints, "*.training").Any();

    /// <summary>Whether a run has left states and not come to its report, which is written last.</summary>
    private bool IsUnfinished => HasCheckpoints && !File.Exists(Report);

    /// <summary>Removes what an unfinished run, which this one goes on with, has written of its results.</summary>
    public void RemoveUnfinished()
    {
        foreach (string folder in new[] { Model, Adapter }.Where(Directory.Exists))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Sees to it that hours of training do not end at a folder that is taken.</summary>
    /// <exception cref="IOException">Something of an earlier run is in the way.</exception>
    public void RequireFree(bool resume)
    {
        if (File.Exists(Path))
        {
            throw new IOException($"'{Path}' is a file; a run is written to a folder.");
        }

        if (!(resume && IsUnfinished) && new[] { Model, Adapter }.FirstOrDefault(Directory.Exists) is { } taken)
        {
            throw new IOException($"'{taken}' is there already; a run does not replace a trained model. Move it away, or choose another --out.");
        }

        if (!resume && HasCheckpoints)
        {
            throw new IOException(
                $"'{Checkpoints}' holds states of an earlier run: --resume-from-checkpoint goes on from the newest. " +
                "To begin anew, delete them or choose another --out.");
        }
    }
}
