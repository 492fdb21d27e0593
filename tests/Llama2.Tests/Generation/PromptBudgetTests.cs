namespace Llama2.Tests;

public class PromptBudgetTests
{
    [Fact]
    public void Next_NobodyGenerates_IsTheWholeStep()
    {
        var budget = new PromptBudget(128);
        budget.Note(1, 0, TimeSpan.FromMilliseconds(10));
        budget.Note(0, 128, TimeSpan.FromMilliseconds(1280));
        Assert.Equal(128, budget.Next(0));
    }

    [Fact]
    public void Next_NothingLearnt_IsAPartOfTheStep() => Assert.Equal(32, new PromptBudget(128).Next(1));

    [Theory]
    [InlineData(80, 2, 60)]                                              // 1.5 · 80 ms are 60 tokens of 2 ms
    [InlineData(80, 40, 6)]                                              // never less than a tile
    [InlineData(80, 0.1, 128)]                                           // nor more than a step
    public void Next_Learnt_StretchesAStepTwoAndAHalfTimes(double step, double promptToken, int expected)
    {
        var budget = new PromptBudget(128);
        for (int i = 0; i < 50; i++)
        {
            budget.Note(2, 0, TimeSpan.FromMilliseconds(step));
            int tokens = budget.Next(2);
            budget.Note(2, tokens, TimeSpan.FromMilliseconds(step + tokens * promptToken));
        }

        Assert.InRange(budget.Next(2), expected - 1, expected);
    }

    [Fact]
    public void Next_SmallSteps_NeverExceedsThem() => Assert.Equal(4, new PromptBudget(4).Next(3));
}
