using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Evaluation.Tests;

public sealed class PerplexityScorerTests
{
    private const string Text = "Once upon a time, there was a little girl named Lily.";

    [SharedDataFact]
    public async Task ScoreAsync_TrainedModel_EqualsReference()
    {
        using LlamaModel model = LlamaModel.Load(TestData.Path("models/stories260K"));
        var scorer = new PerplexityScorer(model);
        int rows = 0;
        foreach (JsonElement row in TestData.Rows("models/stories260K_golden_nll.jsonl"))
        {
            string text = row.GetProperty("text").GetString()!;
            TextLikelihood likelihood = await scorer.ScoreAsync(text);
            Assert.Equal(row.GetProperty("ids").GetArrayLength() - 1, likelihood.Tokens);
            Assert.Equal(row.GetProperty("mean_nll_f64").GetDouble(), likelihood.MeanNegativeLogLikelihood, 4);
            rows++;
        }

        Assert.True(rows > 2);
    }

    [Fact]
    public async Task ScoreAsync_Text_SumsTheEnginesScores()
    {
        using var host = new EngineHost();
        int[] ids = [host.Tokenizer!.BeginOfTextId, .. host.Tokenizer.Encode(Text)];
        IReadOnlyList<ScoredToken> scores = await host.Engine.ScoreAsync(ids);
        double loss = -scores.Sum(score => (double)score.Token.LogProbability);

        TextLikelihood likelihood = await Scorer(host).ScoreAsync(Text);

        Assert.Equal(ids.Length - 1, likelihood.Tokens);
        Assert.Equal(loss, likelihood.NegativeLogLikelihood, 9);
        Assert.Equal(Math.Exp(loss / scores.Count), likelihood.Perplexity, 6);
        Assert.Equal(loss / Math.Log(2) / Text.Length, likelihood.BitsPerByte, 9);
    }

    [Fact]
    public async Task ScoreAsync_LongText_CountsEveryTokenOnceInItsWindow()
    {
        using var host = new EngineHost();
        int[] ids = host.Tokenizer!.Encode(Text);
        double loss = 0;
        int known = 1;
        for (int begin = 0; known < ids.Length; begin += 5)
        {
            int[] window = ids[begin..Math.Min(ids.Length, begin + 16)];
            IReadOnlyList<ScoredToken> scores = await host.Engine.ScoreAsync(window);
            loss -= scores.Skip(known - begin - 1).Sum(score => (double)score.Token.LogProbability);
            known = begin + window.Length;
        }

        TextLikelihood likelihood = await Scorer(host, new() { AddBeginOfText = false, Window = 16, Stride = 5 }).ScoreAsync(Text);

        Assert.True(ids.Length > 32);
        Assert.Equal(ids.Length - 1, likelihood.Tokens);
        Assert.Equal(loss, likelihood.NegativeLogLikelihood, 9);
    }

    [Fact]
    public async Task EvaluateAsync_Texts_WeightsTokensAlike()
    {
        using var host = new EngineHost();
        PerplexityScorer scorer = Scorer(host);
        var reports = new List<TextLikelihood>();

        PerplexityResult result = await scorer.EvaluateAsync(Texts(), new Reports(reports));
        TextLikelihood first = await scorer.ScoreAsync(Text), second = await scorer.ScoreAsync("xyz");

        Assert.Equal([first, second], result.Texts);
        Assert.Equal(first + second, result.Total);
        Assert.Equal([first, first + second], reports);
        Assert.Equal((first + second).Perplexity, result.Perplexity);
        Assert.Equal((first.Perplexity + second.Perplexity) / 2, result.MeanPerplexity, 9);
        ConfidenceInterval interval = result.Interval();
        Assert.InRange(result.Perplexity, interval.Lower, interval.Upper);

        static async IAsyncEnumerable<string> Texts()
        {
            yield return Text;
            await Task.Yield();
            yield return "";
            yield return "xyz";
        }
    }

    [Fact]
    public async Task ScoreAsync_NothingToPredict_IsNotANumber()
    {
        using var host = new EngineHost();

        TextLikelihood likelihood = await Scorer(host).ScoreAsync("");

        Assert.Equal(new TextLikelihood(0, 0, 0), likelihood);
        Assert.True(double.IsNaN(likelihood.Perplexity) && double.IsNaN(new PerplexityResult(likelihood, []).MeanPerplexity));
    }

    [Fact]
    public async Task ScoreAsync_Cancelled_Throws()
    {
        using var host = new EngineHost();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Scorer(host).ScoreAsync(Text, new CancellationToken(canceled: true)));
    }

    [Theory]
    [InlineData(1, null)]
    [InlineData(257, null)]
    [InlineData(16, 16)]
    [InlineData(16, 0)]
    public void Constructor_WrongWindow_Throws(int window, int? stride)
    {
        using var host = new EngineHost();

        Assert.Throws<ArgumentOutOfRangeException>(() => Scorer(host, new() { Window = window, Stride = stride }));
    }

    private static PerplexityScorer Scorer(EngineHost host, PerplexityOptions? options = null) =>
        new(host.Engine, host.Tokenizer!, host.Backend.ContextLength, options);

    private sealed class Reports(List<TextLikelihood> reports) : IProgress<TextLikelihood>
    {
        public void Report(TextLikelihood value) => reports.Add(value);
    }
}
