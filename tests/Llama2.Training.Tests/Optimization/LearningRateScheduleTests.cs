namespace Llama2.Training.Tests;

public sealed class LearningRateScheduleTests
{
    [Theory]
    [InlineData(LearningRateSchedule.Linear, 0, 0.0)]
    [InlineData(LearningRateSchedule.Linear, 5, 0.5)]
    [InlineData(LearningRateSchedule.Linear, 10, 1.0)]
    [InlineData(LearningRateSchedule.Linear, 60, 0.5)]
    [InlineData(LearningRateSchedule.Linear, 110, 0.0)]
    [InlineData(LearningRateSchedule.Linear, 500, 0.0)]
    [InlineData(LearningRateSchedule.Cosine, 5, 0.5)]
    [InlineData(LearningRateSchedule.Cosine, 10, 1.0)]
    [InlineData(LearningRateSchedule.Cosine, 35, 0.853553390593274)]
    [InlineData(LearningRateSchedule.Cosine, 60, 0.5)]
    [InlineData(LearningRateSchedule.Cosine, 110, 0.0)]
    [InlineData(LearningRateSchedule.Constant, 5, 0.5)]
    [InlineData(LearningRateSchedule.Constant, 109, 1.0)]
    public void Factor_TenStepsOfWarmupInAHundredAndTen_IsTheFormula(LearningRateSchedule schedule, long step, double expected) =>
        Assert.Equal(expected, schedule.Factor(step, warmupSteps: 10, totalSteps: 110), 1e-12);

    [Fact]
    public void Factor_NoWarmup_BeginsAtOne() => Assert.Equal(1, LearningRateSchedule.Cosine.Factor(0, 0, 7));
}
