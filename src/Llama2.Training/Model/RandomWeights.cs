namespace Llama2.Training;

/// <summary>Seeded normal numbers, the same on every machine.</summary>
internal static unsafe class RandomWeights
{
    /// <summary>Norms 1; everything else N(0, 0.02²), the projections onto the residual stream divided by √(2 · layers).</summary>
    public static void Fill(ParameterStore store, LlamaConfig config, int seed)
    {
        double residual = 0.02 / Math.Sqrt(2.0 * config.LayerCount);
        for (int i = 0; i < store.Parameters.Count; i++)
        {
            Parameter parameter = store.Parameters[i];
            float* values = store.Values + parameter.Offset;
            if (parameter.Kind == ParameterKind.Norm)
            {
                for (long j = 0; j < parameter.Length; j++)
                {
                    values[j] = 1;
                }

                continue;
            }

            bool ontoStream = parameter.Name.EndsWith("o_proj.weight", StringComparison.Ordinal)
                || parameter.Name.EndsWith("down_proj.weight", StringComparison.Ordinal);
            FillNormal(values, parameter.Length, ontoStream ? residual : 0.02, Key(seed, i));
        }
    }

    /// <summary>A seed for the parameter of a number.</summary>
    public static ulong Key(int seed, int parameter) => new SplitMix64(unchecked((ulong)seed * 0x9E3779B97F4A7C15) + (ulong)parameter).Next();

    /// <summary>Box and Muller (1958): two normal numbers from two uniform ones.</summary>
    private static void FillNormal(float* values, long count, double deviation, ulong key)
    {
        var random = new SplitMix64(key);
        for (long i = 0; i < count; i += 2)
        {
            double radius = deviation * Math.Sqrt(-2 * Math.Log(((random.Next() >> 11) + 1) * (1.0 / (1UL << 53))));       // (0, 1]: a logarithm exists
            (double sine, double cosine) = Math.SinCos((random.Next() >> 11) * (2 * Math.PI / (1UL << 53)));
            values[i] = (float)(radius * cosine);
            if (i + 1 < count)
            {
                values[i + 1] = (float)(radius * sine);
            }
        }
    }
}
