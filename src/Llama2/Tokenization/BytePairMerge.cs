using System.Buffers;

namespace Llama2;

/// <summary>One text on its way from characters to pieces. A symbol is named by where it begins; the next one begins where it ends.</summary>
/// <remarks>
/// Every adjacent pair that spells a piece waits in a heap. A pair whose parts have merged with others stays there and is passed over when
/// it comes up: symbols only grow, so the two lengths no longer add up to the piece's.
/// </remarks>
internal ref struct BytePairMerge : IDisposable
{
    private const int None = -1;
    private const int Frozen = 1 << 30;                    // marks the id of a user-defined piece, which merges with nothing

    private readonly BytePairEncoder _encoder;
    private readonly ReadOnlySpan<char> _text;
    private readonly int[] _lengths;                       // [text] of the symbol that begins here; 0 inside a symbol
    private readonly int[] _previous;                      // [text] where the symbol before begins, or None
    private readonly int[] _ids;                           // [text] of the symbol's piece, or None
    private CandidateHeap _heap;
    private Dictionary<int, int>? _splits;                 // unused piece → length of the left part it was last offered from

    public BytePairMerge(BytePairEncoder encoder, ReadOnlySpan<char> text)
    {
        _encoder = encoder;
        _text = text;
        _lengths = ArrayPool<int>.Shared.Rent(text.Length);
        _previous = ArrayPool<int>.Shared.Rent(text.Length);
        _ids = ArrayPool<int>.Shared.Rent(text.Length);
        _heap = new CandidateHeap(text.Length);
    }

    /// <summary>Merges until no adjacent pair spells a piece.</summary>
    public void Run()
    {
        SplitIntoCharacters();
        for (int left = 0; left < _text.Length; left += _lengths[left])
        {
            if (TryMakeCandidate(left, out Candidate candidate))
            {
                _heap.AddUnordered(candidate);
            }
        }

        _heap.Order();
        while (_heap.TryPop(out Candidate candidate))
        {
            int left = candidate.Left;
            int right = left + _lengths[left];
            if (right >= _text.Length || _lengths[left] + _lengths[right] != candidate.Length)
            {
                continue;
            }

            _lengths[left] = candidate.Length;
            _lengths[right] = 0;
            _ids[left] = candidate.Id;
            int next = left + candidate.Length;
            if (next < _text.Length)
            {
                _previous[next] = left;
            }

            Offer(_previous[left]);
            Offer(left);
        }
    }

    /// <summary>Writes the ids.</summary>
    /// <returns>How many there are, which may be more than fit.</returns>
    public readonly int Write(Span<int> ids)
    {
        var output = new IdWriter(ids);
        for (int start = 0; start < _text.Length; start += _lengths[start])
        {
            int id = _ids[start];
            if (id == None)
            {
                _encoder.WriteUnknown(_text.Slice(start, _lengths[start]), ref output);
            }
            else if ((id & Frozen) == 0 && _encoder.IsUnused(id))
            {
                WriteParts(_text.Slice(start, _lengths[start]), ref output);
            }
            else
            {
                output.Add(id & ~Frozen);
            }
        }

        return output.Count;
    }

    public readonly void Dispose()
    {
        ArrayPool<int>.Shared.Return(_lengths);
        ArrayPool<int>.Shared.Return(_previous);
        ArrayPool<int>.Shared.Return(_ids);
        _heap.Dispose();
    }

    private readonly void SplitIntoCharacters()
    {
        int previous = None;
        for (int start = 0; start < _text.Length; start += _lengths[start])
        {
            if (_encoder.TryMatchUserDefined(_text[start..], out int id, out int length))
            {
                id |= Frozen;
            }
            else
            {
                length = char.IsHighSurrogate(_text[start]) ? 2 : 1;               // normalization has left no lone ones
                id = _encoder.Find(_text.Slice(start, length));
            }

            _lengths.AsSpan(start, length).Clear();
            _lengths[start] = length;
            _previous[start] = previous;
            _ids[start] = id;
            previous = start;
        }
    }

    private void Offer(int left)
    {
        if (left != None && TryMakeCandidate(left, out Candidate candidate))
        {
            _heap.Push(candidate);
        }
    }

    private bool TryMakeCandidate(int left, out Candidate candidate)
    {
        candidate = default;
        int right = left + _lengths[left];
        if (right >= _text.Length || IsFrozen(left) || IsFrozen(right))
        {
            return false;
        }

        int length = _lengths[left] + _lengths[right];
        int id = _encoder.Find(_text.Slice(left, length));
        if (id == None)
        {
            return false;
        }

        if (_encoder.IsUnused(id))
        {
            (_splits ??= [])[id] = _lengths[left];
        }

        candidate = new(_encoder.OrderOf(id), left, length, id);
        return true;
    }

    private readonly bool IsFrozen(int start) => _ids[start] != None && (_ids[start] & Frozen) != 0;

    /// <summary>Takes an unused piece apart again, until no part is one.</summary>
    private readonly void WriteParts(ReadOnlySpan<char> piece, ref IdWriter output)
    {
        var parts = new Stack<(int Start, int Length)>([(0, piece.Length)]);
        while (parts.TryPop(out (int Start, int Length) part))
        {
            ReadOnlySpan<char> text = piece.Slice(part.Start, part.Length);
            int id = _encoder.Find(text);
            if (id == None)
            {
                _encoder.WriteUnknown(text, ref output);
            }
            else if (_encoder.IsUnused(id) && _splits is not null && _splits.TryGetValue(id, out int left))
            {
                parts.Push((part.Start + left, part.Length - left));
                parts.Push((part.Start, left));
            }
            else
            {
                output.Add(id);
            }
        }
    }
}
