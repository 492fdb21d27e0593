using System.Numerics;

namespace Llama2;

/// <summary>The tokens that may come in some state. Immutable once made.</summary>
internal sealed class TokenMask(int vocabularySize)
{
    /// <summary>What <see cref="Forced"/> is where there is a choice.</summary>
    public const int None = -1;

    private readonly ulong[] _bits = new ulong[(vocabularySize + 63) / 64];

    /// <summary>Gets or sets the token that has to come: the longest, where all that may come begin the same text; else <see cref="None"/>.</summary>
    public int Forced { get; set; } = None;

    public bool this[int id] => (_bits[id >> 6] >> id & 1) != 0;

    public void Add(int id) => _bits[id >> 6] |= 1UL << id;

    public void AddRange(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            Add(id);
        }
    }

    /// <summary>Forbids all other tokens.</summary>
    public void Apply(Span<float> logits)
    {
        for (int word = 0; word < _bits.Length; word++)
        {
            Span<float> part = logits.Slice(word * 64, Math.Min(64, logits.Length - (word * 64)));
            if (_bits[word] == 0)
            {
                part.Fill(float.NegativeInfinity);
                continue;
            }

            for (ulong others = ~_bits[word]; others != 0; others &= others - 1)
            {
                int place = BitOperations.TrailingZeroCount(others);
                if (place >= part.Length)
                {
                    break;
                }

                part[place] = float.NegativeInfinity;
            }
        }
    }
}
