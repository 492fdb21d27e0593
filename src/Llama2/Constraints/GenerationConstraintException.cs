namespace Llama2;

/// <summary>A constraint is malformed, asks for what is not supported, or can be satisfied by no text; thrown before the first token.</summary>
public sealed class GenerationConstraintException : ArgumentException
{
    /// <summary>Initializes a new instance of the <see cref="GenerationConstraintException"/> class.</summary>
    /// <param name="message">What is wrong, and where.</param>
    /// <param name="location">The place in the constraint.</param>
    /// <param name="innerException">What found it.</param>
    public GenerationConstraintException(string message, string? location, Exception? innerException = null)
        : base(message, innerException) => Location = location;

    /// <summary>Gets the place: a JSON pointer such as <c>#/properties/age/multipleOf</c>, or the offset of a character in a regular expression.</summary>
    /// <value><see langword="null"/> where the constraint as a whole is meant.</value>
    public string? Location { get; }
}
