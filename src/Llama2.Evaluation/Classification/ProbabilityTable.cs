namespace Llama2.Evaluation;

/// <summary>Right and wrong decisions for one class, if every item at or above a threshold is taken for it.</summary>
/// <param name="TruePositives">Items that have the class and are at or above the threshold.</param>
/// <param name="FalsePositives">Items that do not have it and are at or above.</param>
/// <param name="TrueNegatives">Items that do not have it and are below.</param>
/// <param name="FalseNegatives">Items that have it and are below.</param>
public readonly record struct ThresholdCounts(long TruePositives, long FalsePositives, long TrueNegatives, long FalseNegatives);

/// <summary>Right and wrong decisions at many thresholds.</summary>
/// <param name="Classes">The names of the classes.</param>
/// <param name="Thresholds">Probabilities from 0 to 1, ascending.</param>
/// <param name="Counts">For each class, the counts at each threshold.</param>
public sealed record AccuracyTable(
    IReadOnlyList<string> Classes, IReadOnlyList<double> Thresholds, IReadOnlyList<IReadOnlyList<ThresholdCounts>> Counts);

/// <summary>The probabilities that items were given.</summary>
internal sealed class ProbabilityTable(int[] actual, double[] probabilities, int classes)
{
    private const double Smallest = 2.220446049250313e-16;      // 2⁻⁵², as in scikit-learn

    public double LogLoss()
    {
        double sum = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            sum -= Math.Log(Math.Clamp(Of(i, actual[i]), Smallest, 1 - Smallest));
        }

        return sum / actual.Length;
    }

    /// <summary>Averages a curve's area over the classes, one against the rest.</summary>
    public RankedMetrics Rank(Func<double[], bool[], double> area, int positive)
    {
        var scores = new double[actual.Length];
        var isActual = new bool[actual.Length];
        double sum = 0, weighted = 0, binary = double.NaN;
        long defined = 0, support = 0;
        for (int k = 0; k < classes; k++)
        {
            int count = 0;
            for (int i = 0; i < actual.Length; i++)
            {
                scores[i] = Of(i, k);
                isActual[i] = actual[i] == k;
                count += isActual[i] ? 1 : 0;
            }

            if (count > 0 && count < actual.Length)
            {
                double value = area(scores, isActual);
                sum += value;
                weighted += count * value;
                support += count;
                defined++;
                binary = k == positive ? value : binary;
            }
        }

        var isPair = new bool[probabilities.Length];
        for (int i = 0; i < actual.Length; i++)
        {
            isPair[(i * classes) + actual[i]] = true;
        }

        double micro = classes > 1 ? area([.. probabilities], isPair) : double.NaN;
        return new(sum / defined, micro, weighted / support, binary);      // 0 / 0 is not a number
    }

    public AccuracyTable Table(IReadOnlyList<string> names, int steps)
    {
        double[] thresholds = [.. Enumerable.Range(0, steps + 1).Select(step => (double)step / steps)];
        var counts = new ThresholdCounts[classes][];
        for (int k = 0; k < classes; k++)
        {
            // How many items reach each threshold and no higher one.
            long[] positives = new long[steps + 1], negatives = new long[steps + 1];
            for (int i = 0; i < actual.Length; i++)
            {
                int found = Array.BinarySearch(thresholds, Of(i, k));
                (actual[i] == k ? positives : negatives)[found >= 0 ? found : ~found - 1]++;
            }

            counts[k] = new ThresholdCounts[steps + 1];
            long truePositives = 0, falsePositives = 0, allPositives = positives.Sum(), allNegatives = negatives.Sum();
            for (int step = steps; step >= 0; step--)
            {
                truePositives += positives[step];
                falsePositives += negatives[step];
                counts[k][step] = new(truePositives, falsePositives, allNegatives - falsePositives, allPositives - truePositives);
            }
        }

        return new(names, thresholds, counts);
    }

    private double Of(int item, int index) => probabilities[(item * classes) + index];
}
