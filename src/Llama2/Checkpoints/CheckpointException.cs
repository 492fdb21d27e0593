namespace Llama2;

/// <summary>A checkpoint or tokenizer file is damaged, contradicts itself or is not a Llama model.</summary>
public sealed class CheckpointException : Exception
{
    /// <summary>Initializes a new instance of the <see cref="CheckpointException"/> class from the four facts of every such error.</summary>
    /// <param name="file">The file at fault.</param>
    /// <param name="field">The field, tensor or offset inside it.</param>
    /// <param name="found">What stands there.</param>
    /// <param name="expected">What should.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public CheckpointException(string file, string field, string found, string expected, Exception? innerException = null)
        : base($"{file}: {field}: found {found}, expected {expected}.", innerException) =>
        (File, Field, Found, Expected) = (file, field, found, expected);

    /// <summary>Gets the file at fault.</summary>
    public string File { get; }

    /// <summary>Gets the field, tensor or offset inside it.</summary>
    public string Field { get; }

    /// <summary>Gets what stands there.</summary>
    public string Found { get; }

    /// <summary>Gets what should stand there.</summary>
    public string Expected { get; }
}
