using System.Text;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Follows a constraint without a model: random tokens among those that are allowed.</summary>
internal sealed class ConstraintWalk
{
    private const int EndOfText = 2;

    private readonly GenerationConstraint _constraint;
    private readonly LlamaTokenizer _tokenizer;
    private readonly TokenConstraint _onVocabulary;
    private readonly int[] _closers;

    public ConstraintWalk(GenerationConstraint constraint, LlamaTokenizer? tokenizer = null)
    {
        (_constraint, _tokenizer) = (constraint, tokenizer ?? Tokenizer);
        _onVocabulary = new ConstraintCache(_tokenizer, _tokenizer.VocabularySize).Get(constraint);
        _closers = [.. Enumerable.Range(0, _tokenizer.VocabularySize).Where(id => _tokenizer.GetBytes(id) is [(byte)'"' or (byte)'}' or (byte)']' or (byte)','])];
    }

    /// <summary>Every byte, the letters, and runs of letters.</summary>
    public static LlamaTokenizer Tokenizer { get; } = TinyModels.Create().LoadTokenizer()!;

    public TokenConstraint OnVocabulary => _onVocabulary;

    /// <summary>Whether a text satisfies a constraint.</summary>
    public static bool Accepts(GenerationConstraint constraint, string text)
    {
        var automaton = new Automaton(constraint.Grammar);
        return Encoding.UTF8.GetBytes(text).Aggregate(automaton.Start, automaton.Step).IsAccepting;
    }

    /// <summary>A text that satisfies the constraint, or null where it is not whole after so many tokens.</summary>
    /// <param name="random">Draws the tokens, those that close something more often, so that texts get done.</param>
    /// <param name="mostTokens">The most tokens.</param>
    /// <param name="visit">Sees the text so far before each token.</param>
    public string? Text(Random random, int mostTokens = 600, Action<IReadOnlyList<int>, ConstraintCursor>? visit = null)
    {
        var cursor = new ConstraintCursor(_onVocabulary, [EndOfText]);
        var ids = new List<int>();
        float[] logits = new float[_tokenizer.VocabularySize];
        while (!cursor.IsComplete)
        {
            visit?.Invoke(ids, cursor);
            Array.Clear(logits);
            cursor.Mask(logits);
            int token = cursor.Forced is >= 0 and int forced && random.Next(2) == 0 ? forced : Choose(logits, random);
            if (ids.Count == mostTokens)
            {
                return null;
            }

            if (token == EndOfText)
            {
                break;
            }

            ids.Add(token);
            cursor.Accept(token);
        }

        string text = _tokenizer.Decode([.. ids]);
        Assert.True(Accepts(_constraint, text), $"'{text}' against {_constraint}");
        return text;
    }

    private int Choose(float[] logits, Random random)
    {
        if (random.Next(3) == 0 && _closers.Where(id => logits[id] == 0).ToArray() is { Length: > 0 } closers)
        {
            return closers[random.Next(closers.Length)];
        }

        int[] allowed = [.. Enumerable.Range(0, logits.Length).Where(id => logits[id] == 0)];
        Assert.NotEmpty(allowed);
        return allowed[random.Next(allowed.Length)];
    }
}
