namespace Llama2.Evaluation;

/// <summary>Counts how often each class was taken for which.</summary>
/// <remarks>Not thread-safe while counts are added. Classes are compared letter for letter.</remarks>
public sealed class ConfusionMatrix
{
    private readonly string[] _classes;
    private readonly Dictionary<string, int> _indices = new(StringComparer.Ordinal);
    private readonly long[] _counts;    // [actual, predicted]; the last column holds what is none of the classes

    /// <summary>Makes an empty matrix.</summary>
    /// <param name="classes">One or more names, all different; they keep their order.</param>
    /// <exception cref="ArgumentException">There is no class, or a name is there twice.</exception>
    public ConfusionMatrix(IReadOnlyList<string> classes)
    {
        ArgumentNullException.ThrowIfNull(classes);
        _classes = [.. classes];
        for (int i = 0; i < _classes.Length; i++)
        {
            if (_classes[i] is null || !_indices.TryAdd(_classes[i], i))
            {
                throw new ArgumentException($"Class '{_classes[i]}' (number {i}) is there twice or null.", nameof(classes));
            }
        }

        _counts = _classes.Length > 0
            ? new long[checked(_classes.Length * (_classes.Length + 1))]
            : throw new ArgumentException("At least one class is needed.", nameof(classes));
    }

    /// <summary>Gets the names of the classes.</summary>
    public IReadOnlyList<string> Classes => _classes;

    /// <summary>Gets the number of items.</summary>
    public long Total { get; private set; }

    /// <summary>Gets the number of items that were taken for what they are.</summary>
    public long Correct => Sum(i => this[i, i]);

    /// <summary>Gets the number of items whose prediction is none of the classes.</summary>
    public long Unrecognised => Sum(UnrecognisedOf);

    /// <summary>Gets a count.</summary>
    /// <param name="actual">The index of the class that the items have.</param>
    /// <param name="predicted">The index of the class that they were taken for.</param>
    public long this[int actual, int predicted]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(actual);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(actual, _classes.Length);
            ArgumentOutOfRangeException.ThrowIfNegative(predicted);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(predicted, _classes.Length);
            return _counts[(actual * (_classes.Length + 1)) + predicted];
        }
    }

    /// <summary>Gets a count.</summary>
    /// <param name="actual">The class that the items have.</param>
    /// <param name="predicted">The class that they were taken for.</param>
    /// <exception cref="ArgumentException">There is no such class.</exception>
    public long this[string actual, string predicted] => this[IndexOf(actual), IndexOf(predicted)];

    /// <summary>Gets how many items of a class have a prediction that is none of the classes.</summary>
    /// <param name="actual">The index of the class.</param>
    public long UnrecognisedOf(int actual) => _counts[(actual * (_classes.Length + 1)) + _classes.Length];

    /// <summary>Gets how many items have a class.</summary>
    /// <param name="actual">The index of the class.</param>
    public long SupportOf(int actual) => Sum(predicted => this[actual, predicted]) + UnrecognisedOf(actual);

    /// <summary>Gets how many items were taken for a class.</summary>
    /// <param name="predicted">The index of the class.</param>
    public long PredictedOf(int predicted) => Sum(actual => this[actual, predicted]);

    /// <summary>Counts an item.</summary>
    /// <param name="label">The class that it has.</param>
    /// <param name="prediction">What it was taken for; anything that is none of the classes, or <see langword="null"/>, counts as wrong.</param>
    /// <exception cref="ArgumentException">The label is none of the classes.</exception>
    public void Add(string label, string? prediction) => Add(IndexOf(label), Find(prediction));

    /// <summary>Adds the counts of another matrix.</summary>
    /// <param name="other">A matrix with the same classes in the same order.</param>
    /// <exception cref="ArgumentException">The classes differ.</exception>
    public void Add(ConfusionMatrix other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (!_classes.AsSpan().SequenceEqual(other._classes))
        {
            throw new ArgumentException("The matrices have other classes, or the same in another order.", nameof(other));
        }

        Total += other.Total;
        for (int i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }
    }

    internal void Add(int actual, int predicted)
    {
        _counts[(actual * (_classes.Length + 1)) + (predicted < 0 ? _classes.Length : predicted)]++;
        Total++;
    }

    /// <summary>The index of a class, or −1.</summary>
    internal int Find(string? name) => name is not null && _indices.TryGetValue(name, out int index) ? index : -1;

    internal int IndexOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        int index = Find(name);
        return index >= 0 ? index : throw new ArgumentException($"'{name}' is none of the {_classes.Length} classes.", nameof(name));
    }

    private long Sum(Func<int, long> count)
    {
        long sum = 0;
        for (int i = 0; i < _classes.Length; i++)
        {
            sum += count(i);
        }

        return sum;
    }
}
