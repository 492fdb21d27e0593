using System.Numerics.Tensors;

namespace Llama2.Training;

/// <summary>y = x · r · w with r = 1 ÷ √(mean of x² + ε), row by row (Zhang and Sennrich 2019).</summary>
internal static unsafe class RmsNorm
{
    private const int BlockRows = 64;

    /// <param name="workers">The threads.</param>
    /// <param name="tokens">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="input">x: [tokens, width].</param>
    /// <param name="weight">w: [width].</param>
    /// <param name="output">y: [tokens, width].</param>
    /// <param name="scales">r: [tokens], for the way back.</param>
    public static void Forward(WorkerGroup workers, int tokens, int width, float epsilon, float* input, float* weight, float* output, float* scales) =>
        workers.ForRows(tokens, BlockRows, (first, count) =>
        {
            var w = new ReadOnlySpan<float>(weight, width);
            for (int token = first; token < first + count; token++)
            {
                float* x = input + (nint)token * width;
                var y = new Span<float>(output + (nint)token * width, width);
                scales[token] = 1 / MathF.Sqrt(DotKernels.Dot(x, x, width) / width + epsilon);
                TensorPrimitives.Multiply(new ReadOnlySpan<float>(x, width), scales[token], y);
                TensorPrimitives.Multiply(y, w, y);
            }
        });

    /// <summary>
    /// dw += Σ dy · x · r over the tokens; dx += r · (g − x · r² · mean of g · x) with g = dy · w, since r depends on every x of its row.
    /// </summary>
    /// <param name="workers">The threads.</param>
    /// <param name="tokens">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="input">x: [tokens, width].</param>
    /// <param name="weight">w: [width].</param>
    /// <param name="scales">r: [tokens].</param>
    /// <param name="outputGradient">dy: [tokens, width]; overwritten.</param>
    /// <param name="inputGradient">dx: [tokens, width].</param>
    /// <param name="weightGradient">dw: [width], or null where the weight is frozen.</param>
    public static void Backward(
        WorkerGroup workers, int tokens, int width, float* input, float* weight, float* scales,
        float* outputGradient, float* inputGradient, float* weightGradient)
    {
        int blocks = (tokens + BlockRows - 1) / BlockRows;
        float[] partial = new float[weightGradient is null ? 0 : blocks * width];       // [blocks, width], summed in order below
        workers.ForRows(tokens, BlockRows, (first, count) =>
        {
            var w = new ReadOnlySpan<float>(weight, width);
            Span<float> sum = weightGradient is null ? default : partial.AsSpan(first / BlockRows * width, width);
            for (int token = first; token < first + count; token++)
            {
                float* x = input + (nint)token * width, g = outputGradient + (nint)token * width, dx = inputGradient + (nint)token * width;
                float scale = scales[token];
                for (int i = 0; i < sum.Length; i++)
                {
                    sum[i] += g[i] * x[i] * scale;
                }

                var gradient = new Span<float>(g, width);
                TensorPrimitives.Multiply(gradient, w, gradient);
                float common = -DotKernels.Dot(g, x, width) / width * scale * scale * scale;
                ElementKernels.AddScaled(scale, g, dx, width);
                ElementKernels.AddScaled(common, x, dx, width);
            }
        });

        if (weightGradient is not null)
        {
            var total = new Span<float>(weightGradient, width);
            for (int block = 0; block < blocks; block++)
            {
                TensorPrimitives.Add(total, partial.AsSpan(block * width, width), total);
            }
        }
    }
}
