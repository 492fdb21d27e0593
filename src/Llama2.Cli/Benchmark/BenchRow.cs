namespace Llama2.Cli;

/// <summary>One measured speed.</summary>
/// <param name="What">prefill or decode.</param>
/// <param name="Tokens">Tokens of the prompt, or tokens cached when decoding begins.</param>
/// <param name="Batch">Sequences at a time.</param>
/// <param name="Speeds">Tokens per second of every repetition, all sequences together.</param>
/// <param name="Work">What a token needs at least: products to read it, bytes of weights to decode it.</param>
/// <param name="Reading">Bytes per second at which the same weights were read and nothing else, in turns with decoding.</param>
internal sealed record BenchRow(string What, int Tokens, int Batch, IReadOnlyList<double> Speeds, double Work, double? Reading = null)
{
    public double Median => MedianOf(Speeds);

    public static T MedianOf<T>(IReadOnlyCollection<T> values) => values.Order().ElementAt(values.Count / 2);
}
