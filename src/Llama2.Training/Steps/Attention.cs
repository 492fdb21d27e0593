using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace Llama2.Training;

/// <summary>Causal grouped-query attention: o = softmax(q · kᵀ ÷ √headSize) · v, each sequence for itself.</summary>
/// <remarks>
/// One task is one key-value head of one sequence with all query heads that share it. Queries are taken 48 at a time, with only the keys up to
/// the last of them; the probabilities are never stored but computed again on the way back from the logarithm of their sum.
/// </remarks>
internal sealed unsafe class Attention(LlamaConfig config, WorkerGroup workers) : IDisposable
{
    private const int BlockRows = 4 * TileKernels.Rows;
    private readonly int _headSize = config.HeadSize;
    private readonly int _group = config.HeadCount / config.KeyValueHeadCount;
    private readonly int _queryWidth = config.HeadCount * config.HeadSize;
    private readonly int _keyWidth = config.KeyValueHeadCount * config.HeadSize;
    private readonly float _scale = 1 / MathF.Sqrt(config.HeadSize);
    private readonly AttentionBuffers?[] _buffers = new AttentionBuffers?[workers.Threads];

    /// <summary>Columns of a row [queries | keys | values].</summary>
    public int Stride => _queryWidth + 2 * _keyWidth;

    /// <param name="batch">The sequences.</param>
    /// <param name="heads">[tokens, queries | keys | values], queries and keys turned already.</param>
    /// <param name="output">o: [tokens, heads · headSize].</param>
    /// <param name="logSums">log Σ eˢ of every row of scores: [tokens, heads], for the way back.</param>
    public void Forward(TrainingBatch batch, float* heads, float* output, float* logSums)
    {
        int longest = batch.LongestSegment;
        workers.For(batch.Segments.Length * config.KeyValueHeadCount, (worker, task) =>
        {
            AttentionBuffers buffers = Buffers(worker, longest);
            ((int start, int length), int shared) = (batch.Segments[task / config.KeyValueHeadCount], task % config.KeyValueHeadCount);
            float* keys = heads + (nint)start * Stride + _queryWidth + shared * _headSize, values = keys + _keyWidth;
            Panels.PackRows(keys, Stride, length, _headSize, TileKernels.Columns, buffers.KeysAsLanes);
            Panels.PackColumns(values, Stride, _headSize, length, TileKernels.Columns, buffers.ValuesAsDepth);
            for (int head = shared * _group; head < (shared + 1) * _group; head++)
            {
                for (int row = 0; row < length; row += BlockRows)
                {
                    int rows = Math.Min(BlockRows, length - row), past = row + rows;
                    nint token = start + row;

                    // s = q · kᵀ ÷ √headSize: [rows, past]
                    nint width = Scores(heads + token * Stride + head * _headSize, rows, past, buffers);

                    // p = softmax(s), each row up to its own position
                    for (int i = 0; i < rows; i++)
                    {
                        logSums[(token + i) * config.HeadCount + head] = Softmax(buffers.Scores + i * width, row + i + 1, past);
                    }

                    // o = p · v: [rows, headSize]
                    Panels.PackRows(buffers.Scores, width, rows, past, TileKernels.Rows, buffers.Left);
                    float* to = output + token * _queryWidth + head * _headSize;
                    Panels.Multiply(rows, _headSize, past, buffers.Left, buffers.ValuesAsDepth, length, to, _queryWidth, accumulate: false);
                }
            }
        });
    }

    /// <summary>dv = pᵀ · do; dp = do · vᵀ; ds = p · (dp − Σ do · o) ÷ √headSize; dq = ds · k; dk = dsᵀ · q.</summary>
    /// <param name="batch">The sequences.</param>
    /// <param name="heads">[tokens, queries | keys | values].</param>
    /// <param name="output">o: [tokens, heads · headSize].</param>
    /// <param name="logSums">[tokens, heads].</param>
    /// <param name="outputGradient">do: [tokens, heads · headSize].</param>
    /// <param name="headsGradient">[tokens, dq | dk | dv].</param>
    public void Backward(TrainingBatch batch, float* heads, float* output, float* logSums, float* outputGradient, float* headsGradient)
    {
        int longest = batch.LongestSegment;
        workers.For(batch.Segments.Length * config.KeyValueHeadCount, (worker, task) =>
        {
            AttentionBuffers buffers = Buffers(worker, longest);
            ((int start, int length), int shared) = (batch.Segments[task / config.KeyValueHeadCount], task % config.KeyValueHeadCount);
            nint own = (nint)start * Stride + _queryWidth + shared * _headSize;
            float* keys = heads + own, values = keys + _keyWidth, keysGradient = headsGradient + own, valuesGradient = keysGradient + _keyWidth;
            Panels.PackRows(keys, Stride, length, _headSize, TileKernels.Columns, buffers.KeysAsLanes);
            Panels.PackRows(values, Stride, length, _headSize, TileKernels.Columns, buffers.ValuesAsLanes);
            Panels.PackColumns(keys, Stride, _headSize, length, TileKernels.Columns, buffers.KeysAsDepth);
            Clear(keysGradient, length);
            Clear(valuesGradient, length);
            for (int head = shared * _group; head < (shared + 1) * _group; head++)
            {
                for (int row = 0; row < length; row += BlockRows)
                {
                    int rows = Math.Min(BlockRows, length - row), past = row + rows;
                    nint token = start + row, query = token * Stride + head * _headSize, attended = token * _queryWidth + head * _headSize;

                    // p = e^(s − log sum), again; dp = do · vᵀ; both [rows, past]
                    nint width = Scores(heads + query, rows, past, buffers);
                    Panels.PackRows(outputGradient + attended, _queryWidth, rows, _headSize, TileKernels.Rows, buffers.Left);
                    Panels.Multiply(
                        Panels.RoundUp(rows, TileKernels.Rows), (int)width, _headSize, buffers.Left, buffers.ValuesAsLanes, _headSize,
                        buffers.ScoresGradient, width, accumulate: false);
                    for (int i = 0; i < rows; i++)
                    {
                        float* o = output + attended + i * _queryWidth, gradient = outputGradient + attended + i * _queryWidth;
                        float logSum = logSums[(token + i) * config.HeadCount + head], mean = DotKernels.Dot(o, gradient, _headSize);
                        SoftmaxBackward(buffers.Scores + i * width, buffers.ScoresGradient + i * width, logSum, mean, row + i + 1, past);
                    }

                    // dq = ds · k: [rows, headSize]
                    Panels.PackRows(buffers.ScoresGradient, width, rows, past, TileKernels.Rows, buffers.Left);
                    Panels.Multiply(
                        rows, _headSize, past, buffers.Left, buffers.KeysAsDepth, length, headsGradient + query, Stride, accumulate: false);

                    // dk += dsᵀ · q and dv += pᵀ · do: [past, headSize]
                    AddTransposed(buffers.ScoresGradient, width, rows, past, heads + query, Stride, keysGradient, buffers);
                    AddTransposed(buffers.Scores, width, rows, past, outputGradient + attended, _queryWidth, valuesGradient, buffers);
                }
            }
        });
    }

    public void Dispose()
    {
        foreach (AttentionBuffers? buffers in _buffers)
        {
            buffers?.Dispose();
        }
    }

    /// <summary>scores = q · kᵀ without the scale, whole tiles; returns the distance of two rows.</summary>
    private nint Scores(float* queries, int rows, int past, AttentionBuffers buffers)
    {
        int width = Panels.RoundUp(past, TileKernels.Columns);
        Panels.PackRows(queries, Stride, rows, _headSize, TileKernels.Rows, buffers.Left);
        Panels.Multiply(
            Panels.RoundUp(rows, TileKernels.Rows), width, _headSize, buffers.Left, buffers.KeysAsLanes, _headSize,
            buffers.Scores, width, accumulate: false);
        return width;
    }

    /// <summary>Scales and softmaxes the first scores of a row, clears the rest, and returns the logarithm of the sum.</summary>
    private float Softmax(float* scores, int count, int past)
    {
        float largest = TensorPrimitives.Max(new ReadOnlySpan<float>(scores, count)) * _scale;
        Vector256<float> shift = Vector256.Create(largest), sums = default;
        float sum = 0;
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256<float> power = ElementKernels.Exp(Vector256.Load(scores + i) * _scale - shift);
            power.Store(scores + i);
            sums += power;
        }

        for (; i < count; i++)
        {
            scores[i] = ElementKernels.Exp(Vector256.Create(scores[i] * _scale - largest))[0];
            sum += scores[i];
        }

        sum += Vector256.Sum(sums);
        ElementKernels.Scale(scores, 1 / sum, count);
        new Span<float>(scores + count, past - count).Clear();
        return largest + MathF.Log(sum);
    }

    /// <summary>p = e^(s · scale − log sum) in place of s; ds = p · (dp − mean) · scale in place of dp; zeros behind the row's own position.</summary>
    private void SoftmaxBackward(float* scores, float* gradients, float logSum, float mean, int count, int past)
    {
        Vector256<float> logSums = Vector256.Create(logSum), means = Vector256.Create(mean);
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256<float> probability = ElementKernels.Exp(Vector256.Load(scores + i) * _scale - logSums);
            probability.Store(scores + i);
            (probability * (Vector256.Load(gradients + i) - means) * _scale).Store(gradients + i);
        }

        for (; i < count; i++)
        {
            scores[i] = ElementKernels.Exp(Vector256.Create(scores[i] * _scale - logSum))[0];
            gradients[i] = scores[i] * (gradients[i] - mean) * _scale;
        }

        new Span<float>(scores + count, past - count).Clear();
        new Span<float>(gradients + count, past - count).Clear();
    }

    /// <summary>sum[j] += Σ weights[i, j] · right[i] for j up to past.</summary>
    private void AddTransposed(
        float* weights, nint width, int rows, int past, float* right, nint rightStride, float* sum, AttentionBuffers buffers)
    {
        Panels.PackColumns(weights, width, past, rows, TileKernels.Rows, buffers.Left);
        Panels.PackColumns(right, rightStride, _headSize, rows, TileKernels.Columns, buffers.Right);
        Panels.Multiply(past, _headSize, rows, buffers.Left, buffers.Right, rows, sum, Stride, accumulate: true);
    }

    private void Clear(float* head, int length)
    {
        for (int token = 0; token < length; token++, head += Stride)
        {
            new Span<float>(head, _headSize).Clear();
        }
    }

    private AttentionBuffers Buffers(int worker, int length)
    {
        if (_buffers[worker] is not { } buffers || buffers.Length < length)
        {
            _buffers[worker]?.Dispose();
            _buffers[worker] = buffers = new AttentionBuffers(length, _headSize, BlockRows);
        }

        return buffers;
    }
}

/// <summary>What one thread needs for a sequence of up to <see cref="Length"/> tokens.</summary>
internal sealed unsafe class AttentionBuffers : IDisposable
{
    private readonly AlignedMemory _memory;

    public AttentionBuffers(int length, int headSize, int blockRows)
    {
        Length = length;
        long keys = Panels.RoundUp(length, TileKernels.Columns), lanes = Panels.RoundUp(length, TileKernels.Rows);
        long head = Panels.RoundUp(headSize, TileKernels.Columns), scores = blockRows * keys;
        long left = Math.Max(blockRows * Math.Max(keys, headSize), lanes * blockRows), right = blockRows * head;
        _memory = new AlignedMemory(((2 * keys * headSize) + (2 * length * head) + (2 * scores) + left + right) * sizeof(float));
        KeysAsLanes = _memory.Floats;
        ValuesAsLanes = KeysAsLanes + keys * headSize;
        KeysAsDepth = ValuesAsLanes + keys * headSize;
        ValuesAsDepth = KeysAsDepth + length * head;
        Scores = ValuesAsDepth + length * head;
        ScoresGradient = Scores + scores;
        Left = ScoresGradient + scores;
        Right = Left + left;
    }

    public int Length { get; }

    public float* KeysAsLanes { get; }                   // panels of 32 keys, depth headSize

    public float* ValuesAsLanes { get; }                 // panels of 32 values, depth headSize

    public float* KeysAsDepth { get; }                   // panels of 32 elements of the head, depth length

    public float* ValuesAsDepth { get; }                 // panels of 32 elements of the head, depth length

    public float* Scores { get; }                        // [blockRows, keys]

    public float* ScoresGradient { get; }                // [blockRows, keys]

    public float* Left { get; }                          // packed left operand

    public float* Right { get; }                         // packed right operand of the transposed products

    public void Dispose() => _memory.Dispose();
}
