namespace Llama2;

/// <summary>Steele, Lea and Flood's SplitMix64: the same numbers from the same seed on every machine and in every version of .NET.</summary>
internal struct SplitMix64(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        ulong mixed = _state += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    /// <summary>An unbiased number from 0 to below <paramref name="limit"/>, which is above 0 (Lemire 2019).</summary>
    public ulong Below(ulong limit)
    {
        ulong high = Math.BigMul(Next(), limit, out ulong low);
        if (low < limit)
        {
            ulong threshold = (0 - limit) % limit;   // 2⁶⁴ mod limit: how many products come once too often
            while (low < threshold)
            {
                high = Math.BigMul(Next(), limit, out low);
            }
        }

        return high;
    }
}
