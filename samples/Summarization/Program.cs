using Llama2.Samples;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

const string Sample = """
    Anna: Hi Tom, do you want to get lunch on Saturday?
    Tom: Sounds good! Where?
    Anna: How about the Harbor Grill at noon?
    Tom: Perfect, I'll be there at noon.
    """;

return await SampleCommand.RunAsync(args, "Summarizes a dialogue.", Sample, async (model, configure, dialogue, cancellationToken) =>
{
    await using ServiceProvider services = new ServiceCollection().AddLlama2ChatClient(model, configure).BuildServiceProvider();
    IChatClient client = services.GetRequiredService<IChatClient>();

    string prompt = $"Summarize this dialog:\n{dialogue}\n---\nSummary:\n";
    var options = new ChatOptions { Temperature = 0, MaxOutputTokens = 120 };      // 0: the likeliest token each time
    await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(prompt, options, cancellationToken))
    {
        Console.Write(update.Text);
    }

    Console.WriteLine();
});
