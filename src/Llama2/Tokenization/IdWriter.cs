namespace Llama2;

/// <summary>Counts ids and keeps those that fit, so that a run over no space measures the space.</summary>
internal ref struct IdWriter(Span<int> ids)
{
    private readonly Span<int> _ids = ids;
    private bool _afterUnknown;

    public int Count { get; private set; }

    public void Add(int id)
    {
        if (Count < _ids.Length)
        {
            _ids[Count] = id;
        }

        Count++;
        _afterUnknown = false;
    }

    /// <summary>Adds the unknown id, once for a run of unknown characters, as sentencepiece does.</summary>
    public void AddUnknown(int id)
    {
        if (!_afterUnknown)
        {
            Add(id);
            _afterUnknown = true;
        }
    }
}
