using System.Text.Json;

namespace Llama2.Tests;

/// <summary>Comparisons with reference figures.</summary>
internal static class GoldenAssert
{
    /// <summary>Compares rows of logits and returns how many there were.</summary>
    public static int Close(float[][] expected, float[][] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int row = 0; row < expected.Length; row++)
        {
            Assert.Equal(expected[row].Length, actual[row].Length);
            double worst = expected[row].Zip(actual[row], (left, right) => Math.Abs((double)left - right)).Max();
            Assert.True(worst <= tolerance, $"row {row}: the largest error is {worst:G3}, {tolerance:G3} are allowed");
        }

        return expected.Length;
    }

    /// <summary>The mean of −ln p of every id but the first, given those before it.</summary>
    public static double MeanNegativeLogLikelihood(int[] ids, float[][] logits) => Enumerable.Range(1, ids.Length - 1).Average(i =>
    {
        float[] row = logits[i - 1];
        double largest = row.Max();
        return largest + Math.Log(row.Sum(logit => Math.Exp(logit - largest))) - row[ids[i]];
    });

    public static int[] Integers(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(item => item.GetInt32())];
}
