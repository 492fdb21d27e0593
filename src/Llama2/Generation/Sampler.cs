using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Llama2;

/// <summary>Chooses the next token of one sequence from its logits. Not thread-safe; one per request.</summary>
/// <remarks>
/// Given seed, settings and logits the token is the same on every machine: there is no sum whose order, and no function whose last bit, may
/// vary. Greedy is one pass over the logits; sampling is linear in the vocabulary as well (see <see cref="TokenDraw"/>), and so is each processor.
/// </remarks>
internal sealed class Sampler
{
    private readonly ILogitsProcessor[] _processors;
    private readonly TokenHistory _history;
    private readonly TokenDraw? _draw;          // null: greedy
    private readonly ConstraintCursor? _constraint;
    private readonly bool _mayForbid;           // what a constraint forces may be forbidden
    private readonly float[] _row;              // [vocabulary], the logits while processors change them
    private readonly int _vocabularySize;

    /// <param name="options">Effective settings: every one that has a default is filled in, the seed included.</param>
    /// <param name="tokenizer">Needed by bad words only; null where the checkpoint has none.</param>
    /// <param name="vocabularySize">Logits per row.</param>
    /// <param name="endOfTextIds">The ids that end a text, which <c>min_new_tokens</c> holds back.</param>
    /// <param name="prompt">The prompt's ids, at which the repetition penalty and n-gram rules look too.</param>
    /// <param name="constraint">Where the answer stands in its constraint; null where it has none.</param>
    /// <exception cref="ArgumentException">An id is beyond the vocabulary, or bad words lack a tokenizer.</exception>
    public Sampler(
        GenerationOptions options,
        LlamaTokenizer? tokenizer,
        int vocabularySize,
        IReadOnlyList<int> endOfTextIds,
        ReadOnlySpan<int> prompt,
        ConstraintCursor? constraint = null)
    {
        options = options.Effective();
        _vocabularySize = vocabularySize;
        RequireIds(options.StopTokenIds ?? [], "stop_token_ids");
        RequireIds(options.LogitBias?.Keys ?? [], "logit_bias");
        foreach (int id in prompt)
        {
            RequireId(id, "the prompt");
        }

        _constraint = constraint;
        _mayForbid = options.BadWords is { Count: > 0 } || options.LogitBias?.Values.Contains(float.NegativeInfinity) is true;
        _processors = CreateProcessors(options, tokenizer, vocabularySize, endOfTextIds, constraint);
        _row = _processors.Length > 0 ? new float[vocabularySize] : [];
        _history = new TokenHistory(prompt, options.MaxNewTokens ?? 0);
        if (options.DoSample == true)
        {
            _draw = new TokenDraw(options, options.Seed ?? throw new ArgumentException("seed is not set; sampling needs one.", nameof(options)));
        }

        foreach (ILogitsProcessor processor in _processors)
        {
            processor.Begin(_history);
        }
    }

    /// <summary>Takes the token that the constraint leaves no choice about, which needs no logits and no random number.</summary>
    /// <returns>Whether there was one.</returns>
    public bool TryForce(out int token)
    {
        token = _constraint is null || _mayForbid ? TokenMask.None : _constraint.Forced;
        if (token == TokenMask.None)
        {
            return false;
        }

        Accept(token);
        return true;
    }

    /// <summary>Chooses a token, remembers it, and leaves the logits as they are. Allocates nothing once warmed up.</summary>
    /// <exception cref="InvalidOperationException">The settings forbid every token, or the logits are not finite numbers.</exception>
    public int Next(ReadOnlySpan<float> logits)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(logits.Length, _vocabularySize);
        if (TryForce(out int forced))
        {
            return forced;
        }

        if (_processors.Length > 0)
        {
            logits.CopyTo(_row);
            foreach (ILogitsProcessor processor in _processors)
            {
                processor.Process(_row, _history);
            }

            logits = _row;
        }

        float max = Max(logits);
        int token = _draw is null ? IndexOf(logits, max) : _draw.Next(logits, max);
        Accept(token);
        return token;
    }

    /// <summary>Scores a token under plain softmax, with the likeliest <paramref name="top"/> beside it.</summary>
    /// <remarks>In double precision; of equally likely tokens the lower id comes first. Linear in the vocabulary for a small <paramref name="top"/>.</remarks>
    public static ScoredToken Score(ReadOnlySpan<float> logits, int token, int top)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(token, logits.Length);
        float max = Max(logits);
        double logTotal = Math.Log(TokenWeights.Sum(logits, max));
        var best = new PriorityQueue<int, ulong>();   // worst of the best on top
        for (int id = 0; id < logits.Length && top > 0; id++)
        {
            ulong rank = TokenWeights.Rank(logits[id], id);
            if (best.Count < top)
            {
                best.Enqueue(id, rank);
            }
            else if (best.TryPeek(out _, out ulong worst) && rank > worst)
            {
                best.DequeueEnqueue(id, rank);
            }
        }

        var likeliest = new TokenLogProbability[best.Count];
        for (int i = likeliest.Length - 1; i >= 0; i--)
        {
            likeliest[i] = LogProbability(logits, best.Dequeue());
        }

        return new ScoredToken(LogProbability(logits, token), likeliest);

        TokenLogProbability LogProbability(ReadOnlySpan<float> logits, int id) => new(id, (float)((double)logits[id] - max - logTotal));
    }

    // The order of transformers' GenerationMixin._get_logits_processor (the two penalties of OpenAI's interface, which it lacks, stand beside
    // its own); greedy stops here, and what follows for sampling is in TokenDraw.
    //   logit_bias                             SequenceBiasLogitsProcessor (single tokens)
    //   repetition_penalty                     RepetitionPenaltyLogitsProcessor
    //   presence_penalty, frequency_penalty    –
    //   no_repeat_ngram_size                   NoRepeatNGramLogitsProcessor
    //   bad_words                              NoBadWordsLogitsProcessor
    //   min_new_tokens                         MinNewTokensLengthLogitsProcessor
    //   constraint                             PrefixConstrainedLogitsProcessor
    private static ILogitsProcessor[] CreateProcessors(
        GenerationOptions options, LlamaTokenizer? tokenizer, int vocabularySize, IReadOnlyList<int> endOfTextIds, ConstraintCursor? constraint)
    {
        var processors = new List<ILogitsProcessor>();
        if (options.LogitBias is { Count: > 0 } biases)
        {
            processors.Add(new LogitBiasProcessor(biases));
        }

        if (options.RepetitionPenalty is float repetition and not 1)
        {
            processors.Add(new RepetitionPenaltyProcessor(repetition, options.RepetitionWindow ?? 0, vocabularySize));
        }

        if (options.PresencePenalty is not 0 || options.FrequencyPenalty is not 0)
        {
            processors.Add(new PresencePenaltyProcessor(options.PresencePenalty ?? 0, options.FrequencyPenalty ?? 0, vocabularySize));
        }

        if (options.NoRepeatNgramSize is > 0 and int size)
        {
            processors.Add(new NoRepeatNgramProcessor(size));
        }

        if (options.BadWords is { Count: > 0 } words)
        {
            tokenizer = tokenizer ?? throw new ArgumentException("bad_words need a tokenizer, and this model has none.", nameof(tokenizer));
            processors.Add(BadWordsProcessor.Create(words, tokenizer, vocabularySize));
        }

        if (options.MinNewTokens is > 0 and int minimum)
        {
            processors.Add(new MinNewTokensProcessor(minimum, endOfTextIds));
        }

        if (constraint is not null)
        {
            processors.Add(new ConstraintProcessor(constraint));
        }

        return [.. processors];
    }

    private void Accept(int token)
    {
        _history.Append(token);
        foreach (ILogitsProcessor processor in _processors)
        {
            processor.Accept(_history);
        }
    }

    private static float Max(ReadOnlySpan<float> logits)
    {
        float max = TensorPrimitives.Max(logits);   // exact in any order; NaN if one is
        return float.IsFinite(max) ? max : throw new InvalidOperationException(max == float.NegativeInfinity
            ? "Every token is forbidden: logit_bias, no_repeat_ngram_size, bad_words, min_new_tokens and the constraint leave none to choose."
            : "The logits are not finite numbers: the weights are damaged, or a logit_bias or repetition_penalty is too large or too small.");
    }

    // The first index of the maximum. Bits compare as values do here: Max returns +0 where both zeros are.
    private static int IndexOf(ReadOnlySpan<float> logits, float max) =>
        MemoryMarshal.Cast<float, int>(logits).IndexOf(BitConverter.SingleToInt32Bits(max));

    private void RequireIds(IEnumerable<int> ids, string name)
    {
        foreach (int id in ids)
        {
            RequireId(id, name);
        }
    }

    private void RequireId(int id, string name)
    {
        if ((uint)id >= (uint)_vocabularySize)
        {
            throw new ArgumentException($"{name} holds the id {id}; an id must be from 0 to {_vocabularySize - 1}.");
        }
    }
}
