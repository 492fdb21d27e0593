using System.Buffers;

namespace Llama2;

/// <summary>A pair that could merge. Candidates compare by order, then from left to right.</summary>
internal readonly struct Candidate(uint order, int left, int length, int id)
{
    public readonly ulong Key = (ulong)order << 32 | (uint)left;
    public readonly int Length = length;                   // of the pair
    public readonly int Id = id;                           // of the piece it would become

    public int Left => (int)(uint)Key;
}

/// <summary>A binary heap in rented memory; the lowest key is on top.</summary>
internal struct CandidateHeap(int capacity) : IDisposable
{
    private Candidate[] _items = ArrayPool<Candidate>.Shared.Rent(capacity);
    private int _count;

    /// <summary>Adds within the capacity, before <see cref="Order"/> has run.</summary>
    public void AddUnordered(Candidate item) => _items[_count++] = item;

    public readonly void Order()
    {
        for (int index = _count / 2 - 1; index >= 0; index--)
        {
            SiftDown(index, _items[index]);
        }
    }

    public void Push(Candidate item)
    {
        if (_count == _items.Length)
        {
            Grow();
        }

        int index = _count++;
        while (index > 0 && item.Key < _items[(index - 1) / 2].Key)
        {
            _items[index] = _items[(index - 1) / 2];
            index = (index - 1) / 2;
        }

        _items[index] = item;
    }

    public bool TryPop(out Candidate item)
    {
        item = default;
        if (_count == 0)
        {
            return false;
        }

        item = _items[0];
        _count--;
        SiftDown(0, _items[_count]);
        return true;
    }

    public readonly void Dispose() => ArrayPool<Candidate>.Shared.Return(_items);

    private readonly void SiftDown(int index, Candidate item)
    {
        int child;
        while ((child = 2 * index + 1) < _count)
        {
            if (child + 1 < _count && _items[child + 1].Key < _items[child].Key)
            {
                child++;
            }

            if (item.Key <= _items[child].Key)
            {
                break;
            }

            _items[index] = _items[child];
            index = child;
        }

        _items[index] = item;
    }

    private void Grow()
    {
        Candidate[] larger = ArrayPool<Candidate>.Shared.Rent(checked(_items.Length * 2));
        _items.AsSpan(0, _count).CopyTo(larger);
        ArrayPool<Candidate>.Shared.Return(_items);
        _items = larger;
    }
}
