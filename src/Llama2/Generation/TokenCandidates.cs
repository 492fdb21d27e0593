using System.Numerics;
using System.Numerics.Tensors;

namespace Llama2;

/// <summary>The tokens that may still be drawn, in the order of their ids. Not thread-safe; reused from token to token.</summary>
internal sealed class TokenCandidates
{
    private int[] _ids = [];
    private float[] _logits = [];
    private ulong[] _weights = [];
    private Ranked[] _ranked = [];
    private int _count;
    private int _unitBits;
    private float _max;
    private double _temperature;

    /// <summary>Gets the tokens.</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, _count);

    /// <summary>Gets what each weighs: its probability times <see cref="Total"/>.</summary>
    public ReadOnlySpan<ulong> Weights => _weights.AsSpan(0, _count);

    /// <summary>Gets the sum of the weights, from 1 to below 2⁶³.</summary>
    public ulong Total { get; private set; }

    /// <summary>Takes in all tokens; their weights come with <see cref="Weigh"/>.</summary>
    public void Load(ReadOnlySpan<float> logits, float max, double temperature)
    {
        if (_ids.Length < logits.Length)
        {
            _ids = new int[logits.Length];
            _logits = new float[logits.Length];
            _weights = new ulong[logits.Length];
            _ranked = new Ranked[logits.Length];
        }

        (_count, _max, _temperature, _unitBits) = (logits.Length, max, temperature, TokenWeights.UnitBits(logits.Length));
        logits.CopyTo(_logits);
        for (int id = 0; id < _count; id++)
        {
            _ids[id] = id;
        }
    }

    /// <summary>Keeps the <paramref name="count"/> likeliest tokens.</summary>
    public void KeepLikeliest(int count)
    {
        DropCertainlyUnlikelier(count);
        for (int i = 0; i < _count; i++)
        {
            _ranked[i] = new Ranked(TokenWeights.Rank(_logits[i], _ids[i]), 1);
        }

        KeepRankedFrom(RankReaching(_ranked.AsSpan(0, _count), (ulong)count));
    }

    /// <summary>Computes the weights.</summary>
    public void Weigh() => Total = TokenWeights.Compute(_logits.AsSpan(0, _count), _max, _temperature, _unitBits, _weights);

    /// <summary>Keeps the fewest likeliest tokens whose weights reach <paramref name="share"/> of the total.</summary>
    public void KeepMass(double share)
    {
        ulong target = Target(share);
        KeepFrom((Total - target) / (ulong)_count);   // all lighter ones together weigh less than what may go
        for (int i = 0; i < _count; i++)
        {
            _ranked[i] = new Ranked(TokenWeights.Rank(_logits[i], _ids[i]), _weights[i]);
        }

        ulong least = RankReaching(_ranked.AsSpan(0, _count), target);
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            if (TokenWeights.Rank(_logits[i], _ids[i]) >= least)
            {
                Move(i, kept++);
            }
        }

        SetCount(kept);
    }

    /// <summary>Keeps the tokens with at least <paramref name="share"/> of the likeliest one's probability.</summary>
    public void KeepFrom(double share) => KeepFrom((ulong)Math.Ceiling(share * (1L << _unitBits)));

    /// <summary>
    /// Keeps the fewest tokens whose information is closest to the entropy and whose weights reach <paramref name="share"/> of the total.
    /// Information less entropy is |mean of x − x| with x = (logit − max) / temperature: the logarithm of the total cancels out.
    /// </summary>
    public void KeepTypical(double share)
    {
        double mean = 0;
        for (int i = 0; i < _count; i++)
        {
            if (_weights[i] > 0)
            {
                mean += Exponent(i) * _weights[i];
            }
        }

        mean /= Total;
        for (int i = 0; i < _count; i++)
        {
            _ranked[i] = new Ranked(Typicality(i, mean), _weights[i]);
        }

        ulong least = RankReaching(_ranked.AsSpan(0, _count), Target(share));
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            if (Typicality(i, mean) >= least)
            {
                Move(i, kept++);
            }
        }

        SetCount(kept);
    }

    // The count-th largest of the maxima of blocks is no more than the count-th largest logit: one quick pass that leaves little to select from.
    private void DropCertainlyUnlikelier(int count)
    {
        int size = (int)(_count / (8L * count));
        if (size < 2)
        {
            return;
        }

        int blocks = _count / size;
        for (int block = 0; block < blocks; block++)
        {
            float max = TensorPrimitives.Max<float>(_logits.AsSpan(block * size, size));
            _ranked[block] = new Ranked(TokenWeights.Rank(max, block), 1);
        }

        KeepRankedFrom(RankReaching(_ranked.AsSpan(0, blocks), (ulong)count) & ~(ulong)uint.MaxValue);      // the logit without the block
    }

    private void KeepRankedFrom(ulong least)
    {
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            if (TokenWeights.Rank(_logits[i], _ids[i]) >= least)
            {
                (_ids[kept], _logits[kept]) = (_ids[i], _logits[i]);
                kept++;
            }
        }

        _count = kept;
    }

    private void KeepFrom(ulong weight)
    {
        var limit = new Vector<ulong>(weight);
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            while (i <= _count - Vector<ulong>.Count && Vector.LessThanAll(new Vector<ulong>(_weights, i), limit))
            {
                i += Vector<ulong>.Count;                // most of a vocabulary goes this way
            }

            if (i < _count && _weights[i] >= weight)
            {
                Move(i, kept++);
            }
        }

        SetCount(kept);
    }

    private void Move(int from, int to) => (_ids[to], _logits[to], _weights[to]) = (_ids[from], _logits[from], _weights[from]);

    private void SetCount(int count)
    {
        _count = count;
        Total = 0;
        foreach (ulong weight in Weights)
        {
            Total += weight;
        }
    }

    private ulong Target(double share) => Math.Clamp((ulong)Math.Ceiling(share * Total), 1, Total);

    private double Exponent(int i) => ((double)_logits[i] - _max) / _temperature;

    // Orders by closeness to the mean, of equally close ones the lower id above.
    private ulong Typicality(int i, double mean) => TokenWeights.Rank(-(float)Math.Abs(mean - Exponent(i)), _ids[i]);

    // The lowest rank that is needed for the weights of all from it up to reach the target: quickselect, with pivots at random places, so that
    // no order of logits makes it slow, and the same ones each time.
    private static ulong RankReaching(Span<Ranked> items, ulong target)
    {
        var random = new SplitMix64(0);
        while (true)
        {
            int last = items.Length - 1;
            Swap(ref items[(int)random.Below((ulong)items.Length)], ref items[last]);
            Ranked pivot = items[last];
            int above = 0;
            ulong weightAbove = 0;
            for (int i = 0; i < last; i++)
            {
                if (items[i].Rank > pivot.Rank)          // ranks differ: ids are part of them
                {
                    weightAbove += items[i].Weight;
                    Swap(ref items[i], ref items[above++]);
                }
            }

            if (weightAbove >= target)
            {
                items = items[..above];
            }
            else if (weightAbove + pivot.Weight >= target || above == last)
            {
                return pivot.Rank;
            }
            else
            {
                target -= weightAbove + pivot.Weight;
                items = items[above..last];              // the pivot is counted
            }
        }
    }

    private static void Swap(ref Ranked a, ref Ranked b) => (a, b) = (b, a);

    private readonly record struct Ranked(ulong Rank, ulong Weight);
}
