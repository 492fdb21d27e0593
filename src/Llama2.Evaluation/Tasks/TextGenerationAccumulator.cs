namespace Llama2.Evaluation;

/// <summary>Which metrics of generated text to compute, and how.</summary>
public sealed record TextGenerationMetricOptions
{
    internal const string NameFaithfulnessName = "name_faithfulness";

    /// <summary>Gets the names that can be asked for.</summary>
    public static IReadOnlyList<string> AllMetrics { get; } =
        ["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum", "bleu_1", "bleu_2", "bleu_3", "bleu_4", "exact_match", "f1", NameFaithfulnessName];

    /// <summary>Gets the names of the metrics.</summary>
    /// <value>
    /// Any of <see cref="AllMetrics"/>. The default are those of Azure ML's text generation: ROUGE and BLEU, rouge3 excepted. name_faithfulness is
    /// the share of names in the texts that occur in what they are about, see <see cref="NameFaithfulness"/>.
    /// </value>
    public IReadOnlyList<string> Metrics { get; init; } = ["rouge1", "rouge2", "rougeL", "rougeLsum", "bleu_1", "bleu_2", "bleu_3", "bleu_4"];

    /// <summary>Gets a value indicating whether ROUGE stems words.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool Stemmer { get; init; }

    /// <summary>Gets a value indicating whether BLEU adds 1 to the matches and totals of every order.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool Smoothing { get; init; }
}

/// <summary>Takes text after text and computes metrics by the names of Azure ML's evaluation, such as <c>rougeL</c> and <c>bleu_4</c>.</summary>
/// <remarks>
/// ROUGE figures are F-measures, and means over the texts; name_faithfulness counts the names of all texts together. BLEU is that of Hugging Face's <c>evaluate</c>, of all texts together: see
/// <see cref="BleuOptions.HuggingFace"/>. All figures lie from 0 to 1. Not thread-safe; keeps figures, not texts.
/// </remarks>
public sealed class TextGenerationAccumulator
{
    private const int LongestNgram = 4;

    private static readonly (string Name, RougeMetrics Metric)[] _rouge =
    [
        ("rouge1", RougeMetrics.Rouge1), ("rouge2", RougeMetrics.Rouge2), ("rouge3", RougeMetrics.Rouge3),
        ("rougeL", RougeMetrics.RougeL), ("rougeLsum", RougeMetrics.RougeLsum),
    ];

    private readonly RougeScorer? _rougeScorer;
    private readonly Dictionary<string, BleuScorer> _bleuScorers = new(StringComparer.Ordinal);
    private readonly BleuScorer _bleuCounter = new(BleuOptions.HuggingFace(LongestNgram));
    private readonly Dictionary<string, List<double>> _scores = new(StringComparer.Ordinal);
    private readonly List<BleuStatistics> _bleuCounts = [];
    private readonly List<(int Names, int Found)> _names = [];

    /// <summary>Makes an empty accumulator.</summary>
    /// <param name="options">What to compute, or <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">A metric is unknown or there twice, or there is none.</exception>
    public TextGenerationAccumulator(TextGenerationMetricOptions? options = null)
    {
        options ??= new();
        RougeMetrics rouge = RougeMetrics.None;
        foreach (string name in options.Metrics)
        {
            if (!TextGenerationMetricOptions.AllMetrics.Contains(name) || !_scores.TryAdd(name, []))
            {
                throw new ArgumentException(
                    $"Metric '{name}' is unknown or there twice; known are {string.Join(", ", TextGenerationMetricOptions.AllMetrics)}.", nameof(options));
            }

            rouge |= _rouge.FirstOrDefault(pair => pair.Name == name).Metric;
            if (name.StartsWith("bleu_", StringComparison.Ordinal))
            {
                _bleuScorers.Add(name, new(BleuOptions.HuggingFace(name[^1] - '0', options.Smoothing)));
            }
        }

        Metrics = _scores.Count > 0 ? [.. options.Metrics] : throw new ArgumentException("At least one metric is needed.", nameof(options));
        _rougeScorer = rouge is RougeMetrics.None ? null : new(new RougeOptions { Metrics = rouge, UseStemmer = options.Stemmer });
    }

    /// <summary>Gets the names of the metrics.</summary>
    public IReadOnlyList<string> Metrics { get; }

    /// <summary>Gets the number of texts.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a text.</summary>
    /// <param name="reference">What it should say.</param>
    /// <param name="prediction">What it says.</param>
    /// <param name="source">What it is about; <c>name_faithfulness</c> needs it.</param>
    /// <returns>The figures of this text alone, by the names of the metrics. Of a text without names, all names are faithful.</returns>
    /// <exception cref="ArgumentNullException">A text is missing.</exception>
    public IReadOnlyDictionary<string, double> Add(string reference, string prediction, string? source = null)
    {
        if (Metrics.Contains(TextGenerationMetricOptions.NameFaithfulnessName))
        {
            _names.Add(NameFaithfulness.Count(source!, prediction));
        }

        RougeScores? rouge = _rougeScorer?.Score(reference, prediction);
        BleuStatistics counts = _bleuCounter.Count(reference, prediction);
        var scores = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (string name in Metrics)
        {
            scores[name] = name switch
            {
                "exact_match" => TextMatch.IsExact(reference, prediction) ? 1 : 0,
                "f1" => TextMatch.TokenF1(reference, prediction),
                TextGenerationMetricOptions.NameFaithfulnessName => _names[^1].Names > 0 ? (double)_names[^1].Found / _names[^1].Names : 1,
                _ when _bleuScorers.TryGetValue(name, out BleuScorer? bleu) => bleu.Score(counts).Score,
                _ => rouge![Array.Find(_rouge, pair => pair.Name == name).Metric].FMeasure,
            };
        }

        foreach ((string name, double score) in scores)
        {
            _scores[name].Add(score);
        }

        _bleuCounts.Add(counts);
        Count++;
        return scores;
    }

    /// <summary>Computes the figures of all texts together: what the contract calls aggregated.</summary>
    /// <exception cref="InvalidOperationException">There is no text yet.</exception>
    public IReadOnlyDictionary<string, double> Scores()
    {
        ThrowIfEmpty();
        int[] all = [.. Enumerable.Range(0, Count)];
        return Metrics.ToDictionary(name => name, name => Aggregate(name, all), StringComparer.Ordinal);
    }

    /// <summary>Gets the figures of each text alone, in the order of the texts: what the contract calls not aggregated.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<double>> ItemScores() =>
        Metrics.ToDictionary(name => name, name => (IReadOnlyList<double>)[.. _scores[name]], StringComparer.Ordinal);

    /// <summary>Estimates how far each figure would vary with other texts of the same kind.</summary>
    /// <param name="options">How to resample, or <see langword="null"/> for the defaults.</param>
    /// <param name="metrics">Some of the <see cref="Metrics"/>, or <see langword="null"/> for all.</param>
    /// <exception cref="InvalidOperationException">There is no text yet.</exception>
    public IReadOnlyDictionary<string, ConfidenceInterval> Intervals(BootstrapOptions? options = null, IReadOnlyList<string>? metrics = null)
    {
        ThrowIfEmpty();
        return Metrics.Intersect(metrics ?? Metrics).ToDictionary(name => name, name => Bootstrap.Interval(Count, items => Aggregate(name, items), options), StringComparer.Ordinal);
    }

    /// <summary>Makes a report with the figures and a histogram of the first metric.</summary>
    /// <param name="title">The title.</param>
    /// <param name="options">How to estimate the intervals, or <see langword="null"/> for the defaults.</param>
    /// <param name="intervalsOf">The metrics that get an interval, or <see langword="null"/> for all.</param>
    /// <exception cref="InvalidOperationException">There is no text yet.</exception>
    public EvaluationReport ToReport(string title, BootstrapOptions? options = null, IReadOnlyList<string>? intervalsOf = null)
    {
        IReadOnlyDictionary<string, ConfidenceInterval> intervals = Intervals(options, intervalsOf);
        string first = Metrics[0];
        return new()
        {
            Title = title,
            Items = Count,
            Metrics = [.. Scores().Select(figure => MetricNames.Describe(figure.Key, figure.Value, intervals))],
            Histograms = [ReportHistogram.Of($"Scores of single texts: {first}", first, _scores[first], minimum: 0, maximum: 1)],
        };
    }

    private double Aggregate(string name, ReadOnlySpan<int> items)
    {
        if (_bleuScorers.TryGetValue(name, out BleuScorer? bleu))
        {
            var sum = new BleuStatistics(LongestNgram);
            foreach (int item in items)
            {
                sum.Add(_bleuCounts[item]);
            }

            return bleu.Score(sum).Score;
        }

        if (name == TextGenerationMetricOptions.NameFaithfulnessName)
        {
            long names = 0, found = 0;
            foreach (int item in items)
            {
                names += _names[item].Names;
                found += _names[item].Found;
            }

            return names > 0 ? (double)found / names : 1;
        }

        List<double> scores = _scores[name];
        double total = 0;
        foreach (int item in items)
        {
            total += scores[item];
        }

        return total / items.Length;
    }

    private void ThrowIfEmpty()
    {
        if (Count == 0)
        {
            throw new InvalidOperationException("There is nothing to score: no text was added.");
        }
    }
}
