using System.Globalization;
using Llama2;
using Llama2.Samples;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

const string Sample = "I can't believe they threw me a surprise party, I have the best friends in the world!";
string[] emotions = ["sadness", "joy", "love", "anger", "fear", "surprise"];

return await SampleCommand.RunAsync(args, "Names the emotion of a text.", Sample, async (model, configure, text, cancellationToken) =>
{
    await using ServiceProvider services = new ServiceCollection().AddLlama2ChatClient(model, configure).BuildServiceProvider();
    IChatClient client = services.GetRequiredService<IChatClient>();

    string prompt = $"Classify the emotion of this text as sadness, joy, love, anger, fear or surprise:\n{text}";
    IReadOnlyList<LabelProbability> answer = await client.ClassifyAsync([new(ChatRole.User, prompt)], emotions, cancellationToken: cancellationToken);

    LabelProbability[] ranked = [.. answer.OrderByDescending(label => label.Probability)];
    Console.WriteLine($"{ranked[0].Label}\n");
    foreach (LabelProbability label in ranked)
    {
        string share = (100 * label.Probability).ToString("0.0", CultureInfo.InvariantCulture);
        Console.WriteLine($"{label.Label,-10}{share,5} %  {new string('█', (int)Math.Round(30 * label.Probability))}".TrimEnd());
    }
});
