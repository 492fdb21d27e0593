using System.Runtime.Intrinsics;

namespace Llama2.Training;

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019).</summary>
/// <remarks>
/// m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; w ← w − rate · (decay · w + m̂ ÷ (√v̂ + ε)),
/// where m̂ = m ÷ (1 − β₁ᵗ) and v̂ = v ÷ (1 − β₂ᵗ) in step t.
/// </remarks>
internal sealed unsafe class AdamW(ParameterStore parameters, WorkerGroup workers, TrainingOptions options) : IDisposable
{
    private const int BlockLength = 1 << 14;
    private readonly AlignedMemory _means = new(parameters.Length * sizeof(float));
    private readonly AlignedMemory _squares = new(parameters.Length * sizeof(float));

    /// <summary>m of every parameter, in the store's layout.</summary>
    public float* Means => _means.Floats;

    /// <summary>v of every parameter, in the store's layout.</summary>
    public float* Squares => _squares.Floats;

    /// <summary>The length of all gradients as one vector; summed by blocks, so that the threads do not matter.</summary>
    public double GradientNorm()
    {
        int blocks = checked((int)((parameters.Length + BlockLength - 1) / BlockLength));
        double[] sums = new double[blocks];
        workers.For(blocks, (_, block) =>
        {
            long start = (long)block * BlockLength;
            float* gradients = parameters.Gradients + start;
            sums[block] = DotKernels.Dot(gradients, gradients, (int)Math.Min(BlockLength, parameters.Length - start));
        });
        return Math.Sqrt(sums.Sum());
    }

    /// <summary>Moves every parameter against its gradient, and clears the gradients.</summary>
    /// <param name="step">The step, from 0.</param>
    /// <param name="learningRate">The rate of this step.</param>
    /// <param name="gradientScale">What the gradients are multiplied by before, to clip them.</param>
    public void Step(long step, double learningRate, float gradientScale)
    {
        double meanCorrection = 1 - Math.Pow(options.AdamBeta1, step + 1), squareCorrection = 1 - Math.Pow(options.AdamBeta2, step + 1);
        foreach (Parameter parameter in parameters.Parameters)
        {
            bool decays = options.DecayNormsAndEmbeddings || parameter.Kind == ParameterKind.Matrix;
            var step32 = new AdamStep(
                (float)options.AdamBeta1, (float)options.AdamBeta2, (float)options.AdamEpsilon, gradientScale,
                (float)(learningRate / meanCorrection), (float)(1 / Math.Sqrt(squareCorrection)),
                decays ? (float)(1 - learningRate * options.WeightDecay) : 1);
            int blocks = checked((int)((parameter.Length + BlockLength - 1) / BlockLength));
            workers.For(blocks, (_, block) =>
            {
                long start = (long)block * BlockLength, at = parameter.Offset + start;
                step32.Apply(
                    parameters.Values + at, parameters.Gradients + at, Means + at, Squares + at, (int)Math.Min(BlockLength, parameter.Length - start));
            });
        }
    }

    public void Dispose()
    {
        _means.Dispose();
        _squares.Dispose();
    }

    private readonly record struct AdamStep(
        float MeanDecay, float SquareDecay, float Epsilon, float GradientScale, float Rate, float RootScale, float Shrink)
    {
        public void Apply(float* values, float* gradients, float* means, float* squares, int length)
        {
            int i = 0;
            for (; i + 8 <= length; i += 8)
            {
                Vector256<float> gradient = Vector256.Load(gradients + i) * GradientScale;
                Vector256<float> mean = Vector256.Load(means + i) * MeanDecay + gradient * (1 - MeanDecay);
                Vector256<float> square = Vector256.Load(squares + i) * SquareDecay + gradient * gradient * (1 - SquareDecay);
                Vector256<float> root = Vector256.Sqrt(square) * RootScale + Vector256.Create(Epsilon);
                (Vector256.Load(values + i) * Shrink - mean * Rate / root).Store(values + i);
                mean.Store(means + i);
                square.Store(squares + i);
                Vector256<float>.Zero.Store(gradients + i);
            }

            for (; i < length; i++)
            {
                float gradient = gradients[i] * GradientScale;
                means[i] = means[i] * MeanDecay + gradient * (1 - MeanDecay);
                squares[i] = squares[i] * SquareDecay + gradient * gradient * (1 - SquareDecay);
                values[i] = values[i] * Shrink - means[i] * Rate / (MathF.Sqrt(squares[i]) * RootScale + Epsilon);
                gradients[i] = 0;
            }
        }
    }
}
