namespace Llama2;

/// <summary>The constraints that an engine has met, on its vocabulary, with the masks that were made so far. Thread-safe.</summary>
internal sealed class ConstraintCache
{
    /// <summary>How many constraints are kept; the one that was used longest ago goes first.</summary>
    public const int Capacity = 16;

    private readonly object _gate = new();
    private readonly LlamaTokenizer _tokenizer;
    private readonly int _vocabularySize;
    private readonly Lazy<VocabularyTree> _tree;
    private readonly OrderedDictionary<GenerationConstraint, TokenConstraint> _constraints = [];    // the latest used last

    /// <param name="tokenizer">Says what each id adds to a text.</param>
    /// <param name="vocabularySize">Logits per row.</param>
    public ConstraintCache(LlamaTokenizer tokenizer, int vocabularySize)
    {
        (_tokenizer, _vocabularySize) = (tokenizer, vocabularySize);
        _tree = new(CreateTree);
    }

    /// <exception cref="NotSupportedException">The vocabulary cannot spell every text.</exception>
    /// <exception cref="GenerationConstraintException">The constraint is too ambiguous.</exception>
    public TokenConstraint Get(GenerationConstraint constraint)
    {
        TokenConstraint? compiled;
        lock (_gate)
        {
            if (!_constraints.Remove(constraint, out compiled))
            {
                compiled = new(constraint.Grammar, _tree.Value, _tokenizer, _vocabularySize);
                if (_constraints.Count == Capacity)
                {
                    _constraints.RemoveAt(0);
                }
            }

            _constraints.Add(constraint, compiled);
        }

        _ = compiled.MaskOfStart();                      // what is too ambiguous fails here
        return compiled;
    }

    /// <summary>A text that no token goes on with could not be completed; with a token for every byte there is none.</summary>
    private VocabularyTree CreateTree()
    {
        var tree = new VocabularyTree(_tokenizer, _vocabularySize);
        for (int value = 0; value <= 0xF4; value++)
        {
            if (value is not (0xC0 or 0xC1) && tree.Find((byte)value) is var node && (node < 0 || tree.Ids(node).IsEmpty))
            {
                throw new NotSupportedException(
                    $"The constraint needs a vocabulary that can spell every text, but this one has no token for the byte 0x{value:X2}.");
            }
        }

        return tree;
    }
}
