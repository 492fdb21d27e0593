using System.Numerics;

namespace Llama2;

/// <summary>Softmax without the division, in whole numbers: exp((logit − max) / temperature) in units of 2⁻ⁿ of the likeliest token's.</summary>
/// <remarks>
/// Whole numbers add up to the same sum in any order, and the exponential consists of single IEEE operations in each lane, so the weights and
/// their sums have the same bits for every vector width, where the run time's own functions have not. A unit is at most 2⁻⁴⁴ for vocabularies
/// up to half a million tokens: what rounding loses of the whole mass stays below 10⁻⁷, and below 10⁻⁹ for Llama 2's 32 000.
/// </remarks>
internal static class TokenWeights
{
    private const int MaxUnitBits = 51;                 // the rounding below holds for values under 2⁵²
    private const double LeastExponent = -64;           // e⁻⁶⁴ is far below half a unit
    private const double IntegerShift = 1L << 52;       // adding it leaves a non-negative double's nearest whole number in the low 52 bits
    private const double SignedShift = 3L << 51;        // the same for numbers of both signs

    /// <summary>Gets n: as fine as it may be with the sum of a whole vocabulary still below 2⁶³.</summary>
    public static int UnitBits(int vocabularySize) => Math.Min(MaxUnitBits, 62 - BitOperations.Log2((uint)vocabularySize));

    /// <summary>Computes the weights of <paramref name="logits"/>, of which <paramref name="max"/> is the finite maximum, and returns their sum.</summary>
    public static ulong Compute(ReadOnlySpan<float> logits, float max, double temperature, int unitBits, Span<ulong> weights)
    {
        var maximum = new Vector<double>(max);
        var factor = new Vector<double>(1 / temperature);
        var unit = new Vector<double>((double)(1L << unitBits));
        Vector<ulong> total = default;
        int i = 0;
        for (; i <= logits.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            total += Step(new Vector<float>(logits[i..]), weights[i..]);
        }

        if (i < logits.Length)
        {
            Span<float> rest = stackalloc float[Vector<float>.Count];
            Span<ulong> restWeights = stackalloc ulong[Vector<float>.Count];
            rest.Fill(float.NegativeInfinity);          // weighs nothing
            logits[i..].CopyTo(rest);
            total += Step(new Vector<float>(rest), restWeights);
            restWeights[..(logits.Length - i)].CopyTo(weights[i..]);
        }

        return Vector.Sum(total);

        Vector<ulong> Step(Vector<float> values, Span<ulong> destination)
        {
            Vector.Widen(values, out Vector<double> low, out Vector<double> high);
            Vector<ulong> lowWeights = Weigh((low - maximum) * factor, unit), highWeights = Weigh((high - maximum) * factor, unit);
            lowWeights.CopyTo(destination);
            highWeights.CopyTo(destination[Vector<ulong>.Count..]);
            return lowWeights + highWeights;
        }
    }

    /// <summary>Σ exp(logit − max), to about 10 digits.</summary>
    public static double Sum(ReadOnlySpan<float> logits, float max)
    {
        int unitBits = UnitBits(logits.Length);
        Span<ulong> weights = stackalloc ulong[512];
        ulong total = 0;
        for (int i = 0; i < logits.Length; i += weights.Length)
        {
            total += Compute(logits.Slice(i, Math.Min(weights.Length, logits.Length - i)), max, 1, unitBits, weights);
        }

        return (double)total / (1L << unitBits);
    }

    /// <summary>A number that orders tokens: by logit, of equal ones the lower id above.</summary>
    public static ulong Rank(float logit, int id)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logit);
        uint ordered = (int)bits < 0 ? ~bits : bits | 0x8000_0000;   // IEEE numbers order as sign and magnitude
        return ((ulong)ordered << 32) | (uint)~id;
    }

    // exp(x) = 2ᵏ · exp(r) with r = x − k·ln 2 in ±ln 2 / 2, where the Taylor polynomial of degree 12 errs by less than 2⁻⁵².
    private static Vector<ulong> Weigh(Vector<double> x, Vector<double> unit)
    {
        x = Vector.Max(x, new Vector<double>(LeastExponent));
        Vector<double> shifted = x * new Vector<double>(1.4426950408889634) + new Vector<double>(SignedShift);
        Vector<double> k = shifted - new Vector<double>(SignedShift);
        Vector<double> r = x - k * new Vector<double>(0.6931471803691238);   // ln 2 in two parts; the first has zeros to spare, so k times it is exact
        r -= k * new Vector<double>(1.9082149292705877e-10);
        Vector<double> e = new(1.0 / 479001600);
        e = e * r + new Vector<double>(1.0 / 39916800);
        e = e * r + new Vector<double>(1.0 / 3628800);
        e = e * r + new Vector<double>(1.0 / 362880);
        e = e * r + new Vector<double>(1.0 / 40320);
        e = e * r + new Vector<double>(1.0 / 5040);
        e = e * r + new Vector<double>(1.0 / 720);
        e = e * r + new Vector<double>(1.0 / 120);
        e = e * r + new Vector<double>(1.0 / 24);
        e = e * r + new Vector<double>(1.0 / 6);
        e = e * r + new Vector<double>(0.5);
        e = e * r + Vector<double>.One;
        e = e * r + Vector<double>.One;
        Vector<long> power = Vector.ShiftLeft(Vector.AsVectorInt64(shifted), 52) + new Vector<long>(1023L << 52);   // k into the exponent's place
        Vector<double> weight = e * Vector.AsVectorDouble(power) * unit + new Vector<double>(IntegerShift);
        return Vector.AsVectorUInt64(weight) & new Vector<ulong>((1UL << 52) - 1);
    }
}
