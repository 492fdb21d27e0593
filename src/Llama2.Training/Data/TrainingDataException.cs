using System.Globalization;

namespace Llama2.Training;

/// <summary>A row or file of training data cannot be used.</summary>
public sealed class TrainingDataException : Exception
{
    /// <summary>Initializes a new instance of the <see cref="TrainingDataException"/> class.</summary>
    /// <param name="file">The file.</param>
    /// <param name="line">The line where the row begins, from 1; 0 where the whole file is meant.</param>
    /// <param name="problem">What is wrong, without a full stop.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public TrainingDataException(string file, long line, string problem, Exception? innerException = null)
        : base((line > 0 ? string.Create(CultureInfo.InvariantCulture, $"{file}, line {line}: {problem}") : $"{file}: {problem}") + ".", innerException) =>
        (File, Line, Problem) = (file, line, problem);

    /// <summary>Gets the file.</summary>
    public string File { get; }

    /// <summary>Gets the line where the row begins, from 1; 0 where the whole file is meant.</summary>
    public long Line { get; }

    /// <summary>Gets what is wrong.</summary>
    public string Problem { get; }
}

/// <summary>A row cannot be used; whoever knows file and line makes a <see cref="TrainingDataException"/> of it.</summary>
internal sealed class BadRowException(string problem, Exception? innerException = null) : Exception(problem, innerException);
