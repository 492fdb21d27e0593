namespace Llama2.Tests;

public class BadWordsProcessorTests
{
    [Fact]
    public void Process_WordsOfOneAndMoreTokens_ForbidsWhatWouldCompleteThem()
    {
        var processor = new BadWordsProcessor([[4], [5, 6], [5, 6, 7], [9, 8]]);
        var history = new TokenHistory([1, 5], 4);
        Assert.Equal([4, 6], Forbidden(processor, history));
        history.Append(6);
        Assert.Equal([4, 7], Forbidden(processor, history));
        history.Append(0);
        Assert.Equal([4], Forbidden(processor, history));
    }

    [Fact]
    public void Process_WordLongerThanHistory_IsNoConcern() =>
        Assert.Empty(Forbidden(new BadWordsProcessor([[1, 2, 3, 4]]), new TokenHistory([2, 3], 1)));

    private static int[] Forbidden(BadWordsProcessor processor, TokenHistory history)
    {
        float[] logits = new float[10];
        processor.Process(logits, history);
        return [.. Enumerable.Range(0, 10).Where(id => logits[id] == float.NegativeInfinity)];
    }
}
