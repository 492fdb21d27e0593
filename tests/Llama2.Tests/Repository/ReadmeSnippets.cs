using Llama2;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Readme;

/// <summary>The C# blocks of the README, compiled outside our own namespace; <see cref="Llama2.Tests.ReadmeTests"/> compares them line for line.</summary>
internal static class ReadmeSnippets
{
    public static async Task Chat()
    {
        using LlamaModel model = LlamaModel.Load("Llama-2-7b-chat-hf");           // or a .gguf file
        using IChatClient client = model.AsIChatClient(leaveOpen: true);

        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("Why is the sky blue?"))
        {
            Console.Write(update.Text);
        }
    }

    public static void Register(IServiceCollection services, IConfiguration configuration)
    {
        services.Configure<LlamaModelOptions>(configuration.GetSection("Llama2"));
        services.AddLlama2ChatClient("Llama-2-7b-chat-hf");
        services.AddLlama2WarmUp();
        services.AddHealthChecks().AddCheck<Llama2HealthCheck>("llama2");
    }

    public static async Task<ChatResponse> Settings(IChatClient client, IEnumerable<ChatMessage> messages)
    {
        var options = new ChatOptions
        {
            Temperature = 0.7f,
            MaxOutputTokens = 256,
            StopSequences = ["\n\n"],
            AdditionalProperties = new() { ["repetition_penalty"] = 1.1, ["ignore_eos"] = false },
        };
        ChatResponse response = await client.GetResponseAsync(messages, options);
        return response;
    }

    public static async Task Adapters(IEnumerable<ChatMessage> messages)
    {
        using LlamaModel model = LlamaModel.Load("Llama-2-7b-chat-hf");
        model.LoadAdapter("legal", "adapters/legal");                             // a PEFT folder
        using IChatClient client = model.AsIChatClient(leaveOpen: true);
        var options = new ChatOptions { AdditionalProperties = new() { ["adapter"] = "legal" } };
        ChatResponse response = await client.GetResponseAsync(messages, options);
        model.UnloadAdapter("legal");                                             // requests that run keep it
        Console.WriteLine(response);
    }
}
