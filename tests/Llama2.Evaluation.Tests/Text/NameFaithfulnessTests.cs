namespace Llama2.Evaluation.Tests;

public sealed class NameFaithfulnessTests
{
    private const string Dialogue = "Anna: Hi Tom, will you come on saturday?\nTom: Yes! I'll bring Mary-Jane and O'Neil to Łódź.";

    [Theory]
    [InlineData("Anna and Tom meet on Saturday.", 3, 3)]
    [InlineData("Bob will meet Anna.", 2, 1)]
    [InlineData("They will meet. After that, Tom's friend Mary-Jane comes to Łódź.", 3, 3)]
    [InlineData("Tom, Tom and Ann.", 3, 2)]
    [InlineData("I'm sure that It's O’Neil's.", 1, 1)]
    [InlineData("The meeting is at nine.", 0, 0)]
    [InlineData("ANNA", 1, 1)]
    [InlineData("An Anna-Maria", 1, 0)]
    [InlineData("", 0, 0)]
    public void Count_Text_CountsNamesAndThoseOfTheSource(string text, int names, int found) =>
        Assert.Equal((names, found), NameFaithfulness.Count(Dialogue, text));

    [Fact]
    public void Add_NameFaithfulness_IsOfAllNamesTogether()
    {
        var accumulator = new TextGenerationAccumulator(new() { Metrics = ["name_faithfulness"] });

        Assert.Equal(0.5, accumulator.Add("", "Bob will meet Anna.", Dialogue)["name_faithfulness"]);
        Assert.Equal(1, accumulator.Add("", "no names", Dialogue)["name_faithfulness"]);
        Assert.Equal(1, accumulator.Add("", "Anna and Tom, Tom and Anna", Dialogue)["name_faithfulness"]);

        Assert.Equal(5.0 / 6, accumulator.Scores()["name_faithfulness"], 12);
        Assert.Throws<ArgumentNullException>(() => accumulator.Add("", "Anna"));
        ReportMetric metric = Assert.Single(accumulator.ToReport("Names", new() { Resamples = 20 }).Metrics);
        Assert.NotNull(metric.Description);
        Assert.InRange(metric.Interval!.Value.Lower, 0, 5.0 / 6);
    }
}
