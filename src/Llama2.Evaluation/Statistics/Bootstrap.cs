namespace Llama2.Evaluation;

/// <summary>A range that would hold the true value in so many of a hundred repetitions of the whole experiment.</summary>
/// <param name="Lower">The lower end.</param>
/// <param name="Upper">The upper end.</param>
/// <param name="Confidence">The share of repetitions, between 0 and 1.</param>
public readonly record struct ConfidenceInterval(double Lower, double Upper, double Confidence);

/// <summary>How to resample.</summary>
public sealed record BootstrapOptions
{
    /// <summary>Gets the share of repetitions that the interval should cover.</summary>
    /// <value>Between 0 and 1, exclusive. The default is 0.95.</value>
    public double Confidence { get; init; } = 0.95;

    /// <summary>Gets the number of samples that are drawn.</summary>
    /// <value>From 1 to 1,000,000. The default is 1000.</value>
    public int Resamples { get; init; } = 1000;

    /// <summary>Gets the seed; the same seed gives the same interval on every machine.</summary>
    /// <value>The default is 42.</value>
    public ulong Seed { get; init; } = 42;
}

/// <summary>A statistic of some of the items.</summary>
/// <param name="indices">The items, as indices from 0; some occur often, some never.</param>
public delegate double ResampledStatistic(ReadOnlySpan<int> indices);

/// <summary>Bootstrap intervals: the statistic is computed again on samples drawn, with replacement, from the items themselves.</summary>
/// <remarks>
/// The interval lies between the percentiles (1 − c)/2 and (1 + c)/2 of the resampled values, interpolated linearly.
/// Source: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. Thread-safe.
/// </remarks>
public static class Bootstrap
{
    /// <summary>Computes an interval of any statistic.</summary>
    /// <param name="count">The number of items, at least 1.</param>
    /// <param name="statistic">Computes the statistic. Samples for which it is not a number are left out.</param>
    /// <param name="options">How to resample, or <see langword="null"/> for the defaults.</param>
    /// <returns>The interval; both ends are not a number where the statistic never is one.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no item, or an option is out of range.</exception>
    public static ConfidenceInterval Interval(int count, ResampledStatistic statistic, BootstrapOptions? options = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentNullException.ThrowIfNull(statistic);
        options = Checked(options);
        var random = new Draws(options.Seed);
        var values = new List<double>(options.Resamples);
        var indices = new int[count];
        for (int sample = 0; sample < options.Resamples; sample++)
        {
            for (int i = 0; i < indices.Length; i++)
            {
                indices[i] = random.Below(count);
            }

            double value = statistic(indices);
            if (!double.IsNaN(value))
            {
                values.Add(value);
            }
        }

        values.Sort();
        double tail = (1 - options.Confidence) / 2;
        return new(Percentile(values, tail), Percentile(values, 1 - tail), options.Confidence);
    }

    /// <summary>Computes an interval of the mean.</summary>
    /// <param name="values">One or more values.</param>
    /// <param name="options">How to resample, or <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no value, or an option is out of range.</exception>
    public static ConfidenceInterval Mean(IReadOnlyList<double> values, BootstrapOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(values);
        double[] items = [.. values];
        return Interval(items.Length, MeanOf, options);

        double MeanOf(ReadOnlySpan<int> indices)
        {
            double sum = 0;
            foreach (int index in indices)
            {
                sum += items[index];
            }

            return sum / indices.Length;
        }
    }

    /// <summary>The value below which a share of the sorted values lies, interpolated linearly between neighbours.</summary>
    internal static double Percentile(List<double> sorted, double share)
    {
        if (sorted.Count == 0)
        {
            return double.NaN;
        }

        double position = share * (sorted.Count - 1);
        int below = (int)position;
        int above = Math.Min(below + 1, sorted.Count - 1);

        // Equal neighbours are kept exact, and infinite ones do not become "not a number".
        return sorted[below] == sorted[above] ? sorted[below] : double.Lerp(sorted[below], sorted[above], position - below);
    }

    private static BootstrapOptions Checked(BootstrapOptions? options)
    {
        options ??= new();
        if (!(options.Confidence is > 0 and < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.Confidence, "BootstrapOptions.Confidence must lie between 0 and 1.");
        }

        return options.Resamples is >= 1 and <= 1_000_000
            ? options
            : throw new ArgumentOutOfRangeException(nameof(options), options.Resamples, "BootstrapOptions.Resamples must be from 1 to 1,000,000.");
    }

    /// <summary>The SplitMix64 generator (S. Vigna, public domain reference), so that a seed means the same everywhere and forever.</summary>
    private struct Draws(ulong seed)
    {
        private ulong _state = seed;

        public int Below(int bound)
        {
            _state += 0x9E3779B97F4A7C15;
            ulong bits = _state;
            bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
            bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
            bits ^= bits >> 31;
            return (int)Math.BigMul(bits, (ulong)bound, out _);     // the bias is below 2⁻³³
        }
    }
}
