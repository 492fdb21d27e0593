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
    private readonly Action<int, int> _multiply, _rotateAndStore, _attend, _swiGlu;
    private readonly float _scale;                                       // 1 / √headSize keeps the scores' variance near 1

    // What the threads work on: set before a job, read by its items.
    private WeightMatrix _matrix;
    private float* _input, _output;
    private int _inputCount, _layer;

    public CpuForwardPass(LlamaConfig config, CpuWeights weights, WorkerGroup workers)
    {
        (_config, _weights, _workers, _matrix) = (config, weights, workers, weights.Embedding);
        (_multiply, _rotateAndStore, _attend, _swiGlu) = (MultiplyStripe, RotateAndStore, Attend, SwiGlu);
        _scale = 1 / MathF.Sqrt(config.HeadSize);
        _rotary = new RotaryEmbedding(config);
        _buffers = new CpuBuffers(config, workers.Threads, weights.Matrices.Max(matrix => matrix.ScratchFloats));
    }

    /// <summary>Runs the batch; the caller has checked it and reserved the caches.</summary>
    public void Run(LlamaBatch batch, float* logits)
    {
        int tokens = batch.Tokens.Length, hidden = _config.HiddenSize;
        CpuBuffers b = _buffers;
        b.Prepare(batch, _rotary);
        for (int token = 0; token < tokens; token++)
        {
            _weights.Embedding.ReadRow(batch.Tokens[token], new Span<float>(b.Hidden + (long)token * hidden, hidden));
        }

        for (_layer = 0; _layer < _weights.Layers.Length; _layer++)
        {
            CpuLayer layer = _weights.Layers[_layer];
            Norm(b.Hidden, layer.AttentionNorm, b.Normed, tokens);
            Multiply(layer.Query, b.Normed, tokens, b.Query);
            Multiply(layer.Key, b.Normed, tokens, b.Key);
            Multiply(layer.Value, b.Normed, tokens, b.Value);
            _workers.For(tokens, _rotateAndStore);
            _workers.For(tokens * _config.KeyValueHeadCount, _attend);
            Multiply(layer.AttentionOutput, b.Attended, tokens, b.Branch);
            AddToHidden(b.Branch, tokens);

            Norm(b.Hidden, layer.FeedForwardNorm, b.Normed, tokens);
            Multiply(layer.Gate, b.Normed, tokens, b.Gate);
            Multiply(layer.Up, b.Normed, tokens, b.Up);
            _workers.For(tokens, _swiGlu);
            Multiply(layer.Down, b.Gate, tokens, b.Branch);
            AddToHidden(b.Branch, tokens);
        }

        int rows = b.GatherLogitRows(batch);
        if (rows > 0)
        {
            Norm(b.Branch, _weights.OutputNorm, b.Normed, rows);
            Multiply(_weights.Head, b.Normed, rows, logits);
        }
    }

    public void Dispose() => _buffers.Dispose();

    private void Norm(float* input, AlignedMemory weight, float* output, int tokens)
    {
        int hidden = _config.HiddenSize;
        for (long token = 0; token < tokens; token++)
        {
            ElementKernels.RmsNorm(input + token * hidden, weight.Floats, _config.RmsNormEpsilon, output + token * hidden, hidden);
        }
    }

    private void Multiply(WeightMatrix matrix, float* input, int inputCount, float* output)
    {
        (_matrix, _inputCount) = (matrix, inputCount);
        _input = input;
        _output = output;
        _workers.For(matrix.Stripes, _multiply);
    }

    private void MultiplyStripe(int worker, int stripe) =>
        _matrix.MultiplyStripe(stripe, _input, _inputCount, _output, _buffers.Scratch(worker));

    private void AddToHidden(float* branch, int tokens)
    {
        long length = (long)tokens * _config.HiddenSize;
        ElementKernels.Add(branch, _buffers.Hidden, length);
    }

    /// <summary>Turns one token's queries and keys by its position and puts its keys and values into its sequence's cache.</summary>
    private void RotateAndStore(int worker, int token)
    {
        CpuBuffers b = _buffers;
        int size = _config.HeadSize, half = size / 2, position = b.Positions[token];
        float* cosines = b.Cosines + (long)token * half, sines = b.Sines + (long)token * half;
        float* query = b.Query + (long)token * _config.HeadCount * size;
        for (int head = 0; head < _config.HeadCount; head++)
        {
            ElementKernels.Rotate(query + head * size, cosines, sines, half);
        }

        float* key = b.Key + (long)token * _config.KeyValueHeadCount * size, value = b.Value + (long)token * _config.KeyValueHeadCount * size;
        for (int head = 0; head < _config.KeyValueHeadCount; head++)
        {
            ElementKernels.Rotate(key + head * size, cosines, sines, half);
            new ReadOnlySpan<float>(key + head * size, size).CopyTo(new Span<float>(b.Caches[token].Key(_layer, head, position), size));
            new ReadOnlySpan<float>(value + head * size, size).CopyTo(new Span<float>(b.Caches[token].Value(_layer, head, position), size));
        }
    }

    /// <summary>Attention of one token in one key-value head, for every query head of its group: softmax(q · kᵀ · scale) · v over the positions up to its own.</summary>
    private void Attend(int worker, int item)
    {
        CpuBuffers b = _buffers;
        int token = Math.DivRem(item, _config.KeyValueHeadCount, out int keyValueHead), size = _config.HeadSize;
        int group = _config.HeadCount / _config.KeyValueHeadCount, length = b.Positions[token] + 1;
        CpuKeyValueCache cache = b.Caches[token];
        float* scores = b.Scores(worker);
        for (int head = keyValueHead * group; head < (keyValueHead + 1) * group; head++)
        {
            long offset = ((long)token * _config.HeadCount + head) * size;
            float* query = b.Query + offset, attended = b.Attended + offset;
            for (int start = 0; start < length; start += CpuKeyValueCache.BlockTokens)
            {
                int count = Math.Min(CpuKeyValueCache.BlockTokens, length - start);
                DotKernels.Multiply(cache.Key(_layer, keyValueHead, start), count, query, 1, size, scores + start, 0);
            }

            ElementKernels.Scale(scores, _scale, length);
            ElementKernels.Softmax(scores, length);
            new Span<float>(attended, size).Clear();
            for (int position = 0; position < length; position++)
            {
                ElementKernels.AddScaled(scores[position], cache.Value(_layer, keyValueHead, position), attended, size);
            }
        }
    }

    private void SwiGlu(int worker, int token)
    {
        long offset = (long)token * _config.IntermediateSize;
        ElementKernels.SwiGlu(_buffers.Gate + offset, _buffers.Up + offset, _config.IntermediateSize);
    }
}
