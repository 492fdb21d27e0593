namespace Llama2.Training;

/// <summary>What the way back needs of one block's forward pass.</summary>
internal sealed unsafe class BlockActivations(LlamaConfig config, int tokens) : IDisposable
{
    private readonly ActivationArray _normed = new(tokens, config.HiddenSize);
    private readonly ActivationArray _normScales = new(tokens, 1);
    private readonly ActivationArray _heads = new(tokens, (config.HeadCount + 2 * config.KeyValueHeadCount) * config.HeadSize);
    private readonly ActivationArray _attended = new(tokens, config.HeadCount * config.HeadSize);
    private readonly ActivationArray _logSums = new(tokens, config.HeadCount);
    private readonly ActivationArray _middle = new(tokens, config.HiddenSize);
    private readonly ActivationArray _middleNormed = new(tokens, config.HiddenSize);
    private readonly ActivationArray _middleNormScales = new(tokens, 1);
    private readonly ActivationArray _gateUp = new(tokens, 2 * config.IntermediateSize);
    private readonly ActivationArray _gated = new(tokens, config.IntermediateSize);

    public float* Normed => _normed.Start;                       // [tokens, hidden]

    public float* NormScales => _normScales.Start;               // [tokens]

    public float* Heads => _heads.Start;                         // [tokens, queries | keys | values], turned

    public float* Attended => _attended.Start;                   // [tokens, heads · headSize]

    public float* LogSums => _logSums.Start;                     // [tokens, heads]

    public float* Middle => _middle.Start;                       // [tokens, hidden]: the residual stream between attention and feed-forward

    public float* MiddleNormed => _middleNormed.Start;           // [tokens, hidden]

    public float* MiddleNormScales => _middleNormScales.Start;   // [tokens]

    public float* GateUp => _gateUp.Start;                       // [tokens, gate | up]

    public float* Gated => _gated.Start;                         // [tokens, ffn]

    public void Dispose()
    {
        foreach (ActivationArray array in new[]
            { _normed, _normScales, _heads, _attended, _logSums, _middle, _middleNormed, _middleNormScales, _gateUp, _gated })
        {
            array.Dispose();
        }
    }
}

/// <summary>The gradients of one block's activations; blocks use them one after another.</summary>
internal sealed unsafe class BlockGradients(LlamaConfig config, int tokens) : IDisposable
{
    private readonly ActivationArray _residual = new(tokens, config.HiddenSize);
    private readonly ActivationArray _normed = new(tokens, config.HiddenSize);
    private readonly ActivationArray _heads = new(tokens, (config.HeadCount + 2 * config.KeyValueHeadCount) * config.HeadSize);
    private readonly ActivationArray _attended = new(tokens, config.HeadCount * config.HeadSize);
    private readonly ActivationArray _gateUp = new(tokens, 2 * config.IntermediateSize);
    private readonly ActivationArray _gated = new(tokens, config.IntermediateSize);

    public float* Residual => _residual.Start;                   // [tokens, hidden]: of the block's output, and in the end of its input

    public float* Normed => _normed.Start;                       // [tokens, hidden]

    public float* Heads => _heads.Start;                         // [tokens, queries | keys | values]

    public float* Attended => _attended.Start;                   // [tokens, heads · headSize]

    public float* GateUp => _gateUp.Start;                       // [tokens, gate | up]

    public float* Gated => _gated.Start;                         // [tokens, ffn]

    public void Dispose()
    {
        foreach (ActivationArray array in new[] { _residual, _normed, _heads, _attended, _gateUp, _gated })
        {
            array.Dispose();
        }
    }
}

/// <summary>[rows, columns] floats.</summary>
internal sealed unsafe class ActivationArray(int rows, int columns) : IDisposable
{
    private readonly AlignedMemory _memory = new((long)rows * columns * sizeof(float));

    public float* Start => _memory.Floats;

    public void Dispose() => _memory.Dispose();
}

/// <summary>All buffers of a model for batches of up to <see cref="Tokens"/> tokens.</summary>
internal sealed unsafe class Activations : IDisposable
{
    private readonly ActivationArray[] _residuals;
    private readonly BlockActivations[] _blocks;

    /// <param name="config">The shape.</param>
    /// <param name="tokens">Room for so many tokens.</param>
    /// <param name="keepAll">Whether every block keeps its own; otherwise all share one set, and only the residual streams are kept.</param>
    public Activations(LlamaConfig config, int tokens, bool keepAll)
    {
        Tokens = tokens;
        _residuals = [.. Enumerable.Range(0, config.LayerCount + 1).Select(_ => new ActivationArray(tokens, config.HiddenSize))];
        _blocks = [.. Enumerable.Range(0, keepAll ? config.LayerCount : 1).Select(_ => new BlockActivations(config, tokens))];
        Gradients = new BlockGradients(config, tokens);
        Targets = new HeadActivations(config, tokens);
    }

    public int Tokens { get; }

    public BlockGradients Gradients { get; }

    public HeadActivations Targets { get; }

    public BlockActivations Block(int layer) => _blocks[layer % _blocks.Length];

    /// <summary>The residual stream that enters a block, or that leaves the last one: [tokens, hidden].</summary>
    public float* Residual(int layer) => _residuals[layer].Start;

    public void Dispose()
    {
        Array.ForEach(_residuals, residual => residual.Dispose());
        Array.ForEach(_blocks, block => block.Dispose());
        Gradients.Dispose();
        Targets.Dispose();
    }
}

/// <summary>The rows behind which a prediction counts, on their way through the last norm and the head.</summary>
internal sealed unsafe class HeadActivations(LlamaConfig config, int tokens) : IDisposable
{
    private readonly ActivationArray _residual = new(tokens, config.HiddenSize);
    private readonly ActivationArray _residualGradient = new(tokens, config.HiddenSize);
    private readonly ActivationArray _normed = new(tokens, config.HiddenSize);
    private readonly ActivationArray _normedGradient = new(tokens, config.HiddenSize);
    private readonly ActivationArray _normScales = new(tokens, 1);
    private readonly ActivationArray _logits = new(Math.Min(tokens, LogitRows(config)), config.VocabularySize);

    public float* Residual => _residual.Start;                   // [targets, hidden]

    public float* ResidualGradient => _residualGradient.Start;   // [targets, hidden]

    public float* Normed => _normed.Start;                       // [targets, hidden]

    public float* NormedGradient => _normedGradient.Start;       // [targets, hidden]

    public float* NormScales => _normScales.Start;               // [targets]

    public float* Logits => _logits.Start;                       // [LogitRows, vocabulary]

    /// <summary>How many rows of logits exist at a time: 4 MiB of them, but not so few that the head would be packed for nothing.</summary>
    public static int LogitRows(LlamaConfig config) => Math.Max((1 << 20) / config.VocabularySize, 256);

    public void Dispose()
    {
        foreach (ActivationArray array in new[] { _residual, _residualGradient, _normed, _normedGradient, _normScales, _logits })
        {
            array.Dispose();
        }
    }
}
