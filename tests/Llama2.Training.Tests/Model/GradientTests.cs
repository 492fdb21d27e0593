using Llama2.Testing;

namespace Llama2.Training.Tests;

/// <summary>The backward pass against finite differences of the double-precision reference model.</summary>
public sealed unsafe class GradientTests
{
    public static TheoryData<string> Kinds => [.. new[]
    {
        TensorNames.Embedding, TensorNames.AttentionNorm(1), TensorNames.Query(0), TensorNames.Key(0), TensorNames.Value(0), TensorNames.AttentionOutput(0),
        TensorNames.FeedForwardNorm(0), TensorNames.Gate(1), TensorNames.Up(0), TensorNames.Down(0), TensorNames.OutputNorm, TensorNames.Head,
    }];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Run_EveryKindOfParameter_GradientMatchesFiniteDifferences(string name) => AssertGradient(SmallModels.Odd, name);

    [Theory]
    [InlineData(TensorNames.Embedding)]
    [InlineData("model.layers.0.self_attn.k_proj.weight")]
    public void Run_TiedHeadAndScaledPositions_GradientMatchesFiniteDifferences(string name) => AssertGradient(SmallModels.Tied, name);

    [Fact]
    public void Evaluate_PackedAndSeparateSequences_MatchesTheReference()
    {
        using TrainableModel model = Model(SmallModels.Odd);
        TrainingSequence[] sequences = SmallModels.Sequences(SmallModels.Odd);
        (double loss, long tokens) = model.Evaluate(sequences);
        Assert.InRange(tokens, 30, 78);
        Assert.Equal(ReferenceLoss(model, sequences), loss, 1e-5 * loss);
    }

    [Fact]
    public void Evaluate_LongSequencesAndWideHeads_MatchesTheReference()
    {
        LlamaConfig config = SmallModels.Odd with { HiddenSize = 48, HeadSize = 40, HeadCount = 2, KeyValueHeadCount = 1, LayerCount = 1 };
        using TrainableModel model = Model(config);
        TrainingSequence[] sequences = SmallModels.Sequences(config, longest: 121);
        (double loss, _) = model.Evaluate(sequences);
        Assert.Equal(ReferenceLoss(model, sequences), loss, 1e-5 * loss);
    }

    [Fact]
    public void Run_WideHeadsAndLongSequences_GradientMatchesFiniteDifferences() => AssertGradient(
        SmallModels.Odd with { HiddenSize = 48, HeadSize = 40, HeadCount = 2, KeyValueHeadCount = 1, LayerCount = 1 }, TensorNames.Query(0), longest: 121);

    [Fact]
    public void Run_ActivationCheckpointing_SameGradientsToTheBit()
    {
        Assert.Equal(Gradients(checkpointing: false), Gradients(checkpointing: true));

        static float[] Gradients(bool checkpointing)
        {
            using TrainableModel model = Model(SmallModels.Odd, new() { ActivationCheckpointing = checkpointing, Threads = 2 });
            return RunOnce(model, SmallModels.Sequences(SmallModels.Odd));
        }
    }

    [Fact]
    public void Run_OneThreadOrThree_SameGradientsToTheBit()
    {
        Assert.Equal(Gradients(1), Gradients(3));

        static float[] Gradients(int threads)
        {
            using TrainableModel model = Model(SmallModels.Odd, new() { Threads = threads });
            return RunOnce(model, SmallModels.Sequences(SmallModels.Odd));
        }
    }

    [Fact]
    public void Run_SmallerBatchAfterALargerOne_DoesNotSeeIt()
    {
        TrainingSequence[] sequences = SmallModels.Sequences(SmallModels.Odd);
        using TrainableModel fresh = Model(SmallModels.Odd), used = Model(SmallModels.Odd);
        RunOnce(used, sequences);
        new Span<float>(used.Parameters.Gradients, (int)used.Parameters.Length).Clear();
        Assert.Equal(RunOnce(fresh, sequences[..1]), RunOnce(used, sequences[..1]));
    }

    [Fact]
    public void Run_NothingCounts_NoLossAndNoGradient()
    {
        using TrainableModel model = Model(SmallModels.Odd);
        TrainingSequence sequence = new(new[] { 1, 2, 3 }, new bool[3]);
        Assert.Equal((0, 0), model.Evaluate([sequence]));
        Assert.Equal((0, 0), model.Evaluate([]));
        Assert.All(RunOnce(model, [sequence]), gradient => Assert.Equal(0, gradient));
    }

    internal static TrainableModel Model(LlamaConfig config, TrainableModelOptions? options = null) =>
        TrainableModel.Load(new RandomCheckpoint(config, seed: 5), options);

    internal static float[] RunOnce(TrainableModel model, TrainingSequence[] sequences, float scale = 0.1f)
    {
        model.Run(TrainingBatch.Create(sequences, model.Config), scale, dropoutKey: null);
        return new Span<float>(model.Parameters.Gradients, (int)model.Parameters.Length).ToArray();
    }

    /// <summary>Along a random direction through the whole tensor, and for single elements: the largest gradient's and some others.</summary>
    internal static void AssertGradient(LlamaConfig config, string name, TrainableModelOptions? options = null, int longest = 30)
    {
        const float Scale = 0.1f;
        using TrainableModel model = Model(config, options);
        AssertGradient(model, name, SmallModels.Sequences(config, longest: longest), Scale);
    }

    internal static void AssertGradient(TrainableModel model, string name, TrainingSequence[] sequences, float scale)
    {
        RunOnce(model, sequences, scale);
        Parameter parameter = model.Parameters[name];
        var values = new Span<float>(model.Parameters.Values + parameter.Offset, (int)parameter.Length);
        var gradient = new Span<float>(model.Parameters.Gradients + parameter.Offset, (int)parameter.Length);
        double size = Math.Sqrt(System.Numerics.Tensors.TensorPrimitives.SumOfSquares(gradient));
        Assert.True(size > 1e-4, $"The gradient of {name} is {size}: nothing to compare.");
        float[] kept = values.ToArray();
        var random = new Random(name.Length);

        float[] direction = [.. Enumerable.Range(0, values.Length).Select(_ => random.NextSingle() * 2 - 1)];
        AssertAlong(direction, values, gradient, 1e-4 * size);
        int largest = System.Numerics.Tensors.TensorPrimitives.IndexOfMaxMagnitude(gradient);
        foreach (int index in new[] { largest, 0, values.Length - 1, random.Next(values.Length) }.Distinct())
        {
            float[] single = new float[values.Length];
            single[index] = 1;
            AssertAlong(single, values, gradient, 1e-4 * size / Math.Sqrt(values.Length) + 2e-3 * Math.Abs(gradient[index]));
        }

        void AssertAlong(float[] along, Span<float> weights, ReadOnlySpan<float> computed, double tolerance)
        {
            const float Step = 1f / 1024;
            double expected = 0, actual = 0;
            double[] losses = new double[2];
            double[] moved = new double[weights.Length];
            for (int side = 0; side < 2; side++)
            {
                for (int i = 0; i < weights.Length; i++)
                {
                    weights[i] = kept[i] + (side == 0 ? -Step : Step) * along[i];
                    moved[i] += side == 0 ? -weights[i] : weights[i];                  // what rounding left of the step
                }

                losses[side] = ReferenceLoss(model, sequences) * scale;
            }

            kept.CopyTo(weights);
            expected = losses[1] - losses[0];
            for (int i = 0; i < weights.Length; i++)
            {
                actual += moved[i] * computed[i];
            }

            Assert.Equal(expected / (2 * Step), actual / (2 * Step), tolerance + 1e-5);
        }
    }

    internal static double ReferenceLoss(TrainableModel model, TrainingSequence[] sequences)
    {
        using Checkpoint checkpoint = model.AsCheckpoint();
        var reference = new ReferenceModel(checkpoint);
        double loss = 0;
        foreach (TrainingSequence sequence in sequences)
        {
            int start = 0;
            foreach (int length in sequence.SegmentLengths.Span)
            {
                int[] tokens = sequence.Tokens.Slice(start, length).ToArray();
                double[][] logits = reference.Logits(tokens);
                for (int i = 1; i < length; i++)
                {
                    if (sequence.InLoss.Span[start + i])
                    {
                        double largest = logits[i - 1].Max();
                        loss += largest + Math.Log(logits[i - 1].Sum(value => Math.Exp(value - largest))) - logits[i - 1][tokens[i]];
                    }
                }

                start += length;
            }
        }

        return loss;
    }
}
