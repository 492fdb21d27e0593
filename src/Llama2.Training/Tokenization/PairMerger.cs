using System.Runtime.InteropServices;
using System.Text;

namespace Llama2.Training;

/// <summary>
/// Finds the merges: again and again the most frequent pair of neighbours becomes a piece. After every merge the units look exactly as
/// <see cref="LlamaTokenizer.Encode"/> would leave them with the pieces so far, so what is counted is what encoding will meet.
/// </summary>
/// <remarks>
/// Pairs that spell the same text are one candidate, for encoding merges them alike. Counts follow every merge, and each candidate knows the
/// units it may occur in, so a merge costs what it changes. Candidates wait in a queue with counts that may be out of date; one that comes up
/// with a count too high goes back with its true one.
/// </remarks>
internal sealed class PairMerger
{
    private const int Invalid = -1;
    private const int NotChosen = int.MaxValue;

    private readonly TokenizerTrainerOptions _options;
    private readonly List<string> _texts = [];                         // by symbol
    private readonly List<int> _lengths = [];                          // by symbol, in characters
    private readonly int[] _symbols;                                   // all units, one after the other
    private readonly int[] _starts;                                    // by unit, into _symbols
    private readonly int[] _counts;                                    // by unit: how many symbols it has left
    private readonly long[] _weights;                                  // by unit: how often the texts have it
    private readonly Dictionary<long, int> _pairs = [];                // two symbols → candidate, or Invalid
    private readonly Dictionary<string, int> _candidateOf = new(StringComparer.Ordinal);
    private readonly List<Candidate> _candidates = [];
    private readonly PriorityQueue<int, Priority> _queue = new();
    private readonly List<int> _changed = [];                          // candidates that may need a better place in the queue

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
                Count(_symbols[position - 1], _symbols[position], unit, _weights[unit]);
            }
        }
    }

    /// <summary>The pieces, in the order of their merges.</summary>
    public IReadOnlyList<string> Run(int limit, CancellationToken cancellationToken)
    {
        var pieces = new List<string>();
        Requeue();
        while (pieces.Count < limit && TryTake(out Candidate? best))
        {
            cancellationToken.ThrowIfCancellationRequested();
            best.Rank = pieces.Count;
            best.Symbol = AddSymbol(best.Text, best.Length);
            pieces.Add(best.Text);
            foreach (int unit in best.Units)
            {
                Merge(unit);
            }

            best.Units = [];
            Requeue();
        }

        return pieces;
    }

    private bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Candidate? best)
    {
        while (_queue.TryDequeue(out int index, out Priority priority))
        {
            best = _candidates[index];
            if (best.IsChosen || priority.Count != best.Queued)
            {
                continue;                                              // a better entry of the same candidate has been here
            }

            if (best.Count == best.Queued)
            {
                return true;
            }

            best.Queued = 0;
            Enqueue(index);
        }

        best = null;
        return false;
    }

    private void Requeue()
    {
        foreach (int index in _changed)
        {
            Enqueue(index);
        }

        _changed.Clear();
    }

    private void Enqueue(int index)
    {
        Candidate candidate = _candidates[index];
        if (!candidate.IsChosen && candidate.Count > candidate.Queued && candidate.Count >= _options.MinimumPairCount)
        {
            candidate.Queued = candidate.Count;
            _queue.Enqueue(index, new(candidate.Count, candidate.Length, candidate.Text));
        }
    }

    /// <summary>Walks through a unit from left to right; whatever spells a chosen piece merges, earlier pieces first.</summary>
    private void Merge(int unit)
    {
        Span<int> symbols = _symbols.AsSpan(_starts[unit], _counts[unit]);
        int done = 0;                                                  // symbols[..done] are settled, symbols[next..] are to come
        for (int next = 0; next < symbols.Length;)
        {
            symbols[done++] = symbols[next++];
            int left = NotChosen;                                      // or the symbol would have merged as the right one before
            while (true)
            {
                int right = next < symbols.Length ? RankOf(symbols[done - 1], symbols[next]) : NotChosen;
                if (left == NotChosen && right == NotChosen)
                {
                    break;
                }

                if (left <= right)
                {
                    done--;
                }
                else
                {
                    next++;
                }

                // Now the pair is symbols[done - 1] and the symbol that was just passed over.
                int first = symbols[done - 1], second = left <= right ? symbols[done] : symbols[next - 1];
                int merged = _candidates[_pairs[Key(first, second)]].Symbol;
                Count(first, second, unit, -_weights[unit]);
                if (done >= 2)
                {
                    Count(symbols[done - 2], first, unit, -_weights[unit]);
                    Count(symbols[done - 2], merged, unit, _weights[unit]);
                }

                if (next < symbols.Length)
                {
                    Count(second, symbols[next], unit, -_weights[unit]);
                    Count(merged, symbols[next], unit, _weights[unit]);
                }

                symbols[done - 1] = merged;
                left = done >= 2 ? RankOf(symbols[done - 2], merged) : NotChosen;
            }
        }

        _counts[unit] = done;
    }

    private int RankOf(int left, int right) => _pairs[Key(left, right)] is >= 0 and int index ? _candidates[index].Rank : NotChosen;

    /// <summary>Adds to the count of a pair and, where it grows, notes the unit.</summary>
    private void Count(int left, int right, int unit, long weight)
    {
        ref int index = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, Key(left, right), out bool isKnown);
        if (!isKnown)
        {
            index = FindCandidate(left, right);
        }

        if (index == Invalid)
        {
            return;
        }

        Candidate candidate = _candidates[index];
        candidate.Count += weight;
        if (weight > 0 && !candidate.IsChosen)
        {
            if (candidate.Units.Count == 0 || candidate.Units[^1] != unit)
            {
                candidate.Units.Add(unit);
            }

            _changed.Add(index);
        }
    }

    private int FindCandidate(int left, int right)
    {
        int length = _lengths[left] + _lengths[right];
        if (length > _options.MaximumPieceLength || !MayJoin(_texts[left], _texts[right]))
        {
            return Invalid;
        }

        string text = _texts[left] + _texts[right];
        if (PieceVocabulary.IsReserved(text))
        {
            return Invalid;
        }

        ref int index = ref CollectionsMarshal.GetValueRefOrAddDefault(_candidateOf, text, out bool isKnown);
        if (!isKnown)
        {
            index = _candidates.Count;
            _candidates.Add(new(text, length));
        }

        return index;
    }

    /// <summary>A piece is a run of spaces or holds one at its beginning at most.</summary>
    private bool MayJoin(string left, string right)
    {
        const char Space = LlamaTokenizer.Space;
        return right[0] == Space ? _options.AllowSpaceRuns && left[^1] == Space && right[^1] == Space : left[^1] != Space || left.Length == 1;
    }

    private int AddSymbol(string text, int length)
    {
        _texts.Add(text);
        _lengths.Add(length);
        return _texts.Count - 1;
    }

    private static long Key(int left, int right) => (long)left << 32 | (uint)right;

    /// <summary>The text that some pairs spell.</summary>
    private sealed class Candidate(string text, int length)
    {
        public string Text { get; } = text;

        public int Length { get; } = length;               // in characters

        public long Count { get; set; }

        public long Queued { get; set; }                   // the count of its valid entry in the queue; 0 for none

        public int Rank { get; set; } = NotChosen;

        public int Symbol { get; set; }

        public List<int> Units { get; set; } = [];         // where it may occur; one may stand there twice

        public bool IsChosen => Rank != NotChosen;
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
