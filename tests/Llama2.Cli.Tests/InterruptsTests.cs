namespace Llama2.Cli.Tests;

public sealed class InterruptsTests
{
    [Fact]
    public async Task Raise_DuringStep_EndsTheStepAndThenTheCommand()
    {
        using var interrupts = new Interrupts();
        using CancellationTokenSource step = interrupts.BeginStep();

        Assert.True(interrupts.Raise());
        await Cancelled(step.Token);
        Assert.False(interrupts.Token.IsCancellationRequested);

        Assert.True(interrupts.Raise());
        await Cancelled(interrupts.Token);
        Assert.False(interrupts.Raise());
    }

    [Fact]
    public async Task Raise_AfterStep_EndsTheCommand()
    {
        using var interrupts = new Interrupts();
        using (interrupts.BeginStep())
        {
            interrupts.EndStep();
        }

        Assert.True(interrupts.Raise());
        await Cancelled(interrupts.Token);
    }

    [Fact]
    public async Task RaiseAll_DuringStep_EndsBoth()
    {
        using var interrupts = new Interrupts();
        using CancellationTokenSource step = interrupts.BeginStep();

        Assert.True(interrupts.RaiseAll());
        await Cancelled(step.Token);
        await Cancelled(interrupts.Token);
    }

    private static Task<OperationCanceledException> Cancelled(CancellationToken token) =>
        Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Delay(TimeSpan.FromSeconds(30), token));
}
