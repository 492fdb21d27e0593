namespace Llama2;

/// <summary>A language of byte strings: a nondeterministic automaton whose rules may call each other, themselves included. Immutable.</summary>
/// <remarks>
/// Calls nest at most <see cref="MaxDepth"/> deep; <see cref="Need"/> tells how deep a node has to go at least, so that what is still open can
/// always be closed in time. A node that can reach no end needs more than there is.
/// </remarks>
internal sealed class Grammar
{
    /// <summary>The deepest that calls nest, and with them values within values of a JSON text.</summary>
    public const int MaxDepth = 48;

    /// <summary>The node that ends every rule.</summary>
    public const int End = 0;

    private readonly GrammarNode[] _nodes;
    private readonly GrammarEdge[] _edges;
    private readonly int[] _branches;
    private readonly int[] _rules;                       // the first node of each
    private readonly byte[] _needs;                      // by node

    /// <exception cref="GenerationConstraintException">No text belongs to the language.</exception>
    public Grammar(GrammarNode[] nodes, GrammarEdge[] edges, int[] branches, int[] rules, int start)
    {
        (_nodes, _edges, _branches, _rules, Start) = (nodes, edges, branches, rules, start);
        _needs = ComputeNeeds();
        (ByteClasses, ByteClassCount) = ComputeByteClasses(edges);
        if (Need(start) > MaxDepth)
        {
            throw new GenerationConstraintException("No text can satisfy the constraint.", location: null);
        }
    }

    public int Start { get; }

    public int NodeCount => _nodes.Length;

    /// <summary>Bytes that no edge tells apart have one class.</summary>
    public byte[] ByteClasses { get; }

    public int ByteClassCount { get; }

    public ref readonly GrammarNode this[int node] => ref _nodes[node];

    /// <summary>The edges of a <see cref="GrammarNodeKind.Bytes"/> node.</summary>
    public ReadOnlySpan<GrammarEdge> Edges(int node) => _edges.AsSpan(_nodes[node].A.._nodes[node].B);

    /// <summary>Where a <see cref="GrammarNodeKind.Branch"/> node goes on.</summary>
    public ReadOnlySpan<int> Branches(int node) => _branches.AsSpan(_nodes[node].A.._nodes[node].B);

    /// <summary>The first node of a rule.</summary>
    public int StartOf(int rule) => _rules[rule];

    /// <summary>How deep calls have to nest, at least, from here to the end of the node's rule.</summary>
    public int Need(int node) => _needs[node];

    /// <summary>Works backwards from the end: whenever a node's need falls, those before it are looked at again.</summary>
    private byte[] ComputeNeeds()
    {
        byte[] needs = new byte[_nodes.Length];
        needs.AsSpan().Fill(byte.MaxValue);
        ILookup<int, int> before = Links().ToLookup(link => link.To, link => link.From);
        var changed = new Queue<int>();
        needs[End] = 0;
        changed.Enqueue(End);
        while (changed.TryDequeue(out int node))
        {
            foreach (int previous in before[node])
            {
                int need = NeedOf(previous, needs);
                if (need < needs[previous])
                {
                    needs[previous] = (byte)need;
                    changed.Enqueue(previous);
                }
            }
        }

        return needs;
    }

    /// <summary>Whose need depends on whose.</summary>
    private IEnumerable<(int From, int To)> Links()
    {
        for (int node = 0; node < _nodes.Length; node++)
        {
            (GrammarNodeKind kind, int a, int b) = _nodes[node];
            for (int i = a; i < b && kind is GrammarNodeKind.Bytes or GrammarNodeKind.Branch; i++)
            {
                yield return (node, kind == GrammarNodeKind.Bytes ? _edges[i].Target : _branches[i]);
            }

            if (kind == GrammarNodeKind.Call)
            {
                yield return (node, _rules[a]);
                yield return (node, b);
            }
        }
    }

    private int NeedOf(int node, byte[] needs)
    {
        int least = byte.MaxValue;
        switch (_nodes[node].Kind)
        {
            case GrammarNodeKind.End:
                return 0;
            case GrammarNodeKind.Bytes:
                foreach (GrammarEdge edge in Edges(node))
                {
                    least = Math.Min(least, needs[edge.Target]);
                }

                return least;
            case GrammarNodeKind.Branch:
                foreach (int branch in Branches(node))
                {
                    least = Math.Min(least, needs[branch]);
                }

                return least;
            default:
                (_, int rule, int next) = _nodes[node];
                int callee = needs[_rules[rule]];
                return next == End ? callee : Math.Min(byte.MaxValue, Math.Max(callee + 1, needs[next]));      // a last call takes no place
        }
    }

    private static (byte[] Classes, int Count) ComputeByteClasses(GrammarEdge[] edges)
    {
        bool[] begins = new bool[257];
        begins[0] = true;
        foreach (GrammarEdge edge in edges)
        {
            begins[edge.First] = begins[edge.Last + 1] = true;
        }

        byte[] classes = new byte[256];
        int count = 0;
        for (int value = 0; value < 256; value++)
        {
            count += begins[value] ? 1 : 0;
            classes[value] = (byte)(count - 1);
        }

        return (classes, count);
    }
}
