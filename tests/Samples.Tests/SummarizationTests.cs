using Microsoft.Extensions.AI;

namespace Samples.Tests;

/// <summary>A random model's summary is nonsense, but the same nonsense as the model's own for the prompt that the sample should send.</summary>
public sealed class SummarizationTests(RandomModelFixture model) : IClassFixture<RandomModelFixture>
{
    private const string Dialogue = "Ann: Tea?\nBob: Yes.";

    [Fact]
    public async Task Run_Piped_SummarizesWhatCame()
    {
        SampleResult result = await SampleRunner.RunAsync("Summarization", Dialogue + "\n", "--model", model.Path);

        Assert.Equal(new(0, await SummaryAsync(Dialogue) + "\n", ""), result);
    }

    [Fact]
    public async Task Run_ArgumentsAndFile_AreTaken()
    {
        string file = model.File("dialogue.txt");
        await File.WriteAllTextAsync(file, Dialogue);

        SampleResult fromFile = await SampleRunner.RunAsync("Summarization", "", "--model", model.Path, "--file", file);
        SampleResult fromWords = await SampleRunner.RunAsync("Summarization", "", "--model", model.Path, "Ann:", "Tea?");

        Assert.Equal(new(0, await SummaryAsync(Dialogue) + "\n", ""), fromFile);
        Assert.Equal(new(0, await SummaryAsync("Ann: Tea?") + "\n", ""), fromWords);
    }

    [Fact]
    public async Task Run_NothingGiven_TakesTheSample()
    {
        SampleResult empty = await SampleRunner.RunAsync("Summarization", "", "--model", model.Path);
        SampleResult silent = await SampleRunner.RunAsync("Summarization", null, "--model", model.Path);

        Assert.Equal((0, ""), (empty.Code, empty.Error));
        Assert.NotEmpty(empty.Output);
        Assert.Equal(empty.Output, silent.Output);
        Assert.StartsWith("note: ", silent.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, "no-such-model", "--model", "no-such-model")]
    [InlineData(1, "no-such-file", "--file", "no-such-file")]
    [InlineData(2, "--modle", "--modle", "x")]
    [InlineData(2, "--model", "--model")]
    public async Task Run_WhatCannotBe_IsSaidWithACode(int code, string named, params string[] args)
    {
        SampleResult result = await SampleRunner.RunAsync("Summarization", "", args);

        Assert.Equal(code, result.Code);
        Assert.Contains(named, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    private async Task<string> SummaryAsync(string dialogue)
    {
        using IChatClient client = model.Model.AsIChatClient(leaveOpen: true);
        string prompt = $"Summarize this dialog:\n{dialogue}\n---\nSummary:\n";
        return (await client.GetResponseAsync(prompt, new() { Temperature = 0, MaxOutputTokens = 120 })).Text;
    }
}
