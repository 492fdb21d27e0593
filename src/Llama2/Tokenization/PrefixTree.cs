namespace Llama2;

/// <summary>Finds the longest of a set of texts that another text begins with.</summary>
internal sealed class PrefixTree
{
    private readonly Dictionary<(int Node, char Next), int> _edges = [];
    private readonly List<int> _ids = [-1];                // by node: the id of the text that ends here, or −1; node 0 is the root

    public void Add(string text, int id)
    {
        int node = 0;
        foreach (char next in text)
        {
            if (!_edges.TryGetValue((node, next), out int child))
            {
                child = _ids.Count;
                _edges.Add((node, next), child);
                _ids.Add(-1);
            }

            node = child;
        }

        _ids[node] = id;
    }

    public bool TryMatch(ReadOnlySpan<char> text, out int id, out int length)
    {
        (id, length) = (-1, 0);
        int node = 0;
        for (int depth = 0; depth < text.Length && _edges.TryGetValue((node, text[depth]), out node); depth++)
        {
            if (_ids[node] >= 0)
            {
                (id, length) = (_ids[node], depth + 1);
            }
        }

        return length > 0;
    }
}
