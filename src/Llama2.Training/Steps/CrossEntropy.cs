using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace Llama2.Training;

/// <summary>loss = log Σ eˡ − l[target], row by row.</summary>
internal static unsafe class CrossEntropy
{
    private const int BlockRows = 8;

    /// <summary>Computes the losses and, in place of the logits, their gradient: dl = (softmax(l) − [target]) · scale.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="vocabulary">Columns.</param>
    /// <param name="logits">l: [rows, vocabulary]; overwritten by dl, or by values without meaning where scale is 0.</param>
    /// <param name="targets">[rows].</param>
    /// <param name="scale">What the loss of a row counts; 0 where nobody wants the gradient.</param>
    /// <param name="losses">[rows], not scaled.</param>
    public static void ForwardBackward(
        WorkerGroup workers, int rows, int vocabulary, float* logits, ReadOnlyMemory<int> targets, float scale, Memory<double> losses) =>
        workers.ForRows(rows, BlockRows, (first, count) =>
        {
            for (int row = first; row < first + count; row++)
            {
                float* values = logits + (nint)row * vocabulary;
                int target = targets.Span[row];
                float largest = TensorPrimitives.Max(new ReadOnlySpan<float>(values, vocabulary)), own = values[target];
                double sum = ExpInPlace(values, vocabulary, largest);
                losses.Span[row] = Math.Log(sum) + largest - own;
                if (scale != 0)
                {
                    ElementKernels.Scale(values, (float)(scale / sum), vocabulary);
                    values[target] -= scale;
                }
            }
        });

    /// <summary>values = e^(value − shift), and their sum.</summary>
    private static double ExpInPlace(float* values, int length, float shift)
    {
        Vector256<float> shifts = Vector256.Create(shift), sums = default;
        double sum = 0;
        int i = 0;
        for (; i + 8 <= length; i += 8)
        {
            Vector256<float> power = ElementKernels.Exp(Vector256.Load(values + i) - shifts);
            power.Store(values + i);
            sums += power;
        }

        for (; i < length; i++)
        {
            values[i] = ElementKernels.Exp(Vector256.Create(values[i] - shift))[0];
            sum += values[i];
        }

        for (int lane = 0; lane < 8; lane++)
        {
            sum += sums[lane];
        }

        return sum;
    }
}
