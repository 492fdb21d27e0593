using Llama2.Testing;

namespace Llama2.Training.Tests;

public sealed class ModelCheckpointTests
{
    [Fact]
    public void AsCheckpoint_WrittenAndLoaded_SameModelAndTokenizer()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        using var model = TrainableModel.Load(source);
        using Checkpoint view = model.AsCheckpoint();
        HuggingFaceFolder.Write(view, folder["model"], WeightFormat.F32);
        using Checkpoint written = Checkpoint.Open(folder["model"]);
        using var again = TrainableModel.Load(written);
        TrainingSequence[] sequences = SmallModels.Sequences(source.Config);
        Assert.Equal(model.Evaluate(sequences), again.Evaluate(sequences));
        Assert.Equal(source.LoadTokenizer()!.VocabularySize, written.LoadTokenizer()!.VocabularySize);
        Assert.Equal((source.Path, "trained"), (view.Path, view.Layout));
    }

    [Fact]
    public void AsCheckpoint_NewModel_TakesTheTokenizerThatIsGiven()
    {
        using var model = TrainableModel.Create(SmallModels.Odd, new() { Seed = 7 });
        using RandomCheckpoint source = TinyModels.Create();
        LlamaTokenizer tokenizer = source.LoadTokenizer()!;
        using Checkpoint view = model.AsCheckpoint(tokenizer), bare = model.AsCheckpoint();
        Assert.Same(tokenizer, view.LoadTokenizer());
        Assert.Null(bare.LoadTokenizer());
        Assert.Equal("trained-20x2", view.Path);
        Assert.Equal(SmallModels.Odd.ParameterCount, view.Tensors.Values.Sum(tensor => (long)tensor.Rows * tensor.Columns));
    }

    [Fact]
    public void Create_Weights_HaveTheirDeviations()
    {
        LlamaConfig config = SmallModels.Blocks with { LayerCount = 8, VocabularySize = 500 };
        using var model = TrainableModel.Create(config);
        using Checkpoint view = model.AsCheckpoint();
        Assert.Equal(0.02, Deviation(TensorNames.Embedding), 0.001);
        Assert.Equal(0.02, Deviation(TensorNames.Gate(3)), 0.002);
        Assert.Equal(0.005, Deviation(TensorNames.Down(3)), 0.0005);
        Assert.Equal(0.005, Deviation(TensorNames.AttentionOutput(3)), 0.0005);
        Assert.Equal(1, Deviation(TensorNames.OutputNorm), 1e-9);

        double Deviation(string name)
        {
            CheckpointTensor tensor = view.Tensors[name];
            float[] row = new float[tensor.Columns];
            double sum = 0;
            for (int i = 0; i < tensor.Rows; i++)
            {
                tensor.ReadRow(i, row);
                sum += row.Sum(value => (double)value * value);
            }

            return Math.Sqrt(sum / tensor.Rows / tensor.Columns);
        }
    }
}
