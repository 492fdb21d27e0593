namespace Llama2.Evaluation;

/// <summary>Areas under curves over a falling threshold. Equal scores are one step of the curve. Some items are positive and some are not.</summary>
internal static class AreaUnderCurves
{
    /// <summary>The chance that a positive item is above a negative one, ties counting half.</summary>
    public static double RocArea(double[] scores, bool[] isPositive)
    {
        double area = 0;
        long positives = 0, negatives = 0;
        Walk(scores, isPositive, (newPositives, newNegatives) =>
        {
            area += newNegatives * (positives + (newPositives / 2.0));
            positives += newPositives;
            negatives += newNegatives;
        });
        return area / ((double)positives * negatives);
    }

    /// <summary>Precision at each threshold, weighted by the recall that it adds.</summary>
    public static double AveragePrecision(double[] scores, bool[] isPositive)
    {
        double area = 0;
        long positives = 0, taken = 0;
        Walk(scores, isPositive, (newPositives, newNegatives) =>
        {
            positives += newPositives;
            taken += newPositives + newNegatives;
            area += newPositives * ((double)positives / taken);
        });
        return area / positives;
    }

    private static void Walk(double[] scores, bool[] isPositive, Action<int, int> step)
    {
        double[] keys = [.. scores];
        bool[] items = [.. isPositive];
        Array.Sort(keys, items);
        for (int i = keys.Length - 1; i >= 0;)
        {
            int positives = 0, negatives = 0;
            double score = keys[i];
            for (; i >= 0 && keys[i] == score; i--)
            {
                positives += items[i] ? 1 : 0;
                negatives += items[i] ? 0 : 1;
            }

            step(positives, negatives);
        }
    }
}
