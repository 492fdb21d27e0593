namespace Llama2;

/// <summary>One step of a grammar; <see cref="GrammarNodeKind"/> says what A and B are.</summary>
internal readonly record struct GrammarNode(GrammarNodeKind Kind, int A, int B);

/// <summary>What a node of a <see cref="Grammar"/> does.</summary>
internal enum GrammarNodeKind : byte
{
    /// <summary>The end of a rule.</summary>
    End,

    /// <summary>Takes a byte: edges <c>A..B</c> say which and where to.</summary>
    Bytes,

    /// <summary>Goes on at any of the branches <c>A..B</c>; with none of them it is a dead end.</summary>
    Branch,

    /// <summary>Goes through rule <c>A</c> and on at node <c>B</c>.</summary>
    Call,
}
