using System.Text.Json;
using Llama2.Samples;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

const string Sample = "What did Tom write?";
const string Classify = "Classify the emotion of this message as sadness, joy, love, anger, fear or surprise, and say how urgent it is, from 1 to 5.";

return await SampleCommand.RunAsync(args, "Calls a function for a question, and answers with an object.", Sample, async (model, configure, question, cancellationToken) =>
{
    await using ServiceProvider services = new ServiceCollection().AddLlama2ChatClient(model, configure).BuildServiceProvider();
    IChatClient client = services.GetRequiredService<IChatClient>().AsBuilder()
        .UseFunctionInvocation(configure: functions => functions.MaximumIterationsPerRequest = 1)      // one round of calls, then words
        .Build();

    // Models that were not trained for functions seldom think of one, so the call is required. Its arguments are the model's own choice.
    AIFunction readMessage = AIFunctionFactory.Create(Mailbox.ReadMessage, "read_message");
    var calling = new ChatOptions
    {
        Tools = [readMessage],
        ToolMode = ChatToolMode.RequireSpecific(readMessage.Name),
        AllowMultipleToolCalls = false,
        Temperature = 0,
        MaxOutputTokens = 100,
    };
    List<ChatMessage> conversation = [];
    Say(question);
    ChatResponse answer = await client.GetResponseAsync(conversation, calling, cancellationToken);
    Hear(answer);

    Say(Classify);
    ChatResponse<Note> typed = await client.GetResponseAsync<Note>(conversation, new ChatOptions { Temperature = 0 }, cancellationToken: cancellationToken);
    Hear(typed);
    Console.WriteLine($"\nEmotion {typed.Result.Emotion}, urgency {typed.Result.Urgency} of 5.");
    Console.WriteLine("The form is certain; the content is as good as the model, and the demo model has never seen JSON.");

    void Say(string text)
    {
        conversation.Add(new(ChatRole.User, text));
        Show("You", text);
    }

    // An answer is all messages since the question: the calls, what came back, the words.
    void Hear(ChatResponse response)
    {
        conversation.AddMessages(response);
        foreach (AIContent content in response.Messages.SelectMany(message => message.Contents))
        {
            switch (content)
            {
                case FunctionCallContent call:
                    Show("Model", $"{call.Name}({JsonSerializer.Serialize(call.Arguments)})");
                    break;
                case FunctionResultContent result:
                    Show("Function", $"{result.Result}");
                    break;
                case TextContent text:
                    Show("Model", text.Text);
                    break;
            }
        }
    }
});

static void Show(string who, string what) => Console.WriteLine($"{who,-10}{what}");
