namespace Llama2;

/// <summary>A range of bytes and the node after it.</summary>
internal readonly record struct GrammarEdge(byte First, byte Last, int Target);
