using System.Text;

namespace Llama2;

/// <summary>A range of bytes at one place of a UTF-8 sequence.</summary>
internal readonly record struct Utf8Range(byte First, byte Last)
{
    // Within each of these a sequence has one length; the surrogates are no characters.
    private static readonly (int First, int Last)[] _lengths = [(0, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)];

    /// <summary>Writes a set as sequences of byte ranges, each of which spells every combination of its bytes.</summary>
    public static IEnumerable<Utf8Range[]> Split(RuneSet set) =>
        from range in set.Ranges
        from length in _lengths
        let first = Math.Max(range.First, length.First)
        let last = Math.Min(range.Last, length.Last)
        where first <= last
        from sequence in Split(first, last)
        select sequence;

    /// <summary>Cuts where a trailing byte would not run through all of its values.</summary>
    private static IEnumerable<Utf8Range[]> Split(int first, int last)
    {
        int count = new Rune(first).Utf8SequenceLength;
        for (int i = 1; i < count; i++)
        {
            int mask = (1 << (6 * i)) - 1;
            if ((first & ~mask) == (last & ~mask))
            {
                continue;
            }

            int cut = (first & mask) != 0 ? first | mask : (last & mask) != mask ? (last & ~mask) - 1 : -1;
            if (cut >= 0)
            {
                return Split(first, cut).Concat(Split(cut + 1, last));
            }
        }

        byte[] low = new byte[count], high = new byte[count];
        new Rune(first).EncodeToUtf8(low);
        new Rune(last).EncodeToUtf8(high);
        return [[.. low.Zip(high, (a, b) => new Utf8Range(a, b))]];
    }
}
