using System.Runtime.CompilerServices;
using System.Text;

namespace Llama2.Evaluation;

/// <summary>How surprised a model is by a text.</summary>
/// <param name="Tokens">The number of tokens that were predicted.</param>
/// <param name="NegativeLogLikelihood">−Σ ln p of those tokens, in nats.</param>
/// <param name="Bytes">The length of the text in UTF-8.</param>
public readonly record struct TextLikelihood(long Tokens, double NegativeLogLikelihood, long Bytes)
{
    /// <summary>Gets exp(−Σ ln p / tokens), at least 1; not a number where nothing was predicted.</summary>
    public double Perplexity => Math.Exp(MeanNegativeLogLikelihood);

    /// <summary>Gets −Σ ln p / tokens, the loss in nats; not a number where nothing was predicted.</summary>
    public double MeanNegativeLogLikelihood => NegativeLogLikelihood / Tokens;

    /// <summary>Gets −Σ log₂ p / bytes, which compares models with different tokenizers; not a number for an empty text.</summary>
    public double BitsPerByte => NegativeLogLikelihood / Math.Log(2) / Bytes;

    /// <summary>Adds two texts up.</summary>
    /// <param name="left">A text.</param>
    /// <param name="right">Another.</param>
    public static TextLikelihood operator +(TextLikelihood left, TextLikelihood right) => Add(left, right);

    /// <summary>Adds two texts up.</summary>
    /// <param name="left">A text.</param>
    /// <param name="right">Another.</param>
    public static TextLikelihood Add(TextLikelihood left, TextLikelihood right) =>
        new(left.Tokens + right.Tokens, left.NegativeLogLikelihood + right.NegativeLogLikelihood, left.Bytes + right.Bytes);
}

/// <summary>How surprised a model is by a corpus.</summary>
/// <param name="Total">All texts added up; its perplexity weights every token alike.</param>
/// <param name="Texts">Each text that has something to predict, in order.</param>
public sealed record PerplexityResult(TextLikelihood Total, IReadOnlyList<TextLikelihood> Texts)
{
    /// <summary>Gets the perplexity over all tokens.</summary>
    public double Perplexity => Total.Perplexity;

    /// <summary>Gets the mean of the texts' perplexities: the <c>mean_perplexity</c> of Hugging Face's <c>evaluate</c>.</summary>
    public double MeanPerplexity => Texts.Count > 0 ? Texts.Average(text => text.Perplexity) : double.NaN;

    /// <summary>Estimates how far <see cref="Perplexity"/> would vary with other texts of the same kind.</summary>
    /// <param name="options">How to resample, or <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no text, or an option is out of range.</exception>
    public ConfidenceInterval Interval(BootstrapOptions? options = null)
    {
        return Bootstrap.Interval(Texts.Count, Resampled, options);

        double Resampled(ReadOnlySpan<int> indices)
        {
            TextLikelihood sum = default;
            foreach (int index in indices)
            {
                sum += Texts[index];
            }

            return sum.Perplexity;
        }
    }
}

/// <summary>How to compute perplexity.</summary>
public sealed record PerplexityOptions
{
    /// <summary>Gets a value indicating whether the begin of text stands before each text, so that its first token is predicted too.</summary>
    /// <value>The default is <see langword="true"/>, which is what the model was trained with.</value>
    public bool AddBeginOfText { get; init; } = true;

    /// <summary>Gets the most tokens that the model sees at a time.</summary>
    /// <value>From 2 to the context length of the model, which is the default, <see langword="null"/>.</value>
    public int? Window { get; init; }

    /// <summary>Gets how far the window moves in a text that is longer. A short way costs time and gives every token more to go by.</summary>
    /// <value>From 1 to one less than the window. The default, <see langword="null"/>, is half the window.</value>
    public int? Stride { get; init; }
}

/// <summary>Computes perplexity, exp of the mean of −ln p(token | tokens before it), under a model that runs in this process.</summary>
/// <remarks>
/// A text longer than the window is read in overlapping windows; each token is counted once, in the first window that has it. Thread-safe.
/// </remarks>
/// <example>
/// <code>
/// using LlamaModel model = LlamaModel.Load("Llama-2-7b-hf");
/// PerplexityResult result = await new PerplexityScorer(model).EvaluateAsync(File.ReadLinesAsync("test.txt"));
/// Console.WriteLine(result.Perplexity);
/// </code>
/// </example>
public sealed class PerplexityScorer
{
    private readonly LlamaEngine _engine;
    private readonly LlamaTokenizer _tokenizer;
    private readonly bool _addBeginOfText;
    private readonly int _window;
    private readonly int _stride;

    /// <summary>Makes a scorer for a model.</summary>
    /// <param name="model">A model with a tokenizer; stays the caller's.</param>
    /// <param name="options">How to compute, or <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="InvalidOperationException">The checkpoint has no tokenizer.</exception>
    public PerplexityScorer(LlamaModel model, PerplexityOptions? options = null)
        : this(NotNull(model).Engine, model.Tokenizer, model.ContextLength, options)
    {
    }

    /// <summary>Makes a scorer for an engine.</summary>
    /// <param name="engine">The engine; stays the caller's.</param>
    /// <param name="tokenizer">The tokenizer of its model.</param>
    /// <param name="contextLength">The most tokens that the engine takes.</param>
    /// <param name="options">How to compute, or <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public PerplexityScorer(LlamaEngine engine, LlamaTokenizer tokenizer, int contextLength, PerplexityOptions? options = null)
    {
        options ??= new();
        (_engine, _tokenizer, _addBeginOfText) = (NotNull(engine), NotNull(tokenizer), options.AddBeginOfText);
        _window = options.Window ?? contextLength;
        _stride = options.Stride ?? _window / 2;
        if (_window < 2 || _window > contextLength)
        {
            throw new ArgumentOutOfRangeException(nameof(options), _window, $"PerplexityOptions.Window must be from 2 to {contextLength}.");
        }

        if (_stride < 1 || _stride >= _window)
        {
            throw new ArgumentOutOfRangeException(nameof(options), _stride, $"PerplexityOptions.Stride must be from 1 to {_window - 1}.");
        }
    }

    /// <summary>Scores a text.</summary>
    /// <param name="text">Any text; nothing is predicted of an empty one.</param>
    /// <param name="cancellationToken">Seen between windows and between chunks of them.</param>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<TextLikelihood> ScoreAsync(string text, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        int[] words = _tokenizer.Encode(text);
        int[] ids = _addBeginOfText ? [_tokenizer.BeginOfTextId, .. words] : words;
        (long tokens, double loss) = (0, 0);
        int known = 1;      // the first token of all has nothing before it
        for (int begin = 0; known < ids.Length; begin += _stride)
        {
            int end = Math.Min(begin + _window, ids.Length);
            IReadOnlyList<ScoredToken> scores = await _engine.ScoreAsync(ids[begin..end], cancellationToken: cancellationToken).ConfigureAwait(false);
            for (int i = known; i < end; i++)
            {
                loss -= scores[i - begin - 1].Token.LogProbability;     // scores begin with the second token
                tokens++;
            }

            known = end;
        }

        return new(tokens, loss, Encoding.UTF8.GetByteCount(text));
    }

    /// <summary>Scores texts one after the other.</summary>
    /// <param name="texts">The texts; read as they are needed.</param>
    /// <param name="progress">Told the sum so far after each text.</param>
    /// <param name="cancellationToken">Seen between windows and between chunks of them.</param>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<PerplexityResult> EvaluateAsync(
        IAsyncEnumerable<string> texts, IProgress<TextLikelihood>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var scored = new List<TextLikelihood>();
        TextLikelihood total = default;
        await foreach (string text in texts.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            TextLikelihood likelihood = await ScoreAsync(text, cancellationToken).ConfigureAwait(false);
            if (likelihood.Tokens > 0)
            {
                scored.Add(likelihood);
                total += likelihood;
                progress?.Report(total);
            }
        }

        return new(total, scored);
    }

    private static T NotNull<T>(T? value, [CallerArgumentExpression(nameof(value))] string? name = null)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(value, name);
        return value;
    }
}
