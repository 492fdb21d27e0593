namespace Llama2;

/// <summary>Where one text stands in its constraint. Not thread-safe; one per request. Allocates nothing once the states are warm.</summary>
internal sealed class ConstraintCursor
{
    private readonly TokenConstraint _constraint;
    private readonly int[] _endIds;
    private readonly float[] _endLogits;
    private AutomatonState _state;
    private bool _atStart = true;

    /// <param name="constraint">The constraint.</param>
    /// <param name="endIds">The ids that end a text: they may come where the constraint is satisfied, and nowhere else.</param>
    public ConstraintCursor(TokenConstraint constraint, IEnumerable<int> endIds)
    {
        (_constraint, _endIds, _state) = (constraint, [.. endIds.Distinct()], constraint.Start);
        _endLogits = new float[_endIds.Length];
    }

    /// <summary>Whether the text satisfies the constraint and nothing may follow.</summary>
    public bool IsComplete => _state is { IsAccepting: true, CannotGoOn: true };

    /// <summary>The token that has to come; <see cref="TokenMask.None"/> where there is a choice, an end that may come included.</summary>
    public int Forced
    {
        get
        {
            int token = _atStart || IsComplete ? TokenMask.None : _constraint.MaskOf(_state).Forced;
            return _endIds.AsSpan().Contains(token) ? TokenMask.None : token;
        }
    }

    /// <summary>Forbids every token that may not come.</summary>
    public void Mask(Span<float> logits)
    {
        for (int i = 0; i < _endIds.Length; i++)
        {
            bool mayEnd = _state.IsAccepting && (uint)_endIds[i] < (uint)logits.Length;
            _endLogits[i] = mayEnd ? logits[_endIds[i]] : float.NegativeInfinity;
        }

        (_atStart ? _constraint.MaskOfStart() : _constraint.MaskOf(_state)).Apply(logits);
        for (int i = 0; i < _endIds.Length; i++)
        {
            if ((uint)_endIds[i] < (uint)logits.Length)    // a configuration may name an end that the vocabulary lacks
            {
                logits[_endIds[i]] = _endLogits[i];
            }
        }
    }

    /// <summary>Takes in the token that was chosen.</summary>
    /// <exception cref="ArgumentException">The token may not come.</exception>
    public void Accept(int token)
    {
        if (!_endIds.AsSpan().Contains(token))
        {
            _state = _constraint.Step(_state, token, _atStart);
            _atStart = false;
        }
    }
}
