namespace Llama2;

/// <summary>The forward pass on the CPU: a batch of tokens of any sequences through every block, then logits for the rows that are wanted.</summary>
/// <remarks>Owns the buffers of the pass, which grow to the largest batch and are reused. One caller at a time.</remarks>
internal sealed unsafe class CpuForwardPass : IDisposable
{
    private readonly LlamaConfig _config;
    private readonly CpuWeights _weights;
    private readonly WorkerGroup _workers;
    private readonly RotaryEmbedding _rotary;
    private readonly CpuBuffers _buffers;
    private readonly CpuProducts _products;
    private readonly CpuAttention _attention;
    private readonly Action<int, int> _rotateAndStore;
    private int _layer;

    public CpuForwardPass(LlamaConfig config, CpuWeights weights, WorkerGroup workers)
    {
        (_config, _weights, _workers, _rotateAndStore) = (config, weights, workers, RotateAndStore);
        _rotary = new RotaryEmbedding(config);
        _buffers = new CpuBuffers(config);
        _products = new CpuProducts(workers, weights.ScratchBytes);
        _attention = new CpuAttention(config, workers);
    }

    /// <summary>Told what every block leaves: to compare backends.</summary>
    public BlockOutput? BlockDone { get; set; }

    /// <summary>Runs the batch; the caller has checked it and reserved the caches.</summary>
    public void Run(LlamaBatch batch, float* logits)
    {
        int tokens = batch.Tokens.Length, hidden = _config.HiddenSize, ffn = _config.IntermediateSize;
        CpuBuffers b = _buffers;
        b.Prepare(batch, _rotary);
        _products.Prepare(batch);
        _attention.Prepare(batch);
        for (int token = 0; token < tokens; token++)
        {
            _weights.Embedding.ReadRow(batch.Tokens[token], new Span<float>(b.Hidden + (long)token * hidden, hidden));
        }

        for (_layer = 0; _layer < _weights.Layers.Length; _layer++)
        {
            CpuLayer layer = _weights.Layers[_layer];
            _products.Normalize(b.Hidden, layer.AttentionNorm, _config.RmsNormEpsilon, b.Normed, tokens);
            _products.Multiply(b.Normed, tokens, new CpuProduct(layer.Query, b.Query), new CpuProduct(layer.Key, b.Key), new CpuProduct(layer.Value, b.Value));
            _workers.For(b.Runs.Count * _config.KeyValueHeadCount, _rotateAndStore);
            _attention.Run(_layer, b.Query, b.Attended);
            _products.MultiplyAdd(b.Attended, tokens, new CpuProduct(layer.AttentionOutput, b.Hidden));

            _products.Normalize(b.Hidden, layer.FeedForwardNorm, _config.RmsNormEpsilon, b.Normed, tokens);
            _products.Multiply(b.Normed, tokens, new CpuProduct(layer.Gate, b.Gate), new CpuProduct(layer.Up, b.Up));
            _products.SwiGlu(b.Gate, b.Up, ffn, tokens);
            _products.MultiplyAdd(b.Gate, tokens, new CpuProduct(layer.Down, b.Hidden));
            BlockDone?.Invoke(_layer, new ReadOnlySpan<float>(b.Hidden, tokens * hidden));
        }

        int rows = b.GatherLogitRows(batch);
        if (rows > 0)
        {
            _products.Normalize(b.LogitRows, _weights.OutputNorm, _config.RmsNormEpsilon, b.Normed, rows);
            _products.Multiply(b.Normed, rows, new CpuProduct(_weights.Head, logits));
        }
    }

    public void Dispose()
    {
        _buffers.Dispose();
        _products.Dispose();
        _attention.Dispose();
    }

    /// <summary>Turns the queries and the keys of one run of tokens in one group of heads by their positions, and puts keys and values into their sequence's cache.</summary>
    /// <remarks>One thread stores what goes into one block, since a number may change how the block's others lie.</remarks>
    private void RotateAndStore(int worker, int item)
    {
        int run = Math.DivRem(item, _config.KeyValueHeadCount, out int head);
        (int first, int end) = _buffers.Runs[run];
        for (int token = first; token < end; token++)
        {
            RotateAndStoreToken(token, head);
        }
    }

    private void RotateAndStoreToken(int token, int head)
    {
        CpuBuffers b = _buffers;
        int size = _config.HeadSize, half = size / 2;
        int group = _config.HeadCount / _config.KeyValueHeadCount;
        float* cosines = b.Cosines + (long)token * half, sines = b.Sines + (long)token * half;
        float* queries = b.Query + ((long)token * _config.HeadCount + head * group) * size;
        for (int i = 0; i < group; i++)
        {
            ElementKernels.Rotate(queries + i * size, cosines, sines, half);
        }

        long offset = ((long)token * _config.KeyValueHeadCount + head) * size;
        ElementKernels.Rotate(b.Key + offset, cosines, sines, half);
        b.Caches[token].Store(_layer, head, b.Positions[token], new ReadOnlySpan<float>(b.Key + offset, size), new ReadOnlySpan<float>(b.Value + offset, size));
    }
}
