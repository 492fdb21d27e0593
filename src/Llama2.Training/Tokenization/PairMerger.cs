using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;

namespace Llama2.Training;

/// <summary>
/// Finds the merges: again and again the most frequent pair of neighbours becomes a piece. After every merge the units look exactly as
/// <see cref="LlamaTokenizer.Encode"/> would leave them with the pieces so far, so what is counted is what encoding will meet.
/// </summary>
/// <remarks>
/// <para>
/// A stretch of text that no merge has crossed the ends of looks the same wherever it stands. So only one pair of symbols ever spells a text,
/// and a merge never brings about another one of an earlier piece: comparing two symbols is all that finding a pair takes.
/// </para>
/// <para>
/// Each pair knows the units it may occur in, so a merge costs what it changes. A pair is counted when its later symbol is made and only loses
/// occurrences from then on; the queue may hold a count that is too high, and a pair that comes up with one goes back with its true count.
/// </para>
/// </remarks>
internal sealed class PairMerger
{
    private readonly TokenizerTrainerOptions _options;
    private readonly List<string> _texts = [];                         // by symbol
    private readonly List<int> _lengths = [];                          // by symbol, in characters
    private readonly int[] _symbols;                                   // all units, one after the other
    private readonly int[] _starts;                                    // by unit, into _symbols
    private readonly int[] _counts;                                    // by unit: how many symbols it has left
    private readonly long[] _weights;                                  // by unit: how often the texts have it
    private readonly Dictionary<long, Pair?> _pairs = [];              // by two symbols; null for a pair that may not merge
    private readonly PriorityQueue<Pair, Priority> _queue = new();
    private readonly List<Pair> _new = [];                             // not in the queue yet

    public PairMerger(IReadOnlyList<(string Text, long Count)> units, IReadOnlyList<Rune> characters, TokenizerTrainerOptions options)
    {
        _options = options;
        var symbolOf = new Dictionary<Rune, int>();
        foreach (Rune character in characters)
        {
            symbolOf.Add(character, AddSymbol(character.ToString(), 1));
        }

        _starts = new int[units.Count];
        _counts = new int[units.Count];
        _weights = new long[units.Count];
        var symbols = new List<int>();
        for (int unit = 0; unit < units.Count; unit++)
        {
            (_starts[unit], _weights[unit]) = (symbols.Count, units[unit].Count);
            foreach (Rune rune in units[unit].Text.EnumerateRunes())
            {
                symbols.Add(symbolOf[rune]);
            }

            _counts[unit] = symbols.Count - _starts[unit];
        }

        _symbols = [.. symbols];
        for (int unit = 0; unit < units.Count; unit++)
        {
            for (int position = _starts[unit] + 1; position < _starts[unit] + _counts[unit]; position++)
            {
                Add(_symbols[position - 1], _symbols[position], unit);
            }
        }
    }

    /// <summary>The pieces, in the order of their merges.</summary>
    public IReadOnlyList<string> Run(int limit, CancellationToken cancellationToken)
    {
        var pieces = new List<string>();
        EnqueueNew();
        while (pieces.Count < limit && TryTake(out Pair? best))
        {
            cancellationToken.ThrowIfCancellationRequested();
            int merged = AddSymbol(best.Text, best.Length);
            pieces.Add(best.Text);
            foreach (int unit in best.Units)
            {
                Merge(unit, best, merged);
            }

            best.Units.Clear();
            best.Units.TrimExcess();
            EnqueueNew();
        }

        return pieces;
    }

    private bool TryTake([NotNullWhen(true)] out Pair? best)
    {
        while (_queue.TryDequeue(out best, out Priority priority))
        {
            if (best.Count == priority.Count)
            {
                return true;
            }

            Enqueue(best);
        }

        return false;
    }

    private void EnqueueNew()
    {
        foreach (Pair pair in _new)
        {
            Enqueue(pair);
        }

        _new.Clear();
    }

    private void Enqueue(Pair pair)
    {
        if (pair.Count >= _options.MinimumPairCount)
        {
            _queue.Enqueue(pair, new(pair.Count, pair.Length, pair.Text));
        }
    }

    /// <summary>Merges a pair wherever it stands in a unit, from left to right.</summary>
    private void Merge(int unit, Pair pair, int merged)
    {
        Span<int> symbols = _symbols.AsSpan(_starts[unit], _counts[unit]);
        int done = 0;                                                  // symbols[..done] are settled, symbols[next..] are to come
        for (int next = 0; next < symbols.Length;)
        {
            int symbol = symbols[next++];
            if (symbol == pair.Left && next < symbols.Length && symbols[next] == pair.Right)
            {
                next++;
                Remove(pair.Left, pair.Right, unit);
                if (done > 0)
                {
                    Remove(symbols[done - 1], pair.Left, unit);
                    Add(symbols[done - 1], merged, unit);
                }

                if (next < symbols.Length)
                {
                    Remove(pair.Right, symbols[next], unit);
                    Add(merged, symbols[next], unit);
                }

                symbol = merged;
            }

            symbols[done++] = symbol;
        }

        _counts[unit] = done;
    }

    private void Add(int left, int right, int unit)
    {
        ref Pair? pair = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, Key(left, right), out bool isKnown);
        if (!isKnown && MayMerge(left, right))
        {
            pair = new(left, right, _texts[left] + _texts[right], _lengths[left] + _lengths[right]);
            _new.Add(pair);
        }

        if (pair is not null)
        {
            pair.Count += _weights[unit];
            if (pair.Units.Count == 0 || pair.Units[^1] != unit)
            {
                pair.Units.Add(unit);
            }
        }
    }

    private void Remove(int left, int right, int unit)
    {
        if (_pairs[Key(left, right)] is Pair pair)
        {
            pair.Count -= _weights[unit];
        }
    }

    /// <summary>A piece is short enough, is a run of spaces or holds one at its beginning at most, and is not spelt like a special token.</summary>
    private bool MayMerge(int leftSymbol, int rightSymbol)
    {
        const char Space = LlamaTokenizer.Space;
        string left = _texts[leftSymbol], right = _texts[rightSymbol];
        bool keepsSpacesInFront = right[0] == Space
            ? _options.AllowSpaceRuns && left[^1] == Space && right[^1] == Space   // only a run ends in a space
            : left[^1] != Space || left.Length == 1;
        return keepsSpacesInFront && _lengths[leftSymbol] + _lengths[rightSymbol] <= _options.MaximumPieceLength && !PieceVocabulary.IsReserved(left + right);
    }

    private int AddSymbol(string text, int length)
    {
        _texts.Add(text);
        _lengths.Add(length);
        return _texts.Count - 1;
    }

    private static long Key(int left, int right) => (long)left << 32 | (uint)right;

    /// <summary>Two symbols that stand side by side.</summary>
    private sealed class Pair(int left, int right, string text, int length)
    {
        public int Left { get; } = left;

        public int Right { get; } = right;

        public string Text { get; } = text;

        public int Length { get; } = length;               // in characters

        public long Count { get; set; }

        public List<int> Units { get; } = [];              // where it may occur; one may stand there twice
    }

    /// <summary>The most frequent first, then the shortest, then by text.</summary>
    private readonly record struct Priority(long Count, int Length, string Text) : IComparable<Priority>
    {
        public int CompareTo(Priority other)
        {
            int order = other.Count.CompareTo(Count);
            order = order != 0 ? order : Length.CompareTo(other.Length);
            return order != 0 ? order : string.CompareOrdinal(Text, other.Text);
        }
    }
}
