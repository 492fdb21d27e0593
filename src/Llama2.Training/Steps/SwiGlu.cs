using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2.Training;

/// <summary>y = g · σ(g) · u (Shazeer 2020). Gate and up stand beside each other: a row is [g | u].</summary>
internal static unsafe class SwiGlu
{
    private const int BlockRows = 16;
    private const int Lanes = 8;

    /// <param name="workers">The threads.</param>
    /// <param name="tokens">Rows.</param>
    /// <param name="width">Columns of the output.</param>
    /// <param name="gateUp">[g | u]: [tokens, 2 · width].</param>
    /// <param name="output">y: [tokens, width].</param>
    public static void Forward(WorkerGroup workers, int tokens, int width, float* gateUp, float* output) =>
        workers.ForRows(tokens, BlockRows, (first, count) =>
        {
            for (int token = first; token < first + count; token++)
            {
                float* gate = gateUp + (nint)token * 2 * width, up = gate + width, y = output + (nint)token * width;
                int i = 0;
                for (; i + Lanes <= width; i += Lanes)
                {
                    Vector256<float> g = Vector256.Load(gate + i);
                    (g * Sigmoid(g) * Vector256.Load(up + i)).Store(y + i);
                }

                for (; i < width; i++)
                {
                    y[i] = gate[i] * Sigmoid(Vector256.Create(gate[i]))[0] * up[i];
                }
            }
        });

    /// <summary>dg = dy · u · σ(g) · (1 + g · (1 − σ(g))); du = dy · g · σ(g).</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="tokens">Rows.</param>
    /// <param name="width">Columns of the output.</param>
    /// <param name="gateUp">[g | u]: [tokens, 2 · width].</param>
    /// <param name="outputGradient">dy: [tokens, width].</param>
    /// <param name="gateUpGradient">[dg | du]: [tokens, 2 · width].</param>
    public static void Backward(WorkerGroup workers, int tokens, int width, float* gateUp, float* outputGradient, float* gateUpGradient) =>
        workers.ForRows(tokens, BlockRows, (first, count) =>
        {
            for (int token = first; token < first + count; token++)
            {
                float* gate = gateUp + (nint)token * 2 * width, up = gate + width, dy = outputGradient + (nint)token * width;
                float* gateGradient = gateUpGradient + (nint)token * 2 * width, upGradient = gateGradient + width;
                int i = 0;
                for (; i + Lanes <= width; i += Lanes)
                {
                    (Vector256<float> dg, Vector256<float> du) = Gradients(Vector256.Load(gate + i), Vector256.Load(up + i), Vector256.Load(dy + i));
                    dg.Store(gateGradient + i);
                    du.Store(upGradient + i);
                }

                for (; i < width; i++)
                {
                    (Vector256<float> dg, Vector256<float> du) = Gradients(Vector256.Create(gate[i]), Vector256.Create(up[i]), Vector256.Create(dy[i]));
                    (gateGradient[i], upGradient[i]) = (dg[0], du[0]);
                }
            }
        });

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> Gate, Vector256<float> Up) Gradients(Vector256<float> g, Vector256<float> u, Vector256<float> dy)
    {
        Vector256<float> sigmoid = Sigmoid(g);
        return (dy * u * sigmoid * (Vector256<float>.One + g * (Vector256<float>.One - sigmoid)), dy * g * sigmoid);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Sigmoid(Vector256<float> x) => Vector256<float>.One / (Vector256<float>.One + ElementKernels.Exp(-x));
}
