using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Evaluation.Tests;

public sealed class AnswerPerplexityEvaluatorTests
{
    [Fact]
    public async Task EvaluateAsync_Items_AddUpTheirAnswers()
    {
        using LlamaModel model = LlamaModel.Load(TinyModels.Create());
        using IChatClient client = model.AsIChatClient(leaveOpen: true);
        EvaluationItem[] items = [new("a", " joy"), new("b", "fear"), new(new string('x', 300), "too long")];
        var evaluator = new AnswerPerplexityEvaluator(client, new() { PromptTemplate = "? {input}", CountFailures = true, Concurrency = 2 });

        PerplexityResult result = await evaluator.EvaluateAsync(items.ToAsyncEnumerable());

        Assert.Equal(2, result.Texts.Count);
        foreach ((TextLikelihood text, string input, string answer) in new[] { (result.Texts[0], "a", "joy"), (result.Texts[1], "b", "fear") })
        {
            LabelProbability expected = Assert.Single(await client.ClassifyAsync([new(ChatRole.User, $"? {input}")], [answer]));
            Assert.Equal(-expected.LogProbability, text.NegativeLogLikelihood, 1e-12);
            Assert.Equal(model.Tokenizer.CountTokens(answer) + 1, text.Tokens);
        }

        Assert.Equal(result.Texts[0] + result.Texts[1], result.Total);
    }

    [Fact]
    public void Constructor_OtherClient_Throws()
    {
        using var client = new StubChatClient(_ => "");

        Assert.Throws<NotSupportedException>(() => new AnswerPerplexityEvaluator(client));
    }
}
