using Microsoft.Win32.SafeHandles;

namespace Llama2.Training;

/// <summary>Reads the texts of training data one after the other, to train a tokenizer on, say.</summary>
public static class TrainingTexts
{
    /// <summary>Reads the lines of <c>.txt</c> files, and prompts, answers and messages from the kinds of files that <see cref="FileTrainingData"/> reads.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="options">The keys of the rows, and what becomes of bad ones; the rest of the options has no effect here.</param>
    /// <returns>The texts, read as they are asked for; empty ones are left out.</returns>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="TrainingDataException">A file is of another kind, or a row cannot be read and bad rows are not skipped.</exception>
    public static IEnumerable<string> Read(IEnumerable<string> paths, TrainingDataOptions options)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        return paths.SelectMany(path => path.EndsWith(".txt", StringComparison.OrdinalIgnoreCase) ? File.ReadLines(path) : ReadRows(path, options))
            .Where(text => text.Length > 0);
    }

    private static IEnumerable<string> ReadRows(string path, TrainingDataOptions options)
    {
        var file = DataFile.Open(path, options, CancellationToken.None);
        using SafeFileHandle handle = file.OpenRows();
        foreach (RowLocation location in file.Rows)
        {
            foreach (string text in Texts(file, handle, location, options))
            {
                yield return text;
            }
        }
    }

    private static IEnumerable<string> Texts(DataFile file, SafeFileHandle handle, RowLocation location, TrainingDataOptions options)
    {
        try
        {
            DataRow row = file.Read(handle, location);
            return row.Messages is { } messages ? messages.Select(message => message.Text) : [row.Text, row.Answer ?? ""];
        }
        catch (BadRowException) when (options.BadRows == BadRowPolicy.Skip)
        {
            return [];
        }
        catch (BadRowException problem)
        {
            throw new TrainingDataException(file.Path, location.Line, problem.Message, problem);
        }
    }
}
