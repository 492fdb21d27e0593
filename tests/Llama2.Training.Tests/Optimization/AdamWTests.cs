namespace Llama2.Training.Tests;

public sealed unsafe class AdamWTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_SeveralSteps_MatchesTheFormulaInDoublePrecision(bool decayAll)
    {
        var options = new TrainingOptions { WeightDecay = 0.1, DecayNormsAndEmbeddings = decayAll, AdamBeta1 = 0.8, AdamBeta2 = 0.95, AdamEpsilon = 1e-6 };
        using var store = new ParameterStore([(TensorNames.Embedding, 3, 5), ("model.norm.weight", 1, 11), ("some.matrix", 41, 1001)]);
        using var workers = new WorkerGroup(2);
        using var optimizer = new AdamW(store, workers, options);
        var random = new Random(3);
        double[] values = new double[store.Length], means = new double[store.Length], squares = new double[store.Length];
        for (int i = 0; i < store.Length; i++)
        {
            store.Values[i] = random.NextSingle() - 0.5f;
            values[i] = store.Values[i];
        }

        for (int step = 0; step < 3; step++)
        {
            const double Rate = 0.01;
            double sum = 0;
            for (int i = 0; i < store.Length; i++)
            {
                store.Gradients[i] = random.NextSingle() - 0.5f;
                sum += (double)store.Gradients[i] * store.Gradients[i];
                double gradient = store.Gradients[i] * 0.5;
                means[i] = 0.8 * means[i] + 0.2 * gradient;
                squares[i] = 0.95 * squares[i] + 0.05 * gradient * gradient;
                double move = means[i] / (1 - Math.Pow(0.8, step + 1)) / (Math.Sqrt(squares[i] / (1 - Math.Pow(0.95, step + 1))) + 1e-6);
                double decay = decayAll || i >= 15 + 11 ? 0.1 : 0;
                values[i] -= Rate * (decay * values[i] + move);
            }

            Assert.Equal(Math.Sqrt(sum), optimizer.GradientNorm(), 1e-4);
            optimizer.Step(step, Rate, gradientScale: 0.5f);
        }

        for (int i = 0; i < store.Length; i++)
        {
            Assert.Equal(values[i], store.Values[i], 2e-6);
            Assert.Equal(0, store.Gradients[i]);
        }
    }
}
