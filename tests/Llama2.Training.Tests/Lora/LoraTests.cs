using Llama2.Testing;

namespace Llama2.Training.Tests;

public sealed unsafe class LoraTests
{
    private static readonly LoraOptions _all = new() { Rank = 3, Alpha = 6, TargetModules = LoraOptions.AllModules };

    public static TheoryData<string> Targets => [.. TensorNames.Required(SmallModels.Odd)
        .Where(tensor => tensor.Name.StartsWith("model.layers.1.", StringComparison.Ordinal) && tensor.Rows > 1).Select(tensor => tensor.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Run_EveryTarget_GradientMatchesFiniteDifferences(string weight)
    {
        using TrainableModel model = Model(SmallModels.Odd, _all);
        Scatter(model);
        TrainingSequence[] sequences = SmallModels.Sequences(SmallModels.Odd, longest: 30);
        GradientTests.AssertGradient(model, LoraNames.A(weight), sequences, scale: 0.1f);
        new Span<float>(model.Parameters.Gradients, (int)model.Parameters.Length).Clear();
        GradientTests.AssertGradient(model, LoraNames.B(weight), sequences, scale: 0.1f);
    }

    [Fact]
    public void Load_NewAdapter_ChangesNothing()
    {
        using var checkpoint = new RandomCheckpoint(SmallModels.Odd, seed: 5);
        using var full = TrainableModel.Load(checkpoint);
        using TrainableModel adapted = Model(SmallModels.Odd, _all);
        TrainingSequence[] sequences = SmallModels.Sequences(SmallModels.Odd);
        Assert.Equal(full.Evaluate(sequences), adapted.Evaluate(sequences));
    }

    [Theory]
    [InlineData(WeightFormat.F32, 1e-5)]
    [InlineData(WeightFormat.BF16, 0.02)]
    [InlineData(WeightFormat.Q8_0, 0.02)]
    public void Evaluate_BaseInAnyFormat_IsTheMergedModel(WeightFormat format, double tolerance)
    {
        using TrainableModel model = Model(SmallModels.Blocks, _all, format);
        Scatter(model);
        TrainingSequence[] sequences = SmallModels.Sequences(SmallModels.Blocks);
        double expected = GradientTests.ReferenceLoss(model, sequences);
        Assert.Equal(expected, model.Evaluate(sequences).Loss, tolerance * expected);
    }

    [Theory]
    [InlineData(WeightFormat.BF16)]
    [InlineData(WeightFormat.Q8_0)]
    public void Run_BaseInAnyFormat_GradientIsThatOfTheDecodedBase(WeightFormat format)
    {
        using TrainableModel model = Model(SmallModels.Blocks, _all, format);
        using var decoded = TrainableModel.Load(new RoundedCheckpoint(new RandomCheckpoint(SmallModels.Blocks, seed: 5), format), new() { Lora = _all });
        Scatter(model);
        Scatter(decoded);
        TrainingSequence[] sequences = SmallModels.Sequences(SmallModels.Blocks);
        float[] expected = GradientTests.RunOnce(decoded, sequences), actual = GradientTests.RunOnce(model, sequences);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], 1e-5f + 1e-4f * Math.Abs(expected[i]));
        }
    }

    [Fact]
    public void Load_RowsThatBlocksDoNotDivide_NamesTheWidths()
    {
        var failure = Assert.Throws<ArgumentException>(() => Model(SmallModels.Odd, _all, WeightFormat.Q8_0));
        Assert.Contains("20, 28, 24", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_Dropout_DependsOnTheKeyAloneAndKeepsCheckpointedGradients()
    {
        float[] first = Gradients(1, checkpointing: false);
        Assert.Equal(first, Gradients(1, checkpointing: true));
        Assert.NotEqual(first, Gradients(2, checkpointing: false));
        Assert.NotEqual(first, Gradients(null, checkpointing: false));

        static float[] Gradients(ulong? key, bool checkpointing)
        {
            var options = new TrainableModelOptions { Lora = _all with { Dropout = 0.3f }, ActivationCheckpointing = checkpointing };
            using var model = TrainableModel.Load(new RandomCheckpoint(SmallModels.Odd, seed: 5), options);
            Scatter(model);
            model.Run(TrainingBatch.Create(SmallModels.Sequences(SmallModels.Odd), model.Config), 0.1f, key);
            return new Span<float>(model.Parameters.Gradients, (int)model.Parameters.Length).ToArray();
        }
    }

    [Fact]
    public void Run_Dropout_GradientMatchesTheDroppedForwardPass()
    {
        using TrainableModel model = Model(SmallModels.Odd, _all with { Dropout = 0.3f });
        Scatter(model);
        TrainingBatch batch = TrainingBatch.Create(SmallModels.Sequences(SmallModels.Odd), model.Config);
        model.Run(batch, 1, dropoutKey: 9);
        ParameterStore store = model.Parameters;
        float[] gradient = new Span<float>(store.Gradients, (int)store.Length).ToArray(), values = new Span<float>(store.Values, (int)store.Length).ToArray();
        double square = gradient.Sum(value => (double)value * value), size = Math.Sqrt(square);
        const double Step = 2e-3;
        double[] losses = new double[2];
        for (int side = 0; side < 2; side++)
        {
            for (int i = 0; i < values.Length; i++)
            {
                store.Values[i] = (float)(values[i] + (side == 0 ? -Step : Step) * gradient[i] / size);
            }

            losses[side] = Loss();
        }

        Assert.Equal(size, (losses[1] - losses[0]) / (2 * Step), 0.01 * size);

        // The loss of a pass that drops: the gradients that come with it are not wanted, and cleared.
        double Loss() => model.Run(batch, 1e-30f, dropoutKey: 9);
    }

    [Fact]
    public void Adapter_WrittenAndRead_SameNumbersUnderPeftNames()
    {
        using var folder = new TemporaryFolder();
        using TrainableModel model = Model(SmallModels.Odd, new() { Rank = 1, Alpha = 2, Dropout = 0.25f, TargetModules = ["q_proj", "down_proj"] });
        Scatter(model);
        PeftFolder.Write(model.Adapter!, folder["adapter"], "meta-llama/Llama-2-7b-chat-hf");
        LoraAdapter read = PeftFolder.Read(folder["adapter"], SmallModels.Odd);

        Assert.Equal("meta-llama/Llama-2-7b-chat-hf", read.BaseModel);
        Assert.Equal((1, 2f, 0.25f), (read.Options.Rank, read.Options.Alpha, read.Options.Dropout));
        Assert.Equal(["q_proj", "down_proj"], read.Options.TargetModules);
        Assert.Equal(model.TrainedParameterCount, read.ParameterCount);
        Assert.Equal(
            [TensorNames.Query(0), TensorNames.Down(0), TensorNames.Query(1), TensorNames.Down(1)], read.Factors.Select(factors => factors.Weight));
        foreach ((CheckpointTensor expected, CheckpointTensor actual) in model.Adapter!.Tensors.Zip(read.Tensors))
        {
            Assert.Equal(Values(expected), Values(actual));
        }

        using var checkpoint = new RandomCheckpoint(SmallModels.Odd, seed: 5);
        using var merged = new MergedCheckpoint(checkpoint, read);
        using Checkpoint direct = model.AsCheckpoint();
        string changed = TensorNames.Down(1);
        Assert.Equal(Values(direct.Tensors[changed]), Values(merged.Tensors[changed]));
        Assert.NotEqual(Values(checkpoint.Tensors[changed]), Values(merged.Tensors[changed]));
        Assert.Same(checkpoint.Tensors[TensorNames.Up(1)], merged.Tensors[TensorNames.Up(1)]);
    }

    [Fact]
    public void Load_StartedFromAnAdapter_HasItsNumbers()
    {
        using TrainableModel model = Model(SmallModels.Odd, _all), other = Model(SmallModels.Odd, _all);
        Scatter(model);
        other.LoadAdapter(model.Adapter!);
        TrainingSequence[] sequences = SmallModels.Sequences(SmallModels.Odd);
        Assert.Equal(model.Evaluate(sequences), other.Evaluate(sequences));
    }

    [Fact]
    public void AsCheckpoint_MergedAndWritten_LoadsAsAFolder()
    {
        using var folder = new TemporaryFolder();
        using TrainableModel model = Model(SmallModels.Odd, _all);
        Scatter(model);
        using Checkpoint merged = model.AsCheckpoint();
        HuggingFaceFolder.Write(merged, folder["merged"], WeightFormat.F32);
        using Checkpoint written = Checkpoint.Open(folder["merged"]);
        using var again = TrainableModel.Load(written);
        TrainingSequence[] sequences = SmallModels.Sequences(SmallModels.Odd);
        double loss = model.Evaluate(sequences).Loss;
        Assert.Equal(loss, again.Evaluate(sequences).Loss, 1e-5 * loss);
    }

    private static TrainableModel Model(LlamaConfig config, LoraOptions lora, WeightFormat format = WeightFormat.F32) =>
        GradientTests.Model(config, new() { Lora = lora, BaseFormat = format, Threads = 2 });

    /// <summary>Numbers for B too, so that the adapter matters.</summary>
    private static void Scatter(TrainableModel model)
    {
        var random = new Random(8);
        for (long i = 0; i < model.Parameters.Length; i++)
        {
            model.Parameters.Values[i] = random.NextSingle() * 0.6f - 0.3f;
        }
    }

    private static float[] Values(CheckpointTensor tensor)
    {
        float[] values = new float[tensor.Rows * tensor.Columns];
        for (int row = 0; row < tensor.Rows; row++)
        {
            tensor.ReadRow(row, values.AsSpan(row * tensor.Columns));
        }

        return values;
    }

    /// <summary>The numbers that are left when a checkpoint's matrices have been stored in a format.</summary>
    private sealed class RoundedCheckpoint(Checkpoint source, WeightFormat format) : Checkpoint
    {
        public override string Path => source.Path;

        public override string Layout => source.Layout;

        public override LlamaConfig Config => source.Config;

        public override IReadOnlyDictionary<string, CheckpointTensor> Tensors =>
            source.Tensors.Values.ToDictionary(tensor => tensor.Name, CheckpointTensor (tensor) => new RoundedTensor(tensor, format));

        public override LlamaTokenizer? LoadTokenizer() => null;
    }

    private sealed class RoundedTensor(CheckpointTensor source, WeightFormat format)
        : CheckpointTensor(source.Name, WeightFormat.F32, source.Rows, source.Columns)
    {
        public override void ReadRow(int row, Span<byte> destination)
        {
            Span<float> weights = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(destination[..RowBytes]);
            source.ReadRow(row, weights);
            if (Rows > 1)
            {
                byte[] stored = new byte[format.RowBytes(Columns)];
                WeightCodec.Encode(format, weights, stored);
                WeightCodec.Decode(format, stored, weights);
            }
        }
    }
}
