namespace Llama2;

/// <summary>A constraint on the tokens of one vocabulary: the masks of its states, each made once. Thread-safe; all requests with it share it.</summary>
internal sealed class TokenConstraint
{
    // Of a vocabulary of 32 000 about 4 KiB each; beyond this many the automaton's states, and their masks with them, are forgotten.
    private const int MaxMasks = 1 << 11;

    private readonly object _gate = new();
    private readonly Automaton _automaton;
    private readonly VocabularyTree _tree;
    private readonly LlamaTokenizer _tokenizer;
    private readonly int _vocabularySize;
    private readonly AutomatonState[] _path;             // scratch of a walk, by depth
    private TokenMask? _startMask;
    private int _maskCount;

    public TokenConstraint(Grammar grammar, VocabularyTree tree, LlamaTokenizer tokenizer, int vocabularySize)
    {
        (_automaton, _tree, _tokenizer, _vocabularySize) = (new(grammar), tree, tokenizer, vocabularySize);
        _path = new AutomatonState[tree.LongestText + 1];
    }

    public AutomatonState Start
    {
        get
        {
            lock (_gate)
            {
                return _automaton.Start;
            }
        }
    }

    /// <summary>The tokens that may come after a text.</summary>
    public TokenMask MaskOf(AutomatonState state)
    {
        lock (_gate)
        {
            if (state.Tokens is { } known)
            {
                return known;
            }

            CountMask();
            var mask = new TokenMask(_vocabularySize);
            int deepest = Walk(state, mask, 0, _tree.NodeCount, baseDepth: 0);
            if (deepest >= 0 && _tree.Depth(deepest) < ForcedBytes(state, _tree.LongestText))
            {
                mask.Forced = _tree.Ids(deepest)[0];
            }

            return state.Tokens = mask;
        }
    }

    /// <summary>The tokens that may come first: a space that begins a piece is the tokenizer's own and not part of the text.</summary>
    public TokenMask MaskOfStart()
    {
        lock (_gate)
        {
            if (!_tokenizer.AddDummyPrefix || _startMask is not null)
            {
                return _startMask ?? MaskOf(Start);
            }

            CountMask();
            var mask = new TokenMask(_vocabularySize);
            int space = _tree.Find((byte)' ');
            if (space < 0)
            {
                Walk(Start, mask, 0, _tree.NodeCount, baseDepth: 0);
                return _startMask = mask;
            }

            Walk(Start, mask, 0, space, baseDepth: 0);
            Walk(Start, mask, space + 1, _tree.End(space), baseDepth: 1);
            Walk(Start, mask, _tree.End(space), _tree.NodeCount, baseDepth: 0);
            bool mayBeSpace = !_automaton.Step(Start, (byte)' ').IsDead;
            foreach (int id in _tree.Ids(space))
            {
                if (mayBeSpace || DropsSpace(id))
                {
                    mask.Add(id);
                }
            }

            return _startMask = mask;
        }
    }

    /// <summary>The state after one more token.</summary>
    /// <exception cref="ArgumentException">The token may not come.</exception>
    public AutomatonState Step(AutomatonState state, int token, bool isFirst)
    {
        ReadOnlySpan<byte> bytes = token < _tokenizer.VocabularySize ? _tokenizer.GetBytes(token) : [];
        if (bytes.IsEmpty)
        {
            throw new ArgumentException($"The constraint does not allow the token {token}.", nameof(token));
        }

        lock (_gate)
        {
            foreach (byte value in isFirst && DropsSpace(token) ? bytes[1..] : bytes)
            {
                state = _automaton.Step(state, value);
                if (state.IsDead)
                {
                    throw new ArgumentException($"The constraint does not allow the token {token}.", nameof(token));
                }
            }

            return state;
        }
    }

    private bool DropsSpace(int token) =>
        _tokenizer.AddDummyPrefix && _tokenizer.GetBytes(token)[0] == ' ' && _tokenizer.GetKind(token) != TokenKind.Byte;

    /// <summary>Adds the tokens of a range of the tree that a state allows.</summary>
    /// <returns>The deepest node with a token among them, −1 if there is none.</returns>
    private int Walk(AutomatonState state, TokenMask mask, int first, int end, int baseDepth)
    {
        int deepest = -1;
        _path[0] = state;
        for (int node = first; node < end;)
        {
            int depth = _tree.Depth(node) - baseDepth;
            AutomatonState next = _automaton.Step(_path[depth], _tree.Value(node));
            if (next.IsDead)
            {
                node = _tree.End(node);
                continue;
            }

            _path[depth + 1] = next;
            ReadOnlySpan<int> ids = _tree.Ids(node);
            if (!ids.IsEmpty)
            {
                mask.AddRange(ids);
                deepest = deepest < 0 || _tree.Depth(node) > _tree.Depth(deepest) ? node : deepest;
            }

            node++;
        }

        return deepest;
    }

    /// <summary>How many bytes of what follows are certain.</summary>
    private int ForcedBytes(AutomatonState state, int most)
    {
        int count = 0;
        while (count < most && _automaton.IsForced(state, out byte value))
        {
            state = _automaton.Step(state, value);
            count++;
        }

        return count;
    }

    private void CountMask()
    {
        _automaton.BeginWork();
        if (++_maskCount > MaxMasks)
        {
            (_startMask, _maskCount) = (null, 1);
            _automaton.Forget();
        }
    }
}
