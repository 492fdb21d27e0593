using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.Agents;
using Microsoft.SemanticKernel.ChatCompletion;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Check 52: agents.</summary>
public sealed class AgentTests(TinyModelFixture tiny) : IClassFixture<TinyModelFixture>
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Check52_Agent_AnswersAndItsThreadGrowsByTwoPerTurn(bool isStreaming)
    {
        var agent = new ChatCompletionAgent
        {
            Name = "Ada",
            Instructions = "Be brief.",
            Kernel = tiny.Kernel,
            Arguments = new(TinyModelFixture.Greedy(12)),
        };
        var thread = new ChatHistoryAgentThread();
        for (int turn = 1; turn <= 3; turn++)
        {
            string answer = "";
            if (isStreaming)
            {
                await foreach (AgentResponseItem<StreamingChatMessageContent> item in agent.InvokeStreamingAsync($"turn {turn}", thread))
                {
                    answer += item.Message.Content;
                }
            }
            else
            {
                AgentResponseItem<ChatMessageContent> item = await agent.InvokeAsync($"turn {turn}", thread).SingleAsync();
                answer = item.Message.Content!;
                Assert.Equal(("Ada", "tiny"), (item.Message.AuthorName, item.Message.ModelId));
                Assert.StartsWith("[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nturn 1 [/INST]", tiny.PromptOf(item.Message), StringComparison.Ordinal);
            }

            Assert.NotEmpty(answer);
            List<ChatMessageContent> messages = await thread.GetMessagesAsync().ToListAsync();
            Assert.Equal(2 * turn, messages.Count);
            Assert.Equal((AuthorRole.Assistant, answer), (messages[^1].Role, messages[^1].Content));
        }
    }

    [Fact]
    public async Task Check52_AgentOverTheChatClientAlone_Answers()
    {
        Kernel kernel = Kernel.CreateBuilder().AddLlama2ChatClient(tiny.Path).Build();
        using var _ = (IDisposable)kernel.Services;
        var agent = new ChatCompletionAgent { Name = "Ada", Instructions = "Be brief.", Kernel = kernel, Arguments = new(TinyModelFixture.Greedy(12)) };

        Assert.NotEmpty((await agent.InvokeAsync("hello").SingleAsync()).Message.Content!);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Check52_AgentWithFunctions_KeepsCallsAndResultsInItsThread(bool isStreaming)
    {
        var client = new ScriptedChatClient([ScriptedChatClient.Call("c1", "Clock_now")], [ScriptedChatClient.Text("It is noon.")]);
        var agent = new ChatCompletionAgent
        {
            Name = "Ada",
            Kernel = client.CreateKernel(new Clock()),
            Arguments = new(new Llama2PromptExecutionSettings { FunctionChoiceBehavior = FunctionChoiceBehavior.Auto() }),
        };
        var thread = new ChatHistoryAgentThread();

        string answer = isStreaming
            ? string.Concat(await agent.InvokeStreamingAsync("What time is it?", thread).Select(item => item.Message.Content).ToListAsync())
            : (await agent.InvokeAsync("What time is it?", thread).SingleAsync()).Message.Content!;

        Assert.Equal("It is noon.", answer);
        Assert.Equal(
            [AuthorRole.User, AuthorRole.Assistant, AuthorRole.Tool, AuthorRole.Assistant],
            await thread.GetMessagesAsync().Select(message => message.Role).ToListAsync());
    }

    private sealed class Clock
    {
        private readonly string _now = "noon";

        [KernelFunction("now")]
        public string Now() => _now;
    }
}
