namespace Llama2;

/// <summary>How many prompt tokens a step may take beside sequences that are generating, so that their tokens keep coming.</summary>
/// <remarks>
/// A step with prompt tokens may take <see cref="Stretch"/> times as long as one without. How long either takes is learnt from the steps
/// themselves, as moving averages. Not thread-safe.
/// </remarks>
internal sealed class PromptBudget(int batchTokens)
{
    /// <summary>A step with prompt tokens over one without.</summary>
    public const double Stretch = 2.5;

    private const int Least = 6;                                 // a tile of the kernels: fewer tokens take as long
    private const double Newest = 0.25;                          // the weight of the newest step in an average
    private double _step;                                        // seconds of a step that only generates; 0: none was seen
    private double _promptToken;                                 // further seconds per prompt token; 0: none was seen

    /// <summary>Prompt tokens of the next step.</summary>
    /// <param name="decoding">Sequences that are generating.</param>
    public int Next(int decoding)
    {
        if (decoding == 0)
        {
            return batchTokens;
        }

        // Until both are known: not much, from which they are learnt.
        int most = _step == 0 || _promptToken == 0 ? batchTokens / 4 : (int)Math.Min(batchTokens, (Stretch - 1) * _step / _promptToken);
        return Math.Clamp(most, Math.Min(Least, batchTokens), batchTokens);
    }

    /// <summary>Learns from a step.</summary>
    /// <param name="decoding">Sequences that were generating in it.</param>
    /// <param name="promptTokens">Prompt tokens in it.</param>
    /// <param name="time">What it took.</param>
    public void Note(int decoding, int promptTokens, TimeSpan time)
    {
        double seconds = time.TotalSeconds;
        if (promptTokens == 0)
        {
            _step = Average(_step, seconds);
        }
        else if (promptTokens >= Least && seconds > 0)
        {
            double own = decoding == 0 ? 0 : _step;
            _promptToken = Average(_promptToken, Math.Max(seconds - own, seconds / 16) / promptTokens);
        }
    }

    private static double Average(double average, double newest) => average == 0 ? newest : average + Newest * (newest - average);
}
