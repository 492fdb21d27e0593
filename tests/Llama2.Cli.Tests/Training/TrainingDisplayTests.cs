using Llama2.Training;

namespace Llama2.Cli.Tests;

public sealed class TrainingDisplayTests
{
    [Theory]
    [InlineData(0.2, "1 s")]
    [InlineData(59, "59 s")]
    [InlineData(80, "1 min 20 s")]
    [InlineData(3600 * 26 + 65, "26 h 01 min")]
    public void Duration_Seconds_ReadsLikeATime(double seconds, string text) => Assert.Equal(text, TrainingDisplay.Duration(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public async Task Show_StepsWithoutTerminal_OneLineForAFewWithTheirMeans()
    {
        using var terminal = new TestTerminal("");
        var display = new TrainingDisplay(terminal.Streams, loggingSteps: 2);

        int result = await display.ShowAsync(progress =>
        {
            progress.Report(Step(1, loss: 3, tokens: 100, speed: 100));
            progress.Report(Step(2, loss: 2, tokens: 300, speed: 100));
            progress.Report(Step(3, loss: 1, tokens: 100, speed: 50) with { Evaluation = new(3, 0.5, null, IsBest: true) });
            return 7;
        });

        Assert.Equal(7, result);
        Assert.Equal(
            """
            step 2/3, epoch 0.67: loss 2.5000, learning rate 2.0e-5, 100 tokens/s, 1 min 30 s left
            step 3/3, epoch 1.00: loss 1.0000, learning rate 2.0e-5, 50 tokens/s, 1 min 30 s left
            step 3: validation loss 0.5000, perplexity 1.65, the best so far

            """.ReplaceLineEndings("\n"),
            terminal.Error.ToString());
        Assert.Equal(500.0 / 6, display.TokensPerSecond, 1e-9);
    }

    [Fact]
    public async Task Show_EveryEpoch_OneLineForEach()
    {
        using var terminal = new TestTerminal("");

        await new TrainingDisplay(terminal.Streams, loggingSteps: null).ShowAsync(progress =>
        {
            progress.Report(Step(1, 3, 1, 1) with { Epoch = 0.5 });
            progress.Report(Step(2, 3, 1, 1) with { Epoch = 1 });
            return true;
        });

        Assert.StartsWith("step 2/3", Assert.Single(terminal.Error.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    private static TrainingProgress Step(long step, double loss, long tokens, double speed) =>
        new(step, 3, step / 3.0, loss, 2e-5, 1, tokens, speed, TimeSpan.FromSeconds(90), null);
}
