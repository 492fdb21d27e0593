using System.Text;

namespace Llama2;

/// <summary>Finds stop sequences in streamed text, across the borders of tokens, and holds back what may become one.</summary>
/// <remarks>
/// The sequence that is complete first wins, and of those complete at the same character the longest, however the text is cut into pieces.
/// What is held back is the longest end of the text that begins a sequence. An Aho–Corasick automaton: time is linear in the text and in the
/// sequences, for a state of the automaton is the held text. Not thread-safe; one per request.
/// </remarks>
internal sealed class StopSequenceMatcher
{
    private readonly Dictionary<(int State, char Next), int> _transitions = [];
    private readonly List<State> _states = [new State("", 0)];   // [0] holds nothing back
    private readonly StringBuilder _certain = new();
    private int _state;

    /// <param name="stopSequences">Texts of at least one character; none passes everything through.</param>
    public StopSequenceMatcher(IReadOnlyList<string> stopSequences)
    {
        foreach (string sequence in stopSequences)
        {
            ArgumentException.ThrowIfNullOrEmpty(sequence, nameof(stopSequences));
            AddPath(sequence);
        }

        LinkSuffixes();
    }

    /// <summary>The sequence that was found, or null.</summary>
    public string? Matched { get; private set; }

    /// <summary>Takes text and returns what is certain not to belong to a stop sequence; after a match, only what stands before it.</summary>
    public string Append(string text)
    {
        if (Matched is not null)
        {
            return "";
        }

        if (_states.Count == 1)
        {
            return text;
        }

        _certain.Clear();
        foreach (char next in text)
        {
            State held = _states[_state];
            _state = Step(_state, next);
            State now = _states[_state];
            int depth = now.Depth;
            if (now.Match is not null)
            {
                Matched = now.Match;
                depth = Matched.Length;                          // what stands before a shorter match is certain too
                _state = 0;
            }

            int certain = held.Depth + 1 - depth;
            _certain.Append(held.Sequence, 0, Math.Min(certain, held.Depth));
            if (certain > held.Depth)
            {
                _certain.Append(next);
            }

            if (Matched is not null)
            {
                break;
            }
        }

        return _certain.ToString();
    }

    /// <summary>Ends the stream and returns what was held back.</summary>
    public string Flush()
    {
        State held = _states[_state];
        _state = 0;
        return held.Sequence[..held.Depth];
    }

    private void AddPath(string sequence)
    {
        int state = 0;
        for (int depth = 1; depth <= sequence.Length; depth++)
        {
            (int State, char Next) edge = (state, sequence[depth - 1]);
            if (!_transitions.TryGetValue(edge, out state))
            {
                _transitions[edge] = state = _states.Count;
                _states.Add(new State(sequence, depth) { Parent = edge.State });
            }
        }

        _states[state].Match = sequence;
    }

    // The longest proper end of a state's text that begins a sequence too: found from the parent's, so shallow states come first.
    private void LinkSuffixes()
    {
        foreach (State state in _states.OrderBy(state => state.Depth))
        {
            if (state.Depth > 1)
            {
                state.Suffix = Step(_states[state.Parent].Suffix, state.Sequence[state.Depth - 1]);
                state.Match ??= _states[state.Suffix].Match;
            }
        }
    }

    private int Step(int state, char next)
    {
        int following;
        while (!_transitions.TryGetValue((state, next), out following) && state != 0)
        {
            state = _states[state].Suffix;
        }

        return following;
    }

    /// <summary>A text that begins a sequence: the first <paramref name="depth"/> characters of <paramref name="sequence"/>.</summary>
    private sealed class State(string sequence, int depth)
    {
        public string Sequence { get; } = sequence;

        public int Depth { get; } = depth;

        public int Parent { get; init; }

        public int Suffix { get; set; }

        public string? Match { get; set; }   // the longest sequence that ends here
    }
}
