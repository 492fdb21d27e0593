namespace Llama2.Cli.Tests;

public sealed class NearestNameTests
{
    [Theory]
    [InlineData("learnin_rate", "learning_rate")]
    [InlineData("LearningRate", "learning_rate")]
    [InlineData("lora_rank", "lora_r")]
    [InlineData("colour", null)]
    public void Find_Name_IsTheNearestOrNone(string name, string? expected) =>
        Assert.Equal(expected, NearestName.Find(name, ["lora_r", "learning_rate", "weight_decay"]));

    [Fact]
    public void Find_NoNames_None() => Assert.Null(NearestName.Find("a", []));
}
