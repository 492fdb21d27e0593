namespace Llama2.Training;

/// <summary>A new adapter changes nothing: B is 0. A is uniform within ± 1 ÷ √inputs, as in PEFT.</summary>
internal static unsafe class LoraInitialization
{
    public static void Fill(ParameterStore store, int seed)
    {
        for (int i = 0; i < store.Parameters.Count; i++)
        {
            Parameter parameter = store.Parameters[i];
            if (!parameter.Name.EndsWith("lora_A.weight", StringComparison.Ordinal))
            {
                continue;
            }

            var random = new SplitMix64(RandomWeights.Key(seed, i));
            double bound = 1 / Math.Sqrt(parameter.Columns);
            for (long j = 0; j < parameter.Length; j++)
            {
                store.Values[parameter.Offset + j] = (float)(bound * ((random.Next() >> 11) * (2.0 / (1UL << 53)) - 1));
            }
        }
    }
}
