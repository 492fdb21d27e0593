namespace Llama2.DemoModel;

/// <summary>One piece of a production; <see cref="GrammarParser"/> documents the notation.</summary>
internal abstract record GrammarNode;

internal sealed record TextNode(string Text) : GrammarNode;

/// <summary><c>{a|b|c}</c>: one of several sequences, each as likely.</summary>
internal sealed record ChoiceNode(IReadOnlyList<GrammarNode[]> Options) : GrammarNode;

/// <summary><c>{modifier name:slot~}</c>: a draw from a list, a bound slot or a word of the person.</summary>
/// <param name="Name">The list or slot, or a literal verb after a verb modifier.</param>
/// <param name="Modifier">
/// What is done to the value: "a", "on", "at", "cap", "poss", the verb forms "v" (agrees with the person), "s", "past", "ing", or empty.
/// </param>
/// <param name="Slot">The slot that keeps the value, or <see langword="null"/>.</param>
/// <param name="Changeable">Whether a dialogue may first name another value and then correct it.</param>
internal sealed record ReferenceNode(string Name, string Modifier, string? Slot, bool Changeable) : GrammarNode;

/// <summary>One line of a list with its weight.</summary>
internal sealed record Production(int Weight, GrammarNode[] Nodes);
