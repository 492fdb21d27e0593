namespace Llama2;

/// <summary>Makes a folder that is whole or not there: written beside its place, then renamed.</summary>
internal static class NewFolder
{
    /// <param name="path">The folder; made if it is missing, refused if it holds anything.</param>
    /// <param name="what">What is written, for the message, such as <c>a checkpoint</c>.</param>
    /// <param name="write">Fills the folder that it is given; if it throws, nothing is left behind.</param>
    /// <exception cref="IOException">The folder holds something, is a file, or cannot be written.</exception>
    public static void Write(string path, string what, Action<string> write)
    {
        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)), draft = $"{target}.{Guid.NewGuid():N}.tmp";
        RequireFree(target, what);
        Directory.CreateDirectory(draft);
        try
        {
            write(draft);
            RequireFree(target, what);                            // somebody may have come between
            if (Directory.Exists(target))
            {
                Directory.Delete(target);
            }

            Directory.Move(draft, target);
        }
        catch
        {
            Directory.Delete(draft, recursive: true);
            throw;
        }
    }

    private static void RequireFree(string target, string what)
    {
        if (File.Exists(target) || (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any()))
        {
            throw new IOException($"'{target}' is there already; {what} is written to a new or empty folder.");
        }
    }
}
