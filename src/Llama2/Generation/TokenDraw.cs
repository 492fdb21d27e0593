namespace Llama2;

/// <summary>Draws a token at random: temperature, top_k, top_p, min_p, typical_p in transformers' order, each on what the one before it left.</summary>
/// <remarks>
/// Every filter keeps the tokens from some rank up, finds that rank by selection rather than sorting (expected linear time), and leaves the kept
/// tokens in the order of their ids; the draw walks them in that order. Not thread-safe.
/// </remarks>
internal sealed class TokenDraw
{
    // Scratch of about 36 bytes per token of the vocabulary: per thread rather than per request, since one loop serves many requests.
    [ThreadStatic]
    private static TokenCandidates? _candidates;

    private readonly double _temperature;
    private readonly int _topK;
    private readonly double _topP;
    private readonly double _minP;
    private readonly double _typicalP;
    private SplitMix64 _random;

    /// <param name="options">Effective settings.</param>
    /// <param name="seed">What the draws depend on.</param>
    public TokenDraw(GenerationOptions options, long seed)
    {
        _temperature = options.Temperature!.Value;
        _topK = options.TopK!.Value;
        _topP = options.TopP!.Value;
        _minP = options.MinP!.Value;
        _typicalP = options.TypicalP!.Value;
        _random = new SplitMix64((ulong)seed);
    }

    /// <summary>Draws a token from logits with the finite maximum <paramref name="max"/>.</summary>
    public int Next(ReadOnlySpan<float> logits, float max)
    {
        TokenCandidates candidates = Filter(logits, max);
        ulong point = _random.Below(candidates.Total);
        int i = 0;
        for (; point >= candidates.Weights[i]; i++)
        {
            point -= candidates.Weights[i];
        }

        return candidates.Ids[i];
    }

    /// <summary>The tokens that may be drawn and their weights; valid until this thread's next call.</summary>
    internal TokenCandidates Filter(ReadOnlySpan<float> logits, float max)
    {
        TokenCandidates candidates = _candidates ??= new();
        candidates.Load(logits, max, _temperature);
        if (_topK > 0 && _topK < logits.Length)
        {
            candidates.KeepLikeliest(_topK);
        }

        candidates.Weigh();
        if (_topP < 1)
        {
            candidates.KeepMass(_topP);
        }

        if (_minP > 0)
        {
            candidates.KeepFrom(_minP);
        }

        if (_typicalP < 1)
        {
            candidates.KeepTypical(_typicalP);
        }

        return candidates;
    }
}
