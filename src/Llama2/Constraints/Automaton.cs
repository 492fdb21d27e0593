namespace Llama2;

/// <summary>The deterministic automaton of a <see cref="Grammar"/>, made state by state as texts get there. Not thread-safe.</summary>
/// <remarks>
/// Every state but the dead one can be completed: a place is kept only while the calls that it stands in leave room for those that it still
/// needs. States that are known are found again until there are too many; then the table is emptied, and those in use go on to new ones.
/// </remarks>
internal sealed class Automaton
{
    /// <summary>How many states are remembered.</summary>
    public const int MaxStates = 1 << 14;

    // What the new states of one mask may take: some tenths of a second. Expressions that are in very many places at a time take more.
    private const int MaxWork = 1 << 20;

    private readonly Grammar _grammar;
    private readonly Dictionary<AutomatonState, AutomatonState> _states = new(new AutomatonState.Comparer());
    private readonly Dictionary<(StackFrame? Parent, int ReturnNode), StackFrame> _frames = [];
    private readonly Stack<(int Node, StackFrame? Frame)> _pending = [];
    private readonly HashSet<(int Node, StackFrame? Frame)> _seen = [];
    private readonly List<(int Node, StackFrame? Frame)> _places = [];
    private long _frameCount;
    private int _work;
    private AutomatonState? _start;

    public Automaton(Grammar grammar) => _grammar = grammar;

    /// <summary>The state of the empty text.</summary>
    public AutomatonState Start
    {
        get
        {
            if (_start is null)
            {
                _pending.Push((_grammar.Start, null));
                _start = Close();
            }

            return _start;
        }
    }

    /// <summary>How many states are remembered now.</summary>
    public int StateCount => _states.Count;

    /// <summary>Begins to count the work anew.</summary>
    public void BeginWork() => _work = 0;

    /// <summary>The state after one more byte.</summary>
    /// <exception cref="GenerationConstraintException">New states have taken too much work.</exception>
    public AutomatonState Step(AutomatonState state, byte value) => state.Next[_grammar.ByteClasses[value]] ?? Make(state, value);

    /// <summary>Whether one byte only can follow, and no end.</summary>
    public bool IsForced(AutomatonState state, out byte value)
    {
        value = 0;
        bool any = false;
        foreach ((int node, _) in state.IsAccepting ? [] : state.Places)
        {
            foreach (GrammarEdge edge in _grammar.Edges(node))
            {
                if (edge.First != edge.Last || (any && edge.First != value))
                {
                    return false;
                }

                (any, value) = (true, edge.First);
            }
        }

        return any;
    }

    /// <summary>Forgets all states; those that are still in use stay valid.</summary>
    public void Forget()
    {
        _states.Clear();
        _frames.Clear();
        _start = null;
    }

    private AutomatonState Make(AutomatonState state, byte value)
    {
        foreach ((int node, StackFrame? frame) in state.Places)
        {
            foreach (GrammarEdge edge in _grammar.Edges(node))
            {
                if (value >= edge.First && value <= edge.Last)
                {
                    _pending.Push((edge.Target, frame));
                }
            }
        }

        return state.Next[_grammar.ByteClasses[value]] = Close();
    }

    /// <summary>The state of the pending places and of all that are reached from them without a byte.</summary>
    private AutomatonState Close()
    {
        bool accepts = false;
        _seen.Clear();
        _places.Clear();
        while (_pending.TryPop(out (int Node, StackFrame? Frame) place))
        {
            (int node, StackFrame? frame) = place;
            if (_grammar.Need(node) + (frame?.Depth ?? 0) > Grammar.MaxDepth || !_seen.Add(place))
            {
                continue;
            }

            switch (_grammar[node].Kind)
            {
                case GrammarNodeKind.End when frame is null:
                    accepts = true;
                    break;
                case GrammarNodeKind.End:
                    _pending.Push((frame.ReturnNode, frame.Parent));
                    break;
                case GrammarNodeKind.Bytes:
                    _places.Add(place);
                    break;
                case GrammarNodeKind.Branch:
                    foreach (int branch in _grammar.Branches(node))
                    {
                        _pending.Push((branch, frame));
                    }

                    break;
                case GrammarNodeKind.Call:
                    (_, int rule, int next) = _grammar[node];
                    _pending.Push((_grammar.StartOf(rule), next == Grammar.End ? frame : FrameOf(frame, next)));      // a last call needs no frame
                    break;
            }
        }

        if ((_work += _seen.Count) > MaxWork)
        {
            throw new GenerationConstraintException("The constraint is too ambiguous: a text can stand in too many places of it at a time.", location: null);
        }

        _places.Sort(static (x, y) => x.Node != y.Node ? x.Node.CompareTo(y.Node) : (x.Frame?.Id ?? 0).CompareTo(y.Frame?.Id ?? 0));
        var made = new AutomatonState([.. _places], accepts, _grammar.ByteClassCount);
        if (_states.TryGetValue(made, out AutomatonState? known))
        {
            return known;
        }

        if (_states.Count >= MaxStates)
        {
            Forget();
        }

        _states.Add(made, made);
        return made;
    }

    private StackFrame FrameOf(StackFrame? parent, int returnNode)
    {
        if (!_frames.TryGetValue((parent, returnNode), out StackFrame? frame))
        {
            _frames.Add((parent, returnNode), frame = new(parent, returnNode, ++_frameCount));
        }

        return frame;
    }
}
