using System.Text;

namespace Llama2;

/// <summary>Puts a <see cref="Grammar"/> together from its end: every method takes the node to go on at and returns the node to begin at.</summary>
internal sealed class GrammarBuilder
{
    /// <summary>The most nodes of a grammar: bounded repetitions are written out, and this is where that ends.</summary>
    public const int MaxNodes = 300_000;

    private readonly List<GrammarNode> _nodes = [new(GrammarNodeKind.End, 0, 0)];
    private readonly List<GrammarEdge> _edges = [];
    private readonly List<int> _branches = [];
    private readonly List<int> _rules = [];
    private readonly Dictionary<GrammarEdge, int> _single = [];
    private readonly Dictionary<(RuneSet, int), int> _runes = [];

    /// <summary>A byte of a range.</summary>
    public int Bytes(byte first, byte last, int next)
    {
        var edge = new GrammarEdge(first, last, next);
        if (!_single.TryGetValue(edge, out int node))
        {
            _single.Add(edge, node = Bytes([edge]));
        }

        return node;
    }

    /// <summary>A byte that decides where to go on.</summary>
    public int Bytes(ReadOnlySpan<GrammarEdge> edges)
    {
        int first = _edges.Count;
        _edges.AddRange(edges);
        return Add(new(GrammarNodeKind.Bytes, first, _edges.Count));
    }

    /// <summary>This text.</summary>
    public int Text(ReadOnlySpan<char> text, int next)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        for (int i = Encoding.UTF8.GetBytes(text, bytes) - 1; i >= 0; i--)
        {
            next = Bytes(bytes[i], bytes[i], next);
        }

        return next;
    }

    /// <summary>A character of a set.</summary>
    public int Runes(RuneSet set, int next)
    {
        if (_runes.TryGetValue((set, next), out int node))
        {
            return node;
        }

        var firsts = new List<GrammarEdge>();
        foreach (Utf8Range[] sequence in Utf8Range.Split(set))
        {
            int rest = next;
            for (int i = sequence.Length - 1; i > 0; i--)
            {
                rest = Bytes(sequence[i].First, sequence[i].Last, rest);
            }

            firsts.Add(new(sequence[0].First, sequence[0].Last, rest));
        }

        node = Bytes([.. firsts]);
        _runes.Add((set, next), node);
        return node;
    }

    /// <summary>Any of these; of none, nothing.</summary>
    public int Any(params ReadOnlySpan<int> starts) => starts.Length == 1 ? starts[0] : Define(Reserve(), starts);

    /// <summary>A node to be defined later, so that what follows it can lead back to it.</summary>
    public int Reserve() => Add(new(GrammarNodeKind.Branch, 0, 0));

    public int Define(int reserved, params ReadOnlySpan<int> starts)
    {
        int first = _branches.Count;
        _branches.AddRange(starts);
        _nodes[reserved] = new(GrammarNodeKind.Branch, first, _branches.Count);
        return reserved;
    }

    /// <summary>Something from <paramref name="least"/> to <paramref name="most"/> times; null is without end.</summary>
    public int Repeat(Func<int, int> item, int least, int? most, int next)
    {
        int node = next;
        if (most is null)
        {
            node = Reserve();
            Define(node, item(node), next);
        }

        for (int i = least; i < most; i++)
        {
            int taken = item(node);
            if (taken == node)
            {
                break;                                   // nothing, however often
            }

            node = Any(taken, next);
        }

        for (int i = 0; i < least; i++)
        {
            int taken = item(node);
            if (taken == node)
            {
                break;
            }

            node = taken;
        }

        return node;
    }

    /// <summary>A rule that is still to be defined.</summary>
    public int DeclareRule()
    {
        _rules.Add(Grammar.End);
        return _rules.Count - 1;
    }

    public void DefineRule(int rule, int start) => _rules[rule] = start;

    public int Call(int rule, int next) => Add(new(GrammarNodeKind.Call, rule, next));

    /// <exception cref="GenerationConstraintException">No text belongs to the grammar.</exception>
    public Grammar Build(int start) => new([.. _nodes], [.. _edges], [.. _branches], [.. _rules], start);

    private int Add(GrammarNode node)
    {
        if (_nodes.Count == MaxNodes)
        {
            throw new GenerationConstraintException(
                $"The constraint is too large: written out, its repetitions and alternatives have more than {MaxNodes} steps.", location: null);
        }

        _nodes.Add(node);
        return _nodes.Count - 1;
    }
}
