using System.Runtime.InteropServices;

namespace Llama2.Evaluation;

/// <summary>Computes BLEU, the share of n-grams that references have too, as sacrebleu 2 does.</summary>
/// <remarks>
/// <para>
/// BLEU = BP · exp(Σₙ ln pₙ / N), n from 1 to N = <see cref="BleuOptions.MaxOrder"/>; pₙ = matching n-grams / n-grams of the predictions,
/// each n-gram matching no more often than the reference that has it most; BP = 1 where the predictions are at least as long as the references,
/// else exp(1 − reference length / prediction length). Of a corpus, counts are added up first, and then the formula is applied once.
/// </para>
/// <para>
/// Sources: K. Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", 2002; M. Post, "A Call for Clarity in Reporting
/// BLEU Scores", 2018. Thread-safe; independent of the culture.
/// </para>
/// </remarks>
/// <example>
/// <code>
/// var bleu = new BleuScorer(new BleuOptions { EffectiveOrder = true });
/// Console.WriteLine(100 * bleu.Score("The cat sat on the mat.", "A cat sat on the mat.").Score);
/// </code>
/// </example>
public sealed class BleuScorer
{
    private readonly double _smoothingValue;

    /// <summary>Makes a scorer.</summary>
    /// <param name="options">How to compute, or <see langword="null"/> for the defaults of sacrebleu.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public BleuScorer(BleuOptions? options = null)
    {
        Options = options ?? new();
        if (Options.MaxOrder is < 1 or > 16)
        {
            throw new ArgumentOutOfRangeException(nameof(options), Options.MaxOrder, "BleuOptions.MaxOrder must be from 1 to 16.");
        }

        if (!Enum.IsDefined(Options.Tokenization) || !Enum.IsDefined(Options.Smoothing) || !Enum.IsDefined(Options.ReferenceLength))
        {
            throw new ArgumentException($"BleuOptions has an unknown tokenization, smoothing or reference length: {Options}.", nameof(options));
        }

        bool takesValue = Options.Smoothing is BleuSmoothing.Floor or BleuSmoothing.AddK;
        if (Options.SmoothingValue is double value && (!takesValue || !(value >= 0) || double.IsInfinity(value)))
        {
            throw new ArgumentException(
                $"BleuOptions.SmoothingValue is {value} with {Options.Smoothing}; it must be 0 or above and goes with Floor and AddK only.", nameof(options));
        }

        _smoothingValue = Options.SmoothingValue ?? (Options.Smoothing is BleuSmoothing.Floor ? 0.1 : 1);
    }

    /// <summary>Gets how it computes.</summary>
    public BleuOptions Options { get; }

    /// <summary>Scores one prediction. <see cref="BleuOptions.EffectiveOrder"/> is advisable.</summary>
    /// <param name="reference">What it should say.</param>
    /// <param name="prediction">What it says.</param>
    public BleuScore Score(string reference, string prediction) => Score(Count(reference, prediction));

    /// <summary>Scores one prediction against several references.</summary>
    /// <param name="references">One or more texts.</param>
    /// <param name="prediction">What it says.</param>
    public BleuScore Score(IReadOnlyList<string> references, string prediction) => Score(Count(references, prediction));

    /// <summary>Counts words and n-grams of one prediction, to be added up.</summary>
    /// <param name="reference">What it should say.</param>
    /// <param name="prediction">What it says.</param>
    public BleuStatistics Count(string reference, string prediction)
    {
        ArgumentNullException.ThrowIfNull(reference);
        return Count([reference], prediction);
    }

    /// <summary>Counts words and n-grams of one prediction, to be added up.</summary>
    /// <param name="references">One or more texts.</param>
    /// <param name="prediction">What it says.</param>
    public BleuStatistics Count(IReadOnlyList<string> references, string prediction)
    {
        ArgumentNullException.ThrowIfNull(references);
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentOutOfRangeException.ThrowIfZero(references.Count);
        var numbers = new TokenNumbers();
        int[] actual = Words(prediction, numbers);
        var expected = new int[references.Count][];
        for (int i = 0; i < expected.Length; i++)
        {
            expected[i] = Words(references[i], numbers);
        }

        var statistics = new BleuStatistics(Options.MaxOrder) { PredictionLength = actual.Length, ReferenceLength = LengthThatCounts(expected, actual.Length) };
        int[] actualGrams = [.. actual];
        int[][] expectedGrams = [.. expected.Select(words => (int[])words.Clone())];
        int distinct = numbers.Count;
        for (int order = 1; order <= Options.MaxOrder && actual.Length >= order; order++)
        {
            if (order > 1)
            {
                var grams = new NgramNumbers();
                grams.Extend(actualGrams, actual, order);
                for (int i = 0; i < expected.Length; i++)
                {
                    grams.Extend(expectedGrams[i], expected[i], order);
                }

                distinct = grams.Count;
            }

            statistics.Count(order, Matches(order, distinct, actualGrams, expectedGrams), actual.Length - order + 1);
        }

        return statistics;
    }

    /// <summary>Computes the score of counts.</summary>
    /// <param name="statistics">Counts that this scorer made, or one with at least its <see cref="BleuOptions.MaxOrder"/>.</param>
    /// <exception cref="ArgumentException">The counts have too few orders.</exception>
    public BleuScore Score(BleuStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        if (statistics.Matches.Count < Options.MaxOrder)
        {
            throw new ArgumentException($"The counts go up to order {statistics.Matches.Count}, the scorer to {Options.MaxOrder}.", nameof(statistics));
        }

        double penalty = BrevityPenalty(statistics.PredictionLength, statistics.ReferenceLength);
        var precisions = new double[Options.MaxOrder];
        return new()
        {
            Score = penalty * GeometricMean(statistics, precisions),
            Precisions = precisions,
            Matches = [.. statistics.Matches.Take(Options.MaxOrder)],
            Totals = [.. statistics.Totals.Take(Options.MaxOrder)],
            BrevityPenalty = penalty,
            PredictionLength = statistics.PredictionLength,
            ReferenceLength = statistics.ReferenceLength,
        };
    }

    private static double BrevityPenalty(long prediction, long reference) =>
        prediction >= reference ? 1 : prediction == 0 ? 0 : Math.Exp(1 - ((double)reference / prediction));

    private double GeometricMean(BleuStatistics statistics, double[] precisions)
    {
        if (Options.Smoothing is not BleuSmoothing.AddOne && statistics.Matches.Take(Options.MaxOrder).All(count => count == 0))
        {
            return 0;
        }

        int orders = Options.MaxOrder;
        double halving = 1;
        for (int i = 0; i < precisions.Length; i++)
        {
            bool adds = Options.Smoothing is BleuSmoothing.AddOne || (Options.Smoothing is BleuSmoothing.AddK && i > 0);
            double matches = statistics.Matches[i] + (adds ? _smoothingValue : 0);
            double total = statistics.Totals[i] + (adds ? _smoothingValue : 0);
            if (total == 0)
            {
                break;
            }

            orders = Options.EffectiveOrder ? i + 1 : orders;
            precisions[i] = (matches, Options.Smoothing) switch
            {
                (0, BleuSmoothing.Exponential) => 1 / ((halving *= 2) * total),
                (0, BleuSmoothing.Floor) => _smoothingValue / total,
                _ => matches / total,
            };
        }

        double logarithms = 0;
        for (int i = 0; i < orders; i++)
        {
            logarithms += Math.Log(precisions[i]);      // −∞ for 0, and e to that is 0
        }

        return Math.Exp(logarithms / orders);
    }

    private int[] Words(string text, TokenNumbers numbers)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = Options.Lowercase ? Unicode.ToLower(text) : text;
        ReadOnlySpan<char> trimmed = Unicode.TrimEnd(text);
        ReadOnlySpan<char> rest = BleuTokenizer.Separate(trimmed.Length == text.Length ? text : trimmed.ToString(), Options.Tokenization);
        var words = new List<int>();
        while (Unicode.NextWord(ref rest, out ReadOnlySpan<char> word))
        {
            words.Add(numbers.Of(word));
        }

        return CollectionsMarshal.AsSpan(words).ToArray();
    }

    private int LengthThatCounts(int[][] references, int prediction)
    {
        int best = references[0].Length;
        foreach (int[] reference in references)
        {
            int length = reference.Length;
            int closer = Math.Abs(length - prediction).CompareTo(Math.Abs(best - prediction));
            bool isBetter = Options.ReferenceLength is BleuReferenceLength.Shortest ? length < best : closer < 0 || (closer == 0 && length < best);
            best = isBetter ? length : best;
        }

        return best;
    }

    private static long Matches(int order, int distinct, int[] prediction, int[][] references)
    {
        int[] most = new int[distinct], counts = new int[distinct];
        foreach (int[] reference in references)
        {
            Array.Clear(counts);
            foreach (int gram in Grams(reference, order))
            {
                most[gram] = Math.Max(most[gram], ++counts[gram]);
            }
        }

        long matches = 0;
        foreach (int gram in Grams(prediction, order))
        {
            matches += most[gram]-- > 0 ? 1 : 0;
        }

        return matches;
    }

    private static ReadOnlySpan<int> Grams(int[] words, int order) => words.AsSpan(0, Math.Max(0, words.Length - order + 1));
}
