using System.Runtime.Intrinsics;

namespace Llama2.Training;

/// <summary>Turns the pairs (i, i + half) of every query and key head by position · frequency[i] (Su et al. 2021).</summary>
internal static unsafe class Rotary
{
    private const int BlockRows = 64;

    /// <param name="workers">The threads.</param>
    /// <param name="batch">The tokens with their positions.</param>
    /// <param name="angles">The cosines and sines of the positions.</param>
    /// <param name="heads">[tokens, stride]: the heads to turn stand first in every row.</param>
    /// <param name="headCount">How many heads to turn.</param>
    /// <param name="stride">Distance of two tokens.</param>
    public static void Forward(WorkerGroup workers, TrainingBatch batch, RotaryAngles angles, float* heads, int headCount, int stride) =>
        Turn(workers, batch, angles, heads, headCount, stride, direction: 1);

    /// <summary>The gradient turns back: the inverse of a rotation is its transpose.</summary>
    /// <inheritdoc cref="Forward"/>
    public static void Backward(WorkerGroup workers, TrainingBatch batch, RotaryAngles angles, float* heads, int headCount, int stride) =>
        Turn(workers, batch, angles, heads, headCount, stride, direction: -1);

    private static void Turn(WorkerGroup workers, TrainingBatch batch, RotaryAngles angles, float* heads, int headCount, int stride, float direction) =>
        workers.ForRows(batch.Tokens.Length, BlockRows, (first, count) =>
        {
            int half = angles.Half;
            for (int token = first; token < first + count; token++)
            {
                float* cosines = angles.Cosines(batch.Positions[token]), sines = angles.Sines(batch.Positions[token]);
                float* head = heads + (nint)token * stride;
                for (int h = 0; h < headCount; h++, head += 2 * half)
                {
                    TurnHead(head, cosines, sines, half, direction);
                }
            }
        });

    private static void TurnHead(float* head, float* cosines, float* sines, int half, float direction)
    {
        int i = 0;
        for (; i + 8 <= half; i += 8)
        {
            Vector256<float> x = Vector256.Load(head + i), y = Vector256.Load(head + half + i);
            Vector256<float> cosine = Vector256.Load(cosines + i), sine = Vector256.Load(sines + i) * direction;
            (x * cosine - y * sine).Store(head + i);
            (y * cosine + x * sine).Store(head + half + i);
        }

        for (; i < half; i++)
        {
            float x = head[i], y = head[half + i], sine = sines[i] * direction;
            head[i] = x * cosines[i] - y * sine;
            head[half + i] = y * cosines[i] + x * sine;
        }
    }
}

/// <summary>The cosines and sines of the first positions, as many as the longest sequence so far has.</summary>
internal sealed unsafe class RotaryAngles(LlamaConfig config) : IDisposable
{
    private readonly RotaryEmbedding _embedding = new(config);
    private AlignedMemory _cosines = new(0);
    private AlignedMemory _sines = new(0);
    private int _count;

    public int Half { get; } = config.HeadSize / 2;

    public float* Cosines(int position) => _cosines.Floats + (nint)position * Half;

    public float* Sines(int position) => _sines.Floats + (nint)position * Half;

    public void Reserve(int positions)
    {
        if (positions <= _count)
        {
            return;
        }

        int length = checked(positions * Half);
        AlignedMemory.Reserve(ref _cosines, length * (long)sizeof(float));
        AlignedMemory.Reserve(ref _sines, length * (long)sizeof(float));
        _count = positions;
        _embedding.Fill(0, positions, new Span<float>(_cosines.Floats, length), new Span<float>(_sines.Floats, length));
    }

    public void Dispose()
    {
        _cosines.Dispose();
        _sines.Dispose();
    }
}
