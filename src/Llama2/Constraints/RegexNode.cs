namespace Llama2;

/// <summary>A part of a regular expression.</summary>
internal abstract record RegexNode
{
    /// <summary>One character of a set.</summary>
    public sealed record Character(RuneSet Set) : RegexNode;

    /// <summary>Parts one after the other; none is the empty text.</summary>
    public sealed record Sequence(IReadOnlyList<RegexNode> Parts) : RegexNode;

    /// <summary>One of several.</summary>
    public sealed record Alternation(IReadOnlyList<RegexNode> Alternatives) : RegexNode;

    /// <summary>A part, from <paramref name="Least"/> to <paramref name="Most"/> times; null is without end.</summary>
    public sealed record Repetition(RegexNode Part, int Least, int? Most) : RegexNode;

    /// <summary>Writes the part into a grammar.</summary>
    /// <param name="builder">The grammar.</param>
    /// <param name="spell">Writes a character of a set, before a node.</param>
    /// <param name="next">Where to go on.</param>
    /// <returns>Where to begin.</returns>
    public int Emit(GrammarBuilder builder, Func<RuneSet, int, int> spell, int next)
    {
        switch (this)
        {
            case Character character:
                return spell(character.Set, next);
            case Sequence sequence:
                for (int i = sequence.Parts.Count - 1; i >= 0; i--)
                {
                    next = sequence.Parts[i].Emit(builder, spell, next);
                }

                return next;
            case Alternation alternation:
                return builder.Any([.. alternation.Alternatives.Select(alternative => alternative.Emit(builder, spell, next))]);
            case Repetition repetition:
                return builder.Repeat(node => repetition.Part.Emit(builder, spell, node), repetition.Least, repetition.Most, next);
            default:
                throw new InvalidOperationException($"{GetType().Name} is no part of a regular expression.");
        }
    }
}
