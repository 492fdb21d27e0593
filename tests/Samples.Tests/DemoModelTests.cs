using Llama2.Evaluation;

namespace Samples.Tests;

/// <summary>What a newcomer sees: the samples on the model that comes with them.</summary>
public sealed class DemoModelTests
{
    [Theory]
    [InlineData("joy", "I passed the exam and I am so happy!")]
    [InlineData("sadness", "I miss my grandmother, I cried all night.")]
    [InlineData("anger", "I am furious that they lied to me again.")]
    [InlineData("fear", "I am terrified of the dark.")]
    public async Task EmotionClassification_ClearText_IsNamed(string emotion, string text)
    {
        SampleResult result = await SampleRunner.RunAsync("EmotionClassification", "", text);

        Assert.Equal((0, ""), (result.Code, result.Error));
        Assert.StartsWith($"{emotion}\n", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Lisa: Paul, can you pick up the cake on Friday?\nPaul: Sure, I will get it at five.\nLisa: Great, thank you!")]
    [InlineData("Maria: Can I borrow your drill this weekend?\nDavid: Sure. When do you need it?\nMaria: On Saturday. I'll bring it back on Sunday.\nDavid: OK, you can pick it up at noon.")]
    public async Task Summarization_Dialogue_NamesWhatItHasAndNothingElse(string dialogue)
    {
        SampleResult result = await SampleRunner.RunAsync("Summarization", dialogue);

        Assert.Equal((0, ""), (result.Code, result.Error));
        (int names, int found) = NameFaithfulness.Count(dialogue, result.Output);
        Assert.True(names > 0 && found == names, $"{found} of {names} names of this are in the dialogue: {result.Output}");
    }

    [Fact]
    public async Task Summarization_NothingGiven_SummarizesItsSample()
    {
        SampleResult result = await SampleRunner.RunAsync("Summarization", "");

        Assert.Equal((0, ""), (result.Code, result.Error));
        Assert.Contains("Tom", result.Output, StringComparison.Ordinal);
        Assert.InRange(result.Output.Length, 20, 300);
    }
}
