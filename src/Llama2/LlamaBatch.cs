using System.Runtime.InteropServices;

namespace Llama2;

/// <summary>The tokens of one forward pass: pieces of any number of sequences, prompt chunks and single tokens mixed.</summary>
/// <remarks>Reused from step to step; adding allocates only while it grows. Not thread-safe.</remarks>
public sealed class LlamaBatch
{
    private readonly List<BatchPiece> _pieces = [];
    private readonly List<int> _tokens = [];

    /// <summary>Gets the pieces in the order they were added.</summary>
    public ReadOnlySpan<BatchPiece> Pieces => CollectionsMarshal.AsSpan(_pieces);

    /// <summary>Gets the token ids of all pieces, one after another.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>Gets the number of logit rows that the pass writes.</summary>
    public int LogitRowCount { get; private set; }

    /// <summary>Appends tokens to a sequence.</summary>
    /// <param name="cache">The sequence's cache; at most one piece per cache in a batch.</param>
    /// <param name="tokens">One or more ids, which take the positions after <see cref="KeyValueCache.Length"/>.</param>
    /// <param name="logits">The rows of logits that are wanted.</param>
    /// <param name="adapter">What stands beside the weights for these tokens: the one for all tokens of the cache, or <see langword="null"/> for the bare model.</param>
    public void Add(KeyValueCache cache, ReadOnlySpan<int> tokens, LogitRows logits, BackendAdapter? adapter = null)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentOutOfRangeException.ThrowIfZero(tokens.Length, nameof(tokens));
        foreach (BatchPiece piece in _pieces)
        {
            if (ReferenceEquals(piece.Cache, cache))
            {
                throw new ArgumentException("The batch holds a piece of this sequence already.", nameof(cache));
            }
        }

        _pieces.Add(new(cache, _tokens.Count, tokens.Length, logits, LogitRowCount, adapter));
        _tokens.AddRange(tokens);
        LogitRowCount += logits switch { LogitRows.All => tokens.Length, LogitRows.Last => 1, _ => 0 };
    }

    /// <summary>Empties the batch and keeps its memory.</summary>
    public void Clear()
    {
        _pieces.Clear();
        _tokens.Clear();
        LogitRowCount = 0;
    }

    /// <summary>Checks what is the same in every backend: that there are tokens, of the vocabulary, and room for them and for their logits.</summary>
    /// <param name="config">The shape of the model.</param>
    /// <param name="logits">The numbers that there is room for.</param>
    internal void Check(LlamaConfig config, int logits)
    {
        if (_tokens.Count == 0)
        {
            throw new ArgumentException("The batch is empty.");
        }

        if (logits < (long)LogitRowCount * config.VocabularySize)
        {
            throw new ArgumentException($"The batch wants {LogitRowCount} rows of {config.VocabularySize} logits; there is room for {logits} numbers.");
        }

        foreach (int token in Tokens)
        {
            if ((uint)token >= (uint)config.VocabularySize)
            {
                throw new ArgumentException($"Token {token} is not in the vocabulary of {config.VocabularySize}.");
            }
        }

        foreach (BatchPiece piece in Pieces)
        {
            if (piece.Count > piece.Cache.Capacity - piece.Cache.Length)
            {
                throw new ArgumentException($"The cache holds {piece.Cache.Length} of {piece.Cache.Capacity} tokens and cannot take {piece.Count} more.");
            }
        }
    }
}

/// <summary>The tokens of one sequence in a batch.</summary>
/// <param name="Cache">The sequence's cache.</param>
/// <param name="Start">Where its tokens begin in <see cref="LlamaBatch.Tokens"/>.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Logits">The rows of logits that are wanted.</param>
/// <param name="FirstLogitRow">Where they begin in the output.</param>
/// <param name="Adapter">What stands beside the weights for them, or <see langword="null"/> for the bare model.</param>
public readonly record struct BatchPiece(KeyValueCache Cache, int Start, int Count, LogitRows Logits, int FirstLogitRow, BackendAdapter? Adapter);

/// <summary>Which tokens of a piece get a row of logits.</summary>
public enum LogitRows
{
    /// <summary>None: a prompt chunk that others follow.</summary>
    None,

    /// <summary>The last one, to choose the next token.</summary>
    Last,

    /// <summary>All, to score a text or to check a draft.</summary>
    All,
}
