namespace Llama2;

/// <summary>A call under way: where to go on after it, and the call that it stands in. Calls of an automaton with the same content are one object.</summary>
/// <param name="parent">The outer call; null at the outermost.</param>
/// <param name="returnNode">The node after the call.</param>
/// <param name="id">A number that orders frames.</param>
internal sealed class StackFrame(StackFrame? parent, int returnNode, long id)
{
    public StackFrame? Parent { get; } = parent;

    public int ReturnNode { get; } = returnNode;

    public long Id { get; } = id;

    public int Depth { get; } = parent is null ? 1 : parent.Depth + 1;
}
