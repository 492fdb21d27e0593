namespace Llama2.Cli.Tests;

public sealed class LossChartTests
{
    [Fact]
    public void Draw_FallingLoss_GoesFromTopLeftToBottomRight()
    {
        (long, double)[] training = [.. Enumerable.Range(1, 100).Select(step => ((long)step, 10.0 - step * 0.1))];

        IReadOnlyList<string> lines = LossChart.Draw(training, [(50, 5.0), (100, 0.0)], width: 48, height: 10);

        Assert.Equal(12, lines.Count);
        Assert.StartsWith(" 9.900 ▏", lines[0], StringComparison.Ordinal);
        Assert.StartsWith(" 0.000 ▏", lines[9], StringComparison.Ordinal);
        Assert.InRange(lines[0].Length, 9, 14);
        Assert.Equal(48, lines[9].Length);
        Assert.EndsWith("×", lines[9], StringComparison.Ordinal);
        Assert.All(lines.Take(10), line => Assert.True(line.Length > 8, line));               // no row between is empty
        Assert.Equal(2, lines.Take(10).Sum(line => line.Count(letter => letter == '×')));
        Assert.Equal($"        step 1{"100",34}", lines[10]);
    }

    [Fact]
    public void Draw_Jump_IsALineWithoutHoles()
    {
        IReadOnlyList<string> lines = LossChart.Draw([(1, 1.0), (2, 0.0)], [], width: 28, height: 5);

        Assert.Equal(20, lines.Take(5).SelectMany(line => line[8..]).Sum(letter => System.Numerics.BitOperations.PopCount((uint)letter - 0x2800)));
        Assert.EndsWith("line: training loss, nats per token", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Draw_SameLossEverywhere_OneRow() =>
        Assert.Single(LossChart.Draw([(1, 2.0), (2, 2.0), (3, 2.0)], [], width: 30, height: 4).Take(4), line => line.Length > 8);

    [Fact]
    public void Draw_OneStep_Nothing() => Assert.Empty(LossChart.Draw([(1, 2.0)], []));
}
