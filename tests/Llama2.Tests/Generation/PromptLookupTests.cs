namespace Llama2.Tests;

public class PromptLookupTests
{
    [Fact]
    public void Guess_RunThatStoodBefore_IsWhatFollowedItLast()
    {
        int[] tokens = [1, 2, 3, 4, 9, 1, 2, 3, 5, 6, 7, 8, 1, 2, 3];
        Assert.Equal([5, 6, 7, 8, 1], new PromptLookup(100).Guess(tokens, 11).ToArray());
        Assert.Equal([5, 6], new PromptLookup(100).Guess(tokens, 2).ToArray());
        Assert.Equal([9, 7], new PromptLookup(100).Guess([5, 4, 9, 7, 5, 4], 2).ToArray());        // two tokens are enough
        Assert.Empty(new PromptLookup(100).Guess([1, 2, 3, 4, 5, 6], 5).ToArray());
        Assert.Empty(new PromptLookup(100).Guess([4], 5).ToArray());
    }

    [Fact]
    public void Guess_SequenceThatGrows_KnowsTheNewTokens()
    {
        var lookup = new PromptLookup(100);
        Assert.Empty(lookup.Guess([7, 8, 9], 5).ToArray());
        Assert.Equal([9, 7, 8], lookup.Guess([7, 8, 9, 7, 8], 5).ToArray());
        Assert.Equal([7, 8, 9], lookup.Guess([7, 8, 9, 7, 8, 9], 5).ToArray());
    }

    [Fact]
    public void Learn_RightAndWrongGuesses_GrowAndPause()
    {
        int[] tokens = [.. Enumerable.Range(0, 40), 0, 1, 2];
        var lookup = new PromptLookup(200);
        Assert.Equal(PromptLookup.ShortGuess, lookup.Guess(tokens, 100).Length);
        lookup.Learn(5, 5);
        Assert.Equal(PromptLookup.LongGuess, lookup.Guess(tokens, 100).Length);
        lookup.Learn(11, 4);
        Assert.Equal(PromptLookup.ShortGuess, lookup.Guess(tokens, 100).Length);
        for (int pause = 1; pause <= 7; pause = 2 * pause + 1)
        {
            lookup.Learn(5, 0);
            for (int i = 0; i < pause; i++)
            {
                Assert.Empty(lookup.Guess(tokens, 100).ToArray());
            }

            Assert.NotEmpty(lookup.Guess(tokens, 100).ToArray());
        }

        Assert.Equal((31, 9), (lookup.Drafted, lookup.Accepted));
    }

    [Fact]
    public void Guess_ManyTokensInFewSlots_IsNeverWrongAboutTheRun()
    {
        var random = new Random(1);
        int[] tokens = [.. Enumerable.Range(0, 3000).Select(_ => random.Next(20))];
        var lookup = new PromptLookup(20);                               // far fewer slots than runs
        for (int length = 3; length < tokens.Length; length++)
        {
            ReadOnlySpan<int> guess = lookup.Guess(tokens.AsSpan(0, length), 1);
            if (guess.Length > 0)
            {
                Assert.True(tokens.AsSpan(0, length).IndexOf([tokens[length - 2], tokens[length - 1], guess[0]]) >= 0);
            }
        }
    }
}
