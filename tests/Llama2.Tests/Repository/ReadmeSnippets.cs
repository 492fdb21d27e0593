using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Llama2.Tests;

/// <summary>The C# blocks of the README, compiled; <see cref="ReadmeTests"/> compares them line for line.</summary>
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
}
