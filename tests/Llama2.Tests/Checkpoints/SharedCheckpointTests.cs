using Llama2.Testing;

namespace Llama2.Tests;

public class SharedCheckpointTests
{
    [SharedDataTheory]
    [InlineData("stories260K", WeightFormat.F32, true, 5, 8, 4)]
    [InlineData("stories260K-f16-untied", WeightFormat.F16, false, 5, 8, 4)]
    [InlineData("stories260K-bf16-sharded", WeightFormat.BF16, true, 5, 8, 4)]
    [InlineData("tiny-random/tiny-mha", WeightFormat.F32, false, 2, 4, 4)]
    [InlineData("tiny-random/tiny-gqa", WeightFormat.F32, false, 4, 4, 2)]
    [InlineData("tiny-random/tiny-mqa-32k-tied", WeightFormat.F32, true, 2, 2, 1)]
    public void Open_SharedModel_HasItsShape(string folder, WeightFormat format, bool tied, int layers, int heads, int keyValueHeads)
    {
        using var checkpoint = Checkpoint.Open(TestData.Path($"models/{folder}"));
        Assert.Equal((tied, layers, heads, keyValueHeads), (checkpoint.Config.TieWordEmbeddings, checkpoint.Config.LayerCount, checkpoint.Config.HeadCount, checkpoint.Config.KeyValueHeadCount));
        Assert.Equal(
            TensorNames.Required(checkpoint.Config).Order(),
            checkpoint.Tensors.Values.Select(tensor => (tensor.Name, tensor.Rows, tensor.Columns)).Order());
        Assert.All(checkpoint.Tensors.Values, tensor => Assert.Equal(format, tensor.Format));
        Assert.Equal(checkpoint.Config.ParameterCount, checkpoint.Tensors.Values.Sum(tensor => (long)tensor.Rows * tensor.Columns));
    }

    [SharedDataTheory]
    [InlineData("config.dynamic2.json", RopeScalingKind.Dynamic, 2f)]
    [InlineData("config.linear2.5.json", RopeScalingKind.Linear, 2.5f)]
    [InlineData("config.linear4.json", RopeScalingKind.Linear, 4f)]
    public void Open_OtherConfigOfTheFolder_CountsInstead(string config, RopeScalingKind kind, float factor)
    {
        using var checkpoint = Checkpoint.Open(TestData.Path($"models/tiny-random/tiny-gqa/{config}"));
        Assert.Equal(new RopeScaling(kind, factor), checkpoint.Config.RopeScaling);
    }

    [SharedDataTheory]
    [InlineData("stories260K-f16-untied", 1f / 2048)]
    [InlineData("stories260K-bf16-sharded", 1f / 256)]
    public void ReadRow_SameModelInLessPrecision_AgreesWithinIt(string folder, float relative)
    {
        using var exact = Checkpoint.Open(TestData.Path("models/stories260K"));
        using var rounded = Checkpoint.Open(TestData.Path($"models/{folder}"));
        foreach ((string name, CheckpointTensor tensor) in exact.Tensors)
        {
            for (int row = 0; row < tensor.Rows; row++)
            {
                float[] expected = Rows.Read(tensor, row), actual = Rows.Read(rounded.Tensors[name], row);
                for (int i = 0; i < expected.Length; i++)
                {
                    Assert.True(MathF.Abs(expected[i] - actual[i]) <= relative * MathF.Abs(expected[i]) + 1e-7f, $"{name}[{row}, {i}]: {expected[i]} and {actual[i]}");
                }
            }
        }
    }
}
