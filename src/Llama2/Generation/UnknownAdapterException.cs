namespace Llama2;

/// <summary>A request or a default names an adapter that is not loaded.</summary>
public sealed class UnknownAdapterException : ArgumentException
{
    /// <summary>Initializes a new instance of the <see cref="UnknownAdapterException"/> class.</summary>
    /// <param name="name">The name that nobody knows.</param>
    /// <param name="known">The names of the adapters that are loaded.</param>
    public UnknownAdapterException(string name, IReadOnlyList<string> known)
        : base($"No adapter '{name}' is loaded; {(known.Count == 0 ? "none is" : $"there are {string.Join(", ", known.Select(other => $"'{other}'"))}")}.") =>
        (Name, Known) = (name, known);

    /// <summary>Gets the name that nobody knows.</summary>
    public string Name { get; }

    /// <summary>Gets the names of the adapters that were loaded then.</summary>
    public IReadOnlyList<string> Known { get; }
}
