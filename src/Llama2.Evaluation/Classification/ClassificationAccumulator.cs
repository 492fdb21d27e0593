namespace Llama2.Evaluation;

/// <summary>Takes item after item and measures how well they were classified.</summary>
/// <remarks>Not thread-safe. Keeps 8 bytes for each item, and 8 more for each class where there are probabilities.</remarks>
/// <example>
/// <code>
/// var emotions = new ClassificationAccumulator(["joy", "sadness"]);
/// emotions.Add("joy", "joy", [0.9, 0.1]);
/// emotions.Add("sadness", "no idea", [0.6, 0.4]);
/// Console.WriteLine(emotions.Compute().Macro.F1);
/// </code>
/// </example>
public sealed class ClassificationAccumulator
{
    private const double LargestDeviationOfSum = 1e-3;

    private readonly string[]? _classes;
    private readonly string? _positiveClass;
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly List<string> _names = [];
    private readonly List<(int Actual, int Predicted)> _items = [];     // numbers of names; −1 for no class
    private readonly List<double> _probabilities = [];                  // [item, class]

    /// <summary>Makes an empty accumulator.</summary>
    /// <param name="classes">The classes in order, or <see langword="null"/> for all that occur, in ordinal order. Probabilities need them.</param>
    /// <param name="positiveClass">The class that counts as positive among two; the second by default.</param>
    /// <exception cref="ArgumentException">There is no class, a name is there twice, or the positive class is not among them.</exception>
    public ClassificationAccumulator(IReadOnlyList<string>? classes = null, string? positiveClass = null)
    {
        _positiveClass = positiveClass;
        if (classes is not null)
        {
            var matrix = new ConfusionMatrix(classes);
            _classes = [.. matrix.Classes];
            _names.AddRange(_classes);
            _classes.Select((name, i) => (name, i)).ToList().ForEach(pair => _numbers.Add(pair.name, pair.i));
            if (positiveClass is not null)
            {
                matrix.IndexOf(positiveClass);
            }
        }
    }

    /// <summary>Gets the number of items.</summary>
    public int Count => _items.Count;

    /// <summary>Adds an item.</summary>
    /// <param name="label">The class that it has.</param>
    /// <param name="prediction">What it was taken for; anything that is none of the classes, or <see langword="null"/>, counts as wrong.</param>
    /// <param name="probabilities">The probability of each class, in the order of the classes; for all items or for none.</param>
    /// <exception cref="ArgumentException">
    /// The label is none of the classes; or the probabilities are too many or too few, outside 0 to 1, do not add up to 1 within 0.001, or are
    /// missing for some items.
    /// </exception>
    public void Add(string label, string? prediction, ReadOnlySpan<double> probabilities = default)
    {
        ArgumentNullException.ThrowIfNull(label);
        int actual = NumberOf(label);
        if (actual < 0)
        {
            throw new ArgumentException($"Label '{label}' is none of the {_names.Count} classes.", nameof(label));
        }

        CheckProbabilities(probabilities);
        _probabilities.AddRange(probabilities);
        _items.Add((actual, prediction is null ? -1 : NumberOf(prediction)));
    }

    /// <summary>Measures the items so far.</summary>
    /// <exception cref="InvalidOperationException">There is no item yet.</exception>
    /// <exception cref="ArgumentException">The positive class does not occur.</exception>
    public ClassificationMetrics Compute()
    {
        (string[] classes, int[] order) = Classes();
        return Measure([.. Enumerable.Range(0, _items.Count)], classes, order);
    }

    /// <summary>Estimates how far a metric would vary with other items of the same kind.</summary>
    /// <param name="metric">The metric, for example <c>metrics => metrics.Macro.F1</c>.</param>
    /// <param name="options">How to resample, or <see langword="null"/> for the defaults.</param>
    /// <exception cref="InvalidOperationException">There is no item yet.</exception>
    public ConfidenceInterval Interval(Func<ClassificationMetrics, double> metric, BootstrapOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(metric);
        (string[] classes, int[] order) = Classes();
        return _items.Count > 0
            ? Bootstrap.Interval(_items.Count, indices => metric(Measure(indices, classes, order)), options)
            : throw new InvalidOperationException("There is nothing to measure: no item was added.");
    }

    private ClassificationMetrics Measure(ReadOnlySpan<int> items, string[] classes, int[] order)
    {
        var matrix = new ConfusionMatrix(classes.Length > 0 ? classes : [""]);
        foreach (int item in items)
        {
            (int actual, int predicted) = _items[item];
            matrix.Add(order[actual], predicted < 0 ? -1 : order[predicted]);
        }

        return new(matrix, _probabilities.Count > 0 ? Select(items, classes.Length) : null, _positiveClass);
    }

    private ProbabilityTable Select(ReadOnlySpan<int> items, int classes)
    {
        var actual = new int[items.Length];
        var probabilities = new double[items.Length * classes];
        for (int i = 0; i < items.Length; i++)
        {
            actual[i] = _items[items[i]].Actual;
            for (int k = 0; k < classes; k++)
            {
                probabilities[(i * classes) + k] = _probabilities[(items[i] * classes) + k];
            }
        }

        return new(actual, probabilities, classes);
    }

    /// <summary>The classes in their order, and where each number of a name stands in it.</summary>
    private (string[] Classes, int[] Order) Classes()
    {
        if (_classes is not null)
        {
            return (_classes, [.. Enumerable.Range(0, _classes.Length)]);
        }

        string[] sorted = [.. _names.Order(StringComparer.Ordinal)];
        return (sorted, [.. _names.Select(name => Array.BinarySearch(sorted, name, StringComparer.Ordinal))]);
    }

    private int NumberOf(string name)
    {
        if (!_numbers.TryGetValue(name, out int number))
        {
            if (_classes is not null)
            {
                return -1;
            }

            number = _names.Count;
            _numbers.Add(name, number);
            _names.Add(name);
        }

        return number;
    }

    private void CheckProbabilities(ReadOnlySpan<double> probabilities)
    {
        bool areThere = _probabilities.Count > 0;
        if (probabilities.IsEmpty && !areThere)
        {
            return;
        }

        if (_classes is null || probabilities.Length != _classes.Length || (!areThere && _items.Count > 0))
        {
            throw new ArgumentException(
                $"There are {probabilities.Length} probabilities for {_classes?.Length ?? 0} given classes; give one for each class, with every item or none.",
                nameof(probabilities));
        }

        double sum = 0;
        foreach (double probability in probabilities)
        {
            sum += probability is >= 0 and <= 1 ? probability : double.NaN;
        }

        if (!(Math.Abs(sum - 1) <= LargestDeviationOfSum))
        {
            throw new ArgumentException("The probabilities must lie from 0 to 1 and add up to 1 within 0.001.", nameof(probabilities));
        }
    }
}
