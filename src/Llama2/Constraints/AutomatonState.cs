namespace Llama2;

/// <summary>What may follow a text: the places in a <see cref="Grammar"/> where it can stand. Its links are filled in by <see cref="Automaton"/>.</summary>
internal sealed class AutomatonState
{
    public AutomatonState((int Node, StackFrame? Frame)[] places, bool isAccepting, int byteClasses) =>
        (Places, IsAccepting, Next) = (places, isAccepting, new AutomatonState?[byteClasses]);

    /// <summary>Gets the nodes that take a byte, each with the calls that it stands in, in order.</summary>
    public (int Node, StackFrame? Frame)[] Places { get; }

    /// <summary>Gets whether the text may end here.</summary>
    public bool IsAccepting { get; }

    /// <summary>Gets whether no text goes on from here.</summary>
    public bool CannotGoOn => Places.Length == 0;

    /// <summary>Gets whether no text comes to or goes on from here.</summary>
    public bool IsDead => CannotGoOn && !IsAccepting;

    /// <summary>Gets the states after a byte, by its class; null where it is not known yet.</summary>
    public AutomatonState?[] Next { get; }

    /// <summary>Gets or sets the tokens that may come; null where that is not known yet.</summary>
    public TokenMask? Tokens { get; set; }

    /// <summary>Compares by content.</summary>
    public sealed class Comparer : IEqualityComparer<AutomatonState>
    {
        public bool Equals(AutomatonState? x, AutomatonState? y) =>
            ReferenceEquals(x, y) || (x is not null && y is not null && x.IsAccepting == y.IsAccepting && x.Places.AsSpan().SequenceEqual(y.Places));

        public int GetHashCode(AutomatonState state)
        {
            var hash = new HashCode();
            hash.Add(state.IsAccepting);
            foreach ((int node, StackFrame? frame) in state.Places)
            {
                hash.Add(node);
                hash.Add(frame?.Id ?? 0);
            }

            return hash.ToHashCode();
        }
    }
}
