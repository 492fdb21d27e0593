using System.Runtime.InteropServices;

namespace Llama2.Evaluation;

/// <summary>Computes ROUGE, the overlap of a text with a reference, as the Python package <c>rouge_score</c> does.</summary>
/// <remarks>
/// <para>
/// Words are lower-cased runs of ASCII letters and digits. With hits the n-grams in common (each as often as in the text that has fewer),
/// precision = hits / n-grams of the prediction, recall = hits / n-grams of the reference, and the F-measure is their harmonic mean.
/// ROUGE-L takes the longest common subsequence for hits; ROUGE-Lsum takes, for each line of the reference, the union of its longest common
/// subsequences with the lines of the prediction, no word more often than both texts have it.
/// </para>
/// <para>Source: C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004. Thread-safe; independent of the culture.</para>
/// </remarks>
/// <example>
/// <code>
/// var rouge = new RougeScorer(new RougeOptions { UseStemmer = true });
/// RougeScores scores = rouge.Score("the cat sat on the mat", "a cat was sitting on the mat");
/// Console.WriteLine(scores.RougeL.FMeasure);
/// </code>
/// </example>
/// <param name="options">What to compute, or <see langword="null"/> for the defaults.</param>
/// <exception cref="ArgumentException">The options name no variant, or an unknown one.</exception>
public sealed class RougeScorer(RougeOptions? options = null)
{
    private readonly RougeMetrics _metrics = MetricsOf(options ?? new());
    private readonly bool _stem = (options ?? new()).UseStemmer;

    /// <summary>Gets the variants that are computed.</summary>
    public RougeMetrics Metrics => _metrics;

    /// <summary>Scores a prediction against its reference.</summary>
    /// <param name="reference">What it should say.</param>
    /// <param name="prediction">What it says.</param>
    /// <exception cref="ArgumentException">ROUGE-Lsum is asked for, and two lines are so long that their words multiply to more than 2³².</exception>
    public RougeScores Score(string reference, string prediction)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(prediction);
        var scores = new RougeScore[RougeScores.MetricCount];
        var numbers = new TokenNumbers();
        var referenceLines = new LinesOfWords(reference, _stem, numbers);
        var predictionLines = new LinesOfWords(prediction, _stem, numbers);
        ReadOnlySpan<int> expected = referenceLines.Words, actual = predictionLines.Words;

        ScoreNgrams(expected, actual, numbers.Count, scores);
        if (_metrics.HasFlag(RougeMetrics.RougeL))
        {
            scores[RougeScores.IndexOf(RougeMetrics.RougeL)] = RougeScore.Of(CommonSubsequence.Length(expected, actual), actual.Length, expected.Length);
        }

        if (_metrics.HasFlag(RougeMetrics.RougeLsum))
        {
            // Of one line against one, the union is the subsequence that ROUGE-L has counted.
            bool isCounted = _metrics.HasFlag(RougeMetrics.RougeL) && referenceLines.LineCount <= 1 && predictionLines.LineCount <= 1;
            scores[RougeScores.IndexOf(RougeMetrics.RougeLsum)] = isCounted
                ? scores[RougeScores.IndexOf(RougeMetrics.RougeL)]
                : RougeScore.Of(UnionHits(referenceLines, predictionLines, numbers.Count), actual.Length, expected.Length);
        }

        return new(_metrics, scores);
    }

    /// <summary>Scores a prediction against several references: each variant against the reference that gives it the highest F-measure.</summary>
    /// <param name="references">One or more texts.</param>
    /// <param name="prediction">What it says.</param>
    /// <inheritdoc cref="Score(string, string)" path="/exception"/>
    public RougeScores Score(IReadOnlyList<string> references, string prediction)
    {
        ArgumentNullException.ThrowIfNull(references);
        ArgumentOutOfRangeException.ThrowIfZero(references.Count);
        var best = new RougeScore[RougeScores.MetricCount];
        foreach (string reference in references)
        {
            RougeScores scores = Score(reference, prediction);
            foreach (RougeMetrics metric in Each(_metrics))
            {
                ref RougeScore known = ref best[RougeScores.IndexOf(metric)];
                known = scores[metric].FMeasure > known.FMeasure ? scores[metric] : known;
            }
        }

        return new(_metrics, best);
    }

    internal static IEnumerable<RougeMetrics> Each(RougeMetrics metrics) =>
        Enum.GetValues<RougeMetrics>().Where(metric => int.IsPow2((int)metric) && metrics.HasFlag(metric));

    private static RougeMetrics MetricsOf(RougeOptions options) => options.Metrics is not RougeMetrics.None && (options.Metrics & ~RougeMetrics.All) == 0
        ? options.Metrics
        : throw new ArgumentException($"RougeOptions.Metrics is {options.Metrics}; at least one known variant is needed.", nameof(options));

    private void ScoreNgrams(ReadOnlySpan<int> expected, ReadOnlySpan<int> actual, int words, RougeScore[] scores)
    {
        int longest = _metrics.HasFlag(RougeMetrics.Rouge3) ? 3 : _metrics.HasFlag(RougeMetrics.Rouge2) ? 2 : 1;
        Span<int> expectedGrams = expected.ToArray(), actualGrams = actual.ToArray();
        int distinct = words;
        for (int order = 1; order <= longest; order++)
        {
            if (order > 1)
            {
                var numbers = new NgramNumbers();
                expectedGrams = numbers.Extend(expectedGrams, expected, order);
                actualGrams = numbers.Extend(actualGrams, actual, order);
                distinct = numbers.Count;
            }

            scores[order - 1] = RougeScore.Of(Overlap(expectedGrams, actualGrams, distinct), actualGrams.Length, expectedGrams.Length);
        }
    }

    private static int Overlap(ReadOnlySpan<int> expected, ReadOnlySpan<int> actual, int distinct)
    {
        var left = new int[distinct];
        foreach (int gram in expected)
        {
            left[gram]++;
        }

        int hits = 0;
        foreach (int gram in actual)
        {
            hits += left[gram]-- > 0 ? 1 : 0;
        }

        return hits;
    }

    private static int UnionHits(LinesOfWords reference, LinesOfWords prediction, int words)
    {
        int[] leftInReference = new int[words], leftInPrediction = new int[words];
        foreach (int word in reference.Words)
        {
            leftInReference[word]++;
        }

        foreach (int word in prediction.Words)
        {
            leftInPrediction[word]++;
        }

        int hits = 0;
        var marks = new bool[reference.Words.Length];
        for (int i = 0; i < reference.LineCount; i++)
        {
            ReadOnlySpan<int> line = reference.Line(i);
            Span<bool> marked = marks.AsSpan(0, line.Length);
            marked.Clear();
            for (int j = 0; j < prediction.LineCount; j++)
            {
                CommonSubsequence.Mark(line, prediction.Line(j), marked);
            }

            for (int k = 0; k < line.Length; k++)
            {
                if (marked[k] && leftInReference[line[k]] > 0 && leftInPrediction[line[k]] > 0)
                {
                    hits++;
                    leftInReference[line[k]]--;
                    leftInPrediction[line[k]]--;
                }
            }
        }

        return hits;
    }

    /// <summary>A text as words, and where its lines begin. A line break always parts words, so the words are those of the whole text.</summary>
    private sealed class LinesOfWords
    {
        private readonly List<int> _words = [];
        private readonly List<int> _ends = [];

        public LinesOfWords(string text, bool stem, TokenNumbers numbers)
        {
            foreach (Range line in text.AsSpan().Split('\n'))
            {
                int before = _words.Count;
                RougeTokenizer.Tokenize(text.AsSpan(line), stem, numbers, _words);
                if (_words.Count > before)
                {
                    _ends.Add(_words.Count);
                }
            }
        }

        public ReadOnlySpan<int> Words => CollectionsMarshal.AsSpan(_words);

        public int LineCount => _ends.Count;

        public ReadOnlySpan<int> Line(int index) => Words[(index == 0 ? 0 : _ends[index - 1]).._ends[index]];
    }
}
