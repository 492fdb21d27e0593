namespace Llama2;

/// <summary>The angles of the rotary embedding (Su et al. 2021), with linear or dynamic scaling.</summary>
/// <remarks>A forward pass computes the angles of its tokens once for all layers, in double precision; no table bounds the position.</remarks>
internal sealed class RotaryEmbedding(LlamaConfig config)
{
    private readonly int _half = config.HeadSize / 2;
    private readonly double[] _frequencies = Frequencies(config.RopeTheta, config.HeadSize, config.RopeScaling is { Kind: RopeScalingKind.Linear } linear ? linear.Factor : 1);

    /// <summary>Writes the cosines and sines of the positions that follow each other from <paramref name="position"/>.</summary>
    /// <param name="position">The first position.</param>
    /// <param name="count">The number of positions.</param>
    /// <param name="cosines">[count, headSize / 2].</param>
    /// <param name="sines">[count, headSize / 2].</param>
    public void Fill(int position, int count, Span<float> cosines, Span<float> sines)
    {
        double[] frequencies = FrequenciesFor(position + count);
        for (int token = 0; token < count; token++)
        {
            for (int i = 0; i < _half; i++)
            {
                (double sine, double cosine) = Math.SinCos((position + token) * frequencies[i]);
                cosines[token * _half + i] = (float)cosine;
                sines[token * _half + i] = (float)sine;
            }
        }
    }

    /// <summary>
    /// Dynamic scaling enlarges the base with the length that the sequence has after this pass; tokens read earlier keep their angles, as in
    /// transformers, so a text beyond the trained context depends on how it was cut into passes.
    /// </summary>
    private double[] FrequenciesFor(int length)
    {
        if (config.RopeScaling is not { Kind: RopeScalingKind.Dynamic } dynamic || length <= config.ContextLength)
        {
            return _frequencies;
        }

        double stretch = dynamic.Factor * (double)length / config.ContextLength - (dynamic.Factor - 1);
        double theta = config.RopeTheta * Math.Pow(stretch, config.HeadSize / (config.HeadSize - 2.0));
        return Frequencies(theta, config.HeadSize, 1);
    }

    private static double[] Frequencies(double theta, int headSize, double divisor)
    {
        double[] frequencies = new double[headSize / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] = Math.Pow(theta, -2.0 * i / headSize) / divisor;
        }

        return frequencies;
    }
}
